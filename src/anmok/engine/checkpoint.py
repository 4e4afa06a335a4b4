"""Checkpoints: tensors as safetensors, everything else as JSON, and a manifest with the SHA-256 of both.

`checkpoint-00000007.safetensors`, `.json` and, last, `.manifest`: a checkpoint exists once its manifest does. The
manifest's first line is the SHA-256 of its remaining lines, so that no flipped bit anywhere goes unseen. Order is the
number in the name, never a file's time. The last `keep` good checkpoints stay; no pickle is read or written.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from anmok.core.errors import CheckpointError
from anmok.core.files import fsync_folder, sha256_of, write_atomic
from anmok.engine.tensors import read_tensors, write_tensors
from anmok.engine.tree import pack, unpack

FORMAT = 1
_NAME = re.compile(r"checkpoint-(\d{8})\.(safetensors|json|manifest)")
_MAX_MANIFEST, _MAX_JSON = 1 << 16, 256 << 20  # bytes


class NewerFormatError(CheckpointError):
    """The checkpoint was written by a later version of anmok."""


class Checkpoints:
    """The checkpoints in one folder. Only the owner of the run folder's lock may write.

    Args:
        folder: where they lie; it must exist.
        keep: how many good checkpoints stay.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder, self.keep = Path(folder), max(1, keep)
        self._good: list[int] | None = None  # numbers known to be whole, ascending; None: not looked yet

    def numbers(self) -> list[int]:
        """Numbers of the checkpoints that have a manifest, whole or not, ascending."""
        return sorted({number for number, suffix in self._files() if suffix == "manifest"})

    def _files(self) -> list[tuple[int, str]]:
        matches = (_NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return [(int(match[1]), match[2]) for match in matches if match]

    def path(self, number: int, suffix: str = "manifest") -> Path:
        """One of the three files of checkpoint `number`."""
        return self.folder / f"checkpoint-{number:08d}.{suffix}"

    def save(self, state: Mapping[str, Any]) -> int:
        """Save nested state as the newest checkpoint and return its number; older ones beyond `keep` are deleted.

        Raises:
            UnwrittenError: the disk refused; the checkpoints that were there are what they were.
        """
        if self._good is None:
            self._good = [number for number in self.numbers() if self._is_whole(number)]
        number = 1 + max((number for number, _ in self._files()), default=0)
        value, tensors = pack(dict(state))
        text = json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
        files = {
            "safetensors": write_tensors(self.path(number, "safetensors"), tensors, sync_folder=False),
            "json": write_atomic(self.path(number, "json"), [text], sync_folder=False),
        }
        manifest: dict[str, Any] = {"format": FORMAT, "number": number}
        manifest |= {suffix: {"bytes": length, "sha256": digest} for suffix, (length, digest) in files.items()}
        body = (json.dumps(manifest, indent=1) + "\n").encode()
        write_atomic(self.path(number), [hashlib.sha256(body).hexdigest().encode() + b"\n", body], sync_folder=False)
        fsync_folder(self.folder)
        self._good = [*self._good, number][-self.keep :]
        self._prune(set(self._good))
        return number

    def _is_whole(self, number: int) -> bool:
        try:
            self._check(number)
        except NewerFormatError:
            raise
        except CheckpointError:
            return False
        return True

    def _prune(self, kept: set[int]) -> None:
        # Manifests first: what is left of a checkpoint that is half deleted must not look like one that was torn.
        for number, suffix in sorted(self._files(), key=lambda file: file[1] != "manifest"):
            if number not in kept:
                with suppress(OSError):  # a checkpoint too many does no harm
                    self.path(number, suffix).unlink()

    def load(self) -> dict[str, Any] | None:
        """The newest whole checkpoint's state, or None if none was ever saved; warns of each one passed over.

        Raises:
            CheckpointError: there are checkpoints and none is whole, or the newest is of a newer format.
        """
        refused: list[str] = []
        for number in reversed(self.numbers()):
            try:
                state = self.read(number)
            except NewerFormatError:
                raise
            except CheckpointError as error:
                refused.append(str(error))
                continue
            for reason in refused:
                warnings.warn(f"checkpoint {number} is used instead of a damaged one. {reason}", stacklevel=2)
            return state
        if refused:
            raise CheckpointError(
                "no checkpoint of this run is whole", path=self.folder, got=" / ".join(refused), fix="train again"
            )
        return None

    def read(self, number: int) -> dict[str, Any]:
        """One checkpoint's state; all digests are verified before anything is interpreted. Raises `CheckpointError`."""
        self._check(number)
        path = self.path(number, "json")
        try:
            value = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise CheckpointError("this checkpoint is damaged", path=path, got=error) from error
        state = unpack(value, read_tensors(self.path(number, "safetensors")))
        if not isinstance(state, dict):
            raise CheckpointError("this is no checkpoint", path=path, got=type(state).__name__)
        return state

    def _check(self, number: int) -> None:
        manifest = self._manifest(number)
        for suffix, limit in (("json", _MAX_JSON), ("safetensors", None)):
            path = self.path(number, suffix)
            expected = manifest[suffix]
            try:
                length = path.stat().st_size
                if length != expected["bytes"] or (limit and length > limit):
                    raise CheckpointError(
                        "this checkpoint is damaged", path=path, got=f"{length} bytes", allowed=expected["bytes"]
                    )
                digest = sha256_of(path)
            except OSError as error:
                raise CheckpointError("this checkpoint cannot be read", path=path, got=error.strerror) from error
            if digest != expected["sha256"]:
                raise CheckpointError(
                    "this checkpoint is damaged", path=path, got=f"SHA-256 {digest}", allowed=expected["sha256"]
                )

    def _manifest(self, number: int) -> dict[str, Any]:
        path = self.path(number)
        try:
            with path.open("rb") as file:
                stated, _, body = file.read(_MAX_MANIFEST).partition(b"\n")
        except OSError as error:
            raise CheckpointError("this checkpoint cannot be read", path=path, got=error.strerror) from error
        if hashlib.sha256(body).hexdigest().encode() != stated:
            raise CheckpointError("this checkpoint is damaged", path=path, got="a manifest that fails its own digest")
        try:
            manifest = json.loads(body)
            version = int(manifest["format"])
            if version > FORMAT:
                raise NewerFormatError(
                    "this checkpoint was written by a newer version of anmok",
                    path=path,
                    got=f"format {version}",
                    allowed=f"format {FORMAT}",
                    fix="update anmok: pip install -U anmok",
                )
            if manifest["number"] != number or not {"json", "safetensors"} <= manifest.keys():
                raise ValueError(f"manifest of checkpoint {manifest['number']}")
            return dict(manifest)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise CheckpointError("this is no checkpoint", path=path, got=error) from error
