"""Class maps from files of masks: one file a picture, by its values, colours or brightness; one a class; one an object.

These are `Dataset.masks` of pictures beside masks. They pickle and import no torch: decoding workers call them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from anmok.core.errors import PictureError
from anmok.core.stored import StoredPicture, read_stored
from anmok.core.targets import IGNORE, Frame
from anmok.data.stores import FilePictures

Colour = tuple[int, int, int]

_LISTED = 8  # unknown values named in an error
_NEAR = 48  # levels (of 255, summed over channels) within which a colour of a lossy file is one that is known
_HALF = 128  # from this brightness on a pixel of a black-and-white mask is inside


@dataclass(frozen=True)
class _Files:
    """Masks below `root`, found and checked as pictures are."""

    root: Path

    def stored(self, path: str) -> StoredPicture:
        """What a mask holds. Raises `PictureError`."""
        return read_stored(FilePictures(self.root).path(path))

    def _identity(self, paths: Sequence[str]) -> bytes:
        return b"|".join(FilePictures(self.root).identity(path) for path in paths)


@dataclass(frozen=True)
class ValueMasks(_Files):
    """One file a picture, whose stored values (or palette indices) are class numbers by some rule.

    Args:
        classes_of: (value, class) pairs; class 255 is to be ignored. A value in none of them is an error.
        instance_folders: (folder of these masks, folder of masks that number the objects), as VOC has them.
    """

    classes_of: tuple[tuple[int, int], ...]
    instance_folders: tuple[str, str] | None = None

    @cached_property
    def _table(self) -> np.ndarray:
        table = np.full(1 << 16, -1, np.int16)
        for value, number in self.classes_of:
            table[value] = number
        return table

    def classes(self, target: str, frame: Frame) -> np.ndarray:
        """See `anmok.core.targets.Masks`."""
        stored = self.stored(target)
        values = _one_channel(stored, target)
        drawn = self._table[values]
        if drawn.min(initial=0) < 0:
            unknown = {str(value): int(count) for value, count in zip(*np.unique(values[drawn < 0], return_counts=True),
                                                                     strict=True)}  # fmt: skip
            raise _unknown("values", unknown, [str(value) for value, _ in self.classes_of], target)
        return frame.upright_mask(drawn.astype(np.uint8), target)

    def instances(self, target: str, frame: Frame) -> np.ndarray | None:
        """See `anmok.core.targets.Masks`: 255 is the border between VOC's objects, and no object."""
        if self.instance_folders is None:
            return None
        path = target.replace(*self.instance_folders, 1)
        numbers = _one_channel(self.stored(path), path).astype(np.uint16)
        numbers[numbers == IGNORE] = 0
        return frame.upright_mask(numbers, path)

    def identity(self, target: str) -> bytes:
        """See `anmok.core.targets.Masks`."""
        return self._identity([target])


@dataclass(frozen=True)
class ColourMasks(_Files):
    """One file a picture, in which each class has a colour. Colours of lossy files may be a little off.

    Args:
        classes_of: (colour, class) pairs; class 255 is to be ignored. A colour in none of them is an error.
    """

    classes_of: tuple[tuple[Colour, int], ...]

    def classes(self, target: str, frame: Frame) -> np.ndarray:
        """See `anmok.core.targets.Masks`."""
        stored = self.stored(target)
        shown = stored.colours.astype(np.int32)
        codes = (shown[..., 0] << 16) | (shown[..., 1] << 8) | shown[..., 2]
        known, numbers = self._known
        place = np.searchsorted(known, codes).clip(max=len(known) - 1)
        found = known[place] == codes
        drawn = numbers[place]
        if not found.all():
            drawn[~found] = self._near(codes[~found], stored.lossy, target)
        return frame.upright_mask(drawn, target)

    @cached_property
    def _known(self) -> tuple[np.ndarray, np.ndarray]:
        """Colours as numbers 0xrrggbb, ascending, and the class of each."""
        told = sorted(((red << 16) | (green << 8) | blue, number) for (red, green, blue), number in self.classes_of)
        return np.array([code for code, _ in told], np.int32), np.array([number for _, number in told], np.uint8)

    def _near(self, codes: np.ndarray, lossy: bool, path: str) -> np.ndarray:
        """Classes of colours that are none exactly."""
        distinct, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
        known, numbers = self._known
        away = np.abs(_channels(distinct)[:, None] - _channels(known)[None]).sum(2)
        bad = away.min(1) > (_NEAR if lossy else 0)
        if bad.any():
            unknown = {f"#{code:06x}": int(count) for code, count in zip(distinct[bad], counts[bad], strict=True)}
            raise _unknown("colours", unknown, [f"#{code:06x}" for code in known], path)
        return numbers[away.argmin(1)][place]

    def instances(self, target: str, frame: Frame) -> None:
        """Colours of classes tell no objects apart."""
        return

    def identity(self, target: str) -> bytes:
        """See `anmok.core.targets.Masks`."""
        return self._identity([target])


@dataclass(frozen=True)
class BinaryMasks(_Files):
    """One file a picture: class 1 where it is bright, else class 0. `bright` 1: values are 0 and 1."""

    bright: int = 255

    def classes(self, target: str, frame: Frame) -> np.ndarray:
        """See `anmok.core.targets.Masks`."""
        return frame.upright_mask(_inside(self.stored(target), self.bright).astype(np.uint8), target)

    def instances(self, target: str, frame: Frame) -> None:
        """Black and white tell no objects apart."""
        return

    def identity(self, target: str) -> bytes:
        """See `anmok.core.targets.Masks`."""
        return self._identity([target])


@dataclass(frozen=True)
class ClassFileMasks(_Files):
    """One black-and-white file a class; a target's place k holds the path of class k + 1, or None where it is absent.

    Where classes overlap, the smaller one is on top.
    """

    bright: int = 255

    def classes(self, target: Sequence[str | None], frame: Frame) -> np.ndarray:
        """See `anmok.core.targets.Masks`."""
        drawn = np.zeros(frame.size, np.uint8)
        for number, inside in _larger_first(self, target, frame):
            drawn[inside] = number
        return drawn

    def instances(self, target: Sequence[str | None], frame: Frame) -> None:
        """Files of classes tell no objects apart."""
        return

    def identity(self, target: Sequence[str | None]) -> bytes:
        """See `anmok.core.targets.Masks`."""
        return self._identity([path for path in target if path is not None])


@dataclass(frozen=True)
class ObjectFileMasks(_Files):
    """One black-and-white file an object, all of class 1; a target lists their paths."""

    bright: int = 255

    def classes(self, target: Sequence[str], frame: Frame) -> np.ndarray:
        """See `anmok.core.targets.Masks`."""
        return (self.instances(target, frame) > 0).astype(np.uint8)

    def instances(self, target: Sequence[str], frame: Frame) -> np.ndarray:
        """See `anmok.core.targets.Masks`; the object of file k is k + 1."""
        drawn = np.zeros(frame.size, np.uint16)
        for number, inside in _larger_first(self, target, frame):
            drawn[inside] = number
        return drawn

    def identity(self, target: Sequence[str]) -> bytes:
        """See `anmok.core.targets.Masks`."""
        return self._identity(target)


def _channels(codes: np.ndarray) -> np.ndarray:
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1)


def _larger_first(
    files: ClassFileMasks | ObjectFileMasks, target: Sequence[str | None], frame: Frame
) -> list[tuple[int, np.ndarray]]:
    """(place + 1, bool (H, W)) of each file, the largest first."""
    read = [
        (place, frame.upright_mask(_inside(files.stored(path), files.bright), path))
        for place, path in enumerate(target, 1)
        if path is not None
    ]
    return sorted(read, key=lambda item: -int(item[1].sum()))


def _inside(stored: StoredPicture, bright: int) -> np.ndarray:
    """bool (H, W): where a black-and-white mask is bright."""
    values = stored.colours.max(2) if stored.palette is not None and bright > 1 else stored.values
    values = values.max(2) if values.ndim == 3 else values
    return values >= (_HALF if bright > 1 else 1)


def _one_channel(stored: StoredPicture, path: str) -> np.ndarray:
    """Values (H, W); colours that are all greys are values."""
    values = stored.values
    if values.ndim == 3:
        if not (values[..., :1] == values[..., 1:]).all():
            raise PictureError("the mask has colours where the others have values", path=path,
                               fix="save it as the others are")  # fmt: skip
        values = values[..., 0]
    return values


def _unknown(what: str, found: dict[str, int], known: Sequence[str], path: str) -> PictureError:
    listed = ", ".join(f"{value} ({count:,} pixels)" for value, count in list(found.items())[:_LISTED])
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return PictureError(
        f"the mask holds {what} that no class has", path=path, got=listed + more,
        allowed=", ".join(known[:40]) + (" …" if len(known) > 40 else ""),
        fix="declare them (a classes.csv of name and number or colour beside the masks), or correct the mask",
    )  # fmt: skip
