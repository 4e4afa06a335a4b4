"""Networks with published weights, and what their pictures went through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from anmok.core.errors import UsageError
from anmok.core.preparation import Preparation
from anmok.core.weights import Preprocessing, Weights, fetch, is_here
from anmok.networks import TIMM, build, published

if TYPE_CHECKING:
    from torch import nn

RANDOM = "random"


def version_here(name: str) -> str:
    """The newest published weights of this network that are on this machine already.

    Raises:
        UsageError: there are none, or only by a download that nobody asked for.
    """
    files = published(name)
    for version, file in reversed(list(files.items())):
        if is_here(file):
            return version
    if not files and not name.startswith(TIMM):
        raise UsageError(f"{name} has no published weights", allowed=RANDOM,
                         fix=f"anmok train DATA --net {name}, then name the run; or --weights {RANDOM}")  # fmt: skip
    raise UsageError(
        f"the published weights of {name} are not on this machine, and nothing is downloaded unasked",
        allowed=", ".join(["imagenet", *files, RANDOM]),
        fix="--weights imagenet to download them, or efficientnet_lite0, whose weights are installed with anmok",
    )


def bring(name: str, weights: str) -> None:
    """Fetch a network's published weights, unless they are here; timm fetches for itself. For before the work.

    Raises:
        AnmokError: they cannot be had.
    """
    file = _file_of(name, weights)
    if file is not None:
        fetch(file)


def preparation_of(name: str, weights: str, imgsz: int | None = None, in_channels: int = 3) -> Preparation:
    """What pictures must go through for these published weights, without building the network where that is known."""
    file = _file_of(name, weights)
    if file is not None:
        return prepared_as(file.preprocessing, imgsz, in_channels)
    return build_published(name, weights, in_channels=in_channels, imgsz=imgsz)[1]


def _file_of(name: str, weights: str) -> Weights | None:
    """The published file that is meant; None where there is none of this name, or timm knows of it."""
    files = published(name)
    return list(files.values())[-1] if weights == "imagenet" and files else files.get(weights)


def build_published(
    name: str, weights: str, *, num_classes: int | None = None, in_channels: int | None = None, imgsz: int | None = None
) -> tuple[nn.Module, Preparation, int]:
    """A network with published weights, what its pictures must go through, and how many classes the weights know.

    Args:
        name: as in `anmok.networks`, or `timm:<name>`.
        weights: `imagenet` (the newest) or a version's name; downloaded if they are not here.
        num_classes: outputs; None: those of the weights. Otherwise the last layer starts afresh.
        in_channels: channels of the pictures; None: the network's.
        imgsz: side in pixels of what the network sees; None: as it was published.

    Raises:
        UsageError: no such weights.
    """
    files: Mapping[str, Weights] = published(name)
    if weights not in {"imagenet", *files}:
        allowed = ", ".join([*(["imagenet"] if files or name.startswith(TIMM) else []), *files, RANDOM])
        raise UsageError(f"{name} has no published weights of this name", got=repr(weights), allowed=allowed,
                         fix="anmok.Classifier(network, classes) in Python, for weights of your own")  # fmt: skip
    network: Any = build(name, num_classes=num_classes, in_channels=in_channels, weights=weights)
    file = _file_of(name, weights)
    looks = network.preprocessing if file is None else file.preprocessing  # timm's networks know it for themselves
    known = network.net.num_classes if file is None else file.classes
    return network, prepared_as(looks, imgsz, in_channels or 3), known


def prepared_as(looks: Preprocessing, imgsz: int | None, channels: int = 3) -> Preparation:
    """Published preprocessing as a `Preparation`; another size keeps the proportion of resize and crop."""
    size = imgsz or looks.size
    store = max(size, round(size * looks.resize / looks.size))
    grey = channels == 1
    mean = (sum(looks.mean) / 3,) if grey else looks.mean
    std = (sum(looks.std) / 3,) if grey else looks.std
    return Preparation(size, store, channels, interpolation=looks.interpolation, mean=mean, std=std)
