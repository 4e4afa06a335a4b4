"""Pictures cached with what moves with them: one record a picture holds its pixels, its original size and its masks.

A record is one row of bytes, so that everything that decodes, caches, maps and streams plain pictures does the same for
these: a `Layout` stands where a `Preparation` would, and `Labelled` where a picture's locator would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from anmok.core.errors import PictureError, UsageError
from anmok.core.pictures import Decoded
from anmok.core.preparation import Preparation, fit_mask, fit_picture
from anmok.core.targets import IGNORE, Frame, Masks
from anmok.core.types import Dataset, Entry, Pictures

PLANES: dict[str, np.dtype[Any]] = {"classes": np.dtype(np.uint8), "instances": np.dtype(np.uint16)}
FILLS = {"classes": IGNORE, "instances": 0}
_SIZE = np.dtype(np.int32)
_HEAD = 2 * _SIZE.itemsize
_GLANCE = 16  # pixels a side that tell whether a picture is grey


class Stored(NamedTuple):
    """Records taken apart: n pictures with what belongs to them.

    `pixels` uint8 (n, side, side, C); `sizes` int32 (n, 2), each original's height and width in pixels; `classes`
    uint8 and `instances` uint16 (n, side, side), or None where they were not asked for.
    """

    pixels: np.ndarray
    sizes: np.ndarray
    classes: np.ndarray | None = None
    instances: np.ndarray | None = None


class Labelled(NamedTuple):
    """The locator of a picture together with its target, as a decoding worker needs both."""

    locator: str | int
    target: Any

    def __str__(self) -> str:
        return str(self.locator)


@dataclass(frozen=True)
class Layout:
    """What a record holds, and where.

    Args:
        preparation: of the pictures, and so of their masks.
        planes: which masks: "classes", "instances", both or none.
    """

    preparation: Preparation
    planes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if unknown := set(self.planes) - set(PLANES):
            raise UsageError("there is no such mask", got=", ".join(sorted(unknown)), allowed=", ".join(PLANES))

    @property
    def at_least(self) -> int | None:
        """As `Preparation.at_least`."""
        return self.preparation.at_least

    @property
    def whole(self) -> bool:
        """Whether records hold whole pictures, each of its own size, that windows are cut from."""
        return self.preparation.fit == "window"

    @property
    def pixel_settings(self) -> dict[str, Any]:
        """What a cache of records must be keyed by."""
        return {**self.preparation.pixel_settings, "planes": list(self.planes), "records": 1}

    @property
    def shape(self) -> tuple[int]:
        """Shape of one record: (bytes,). Records of fit "window" have a length each, see `length`."""
        side = self.preparation.store
        return (self.length((side, side)),)

    def length(self, size: tuple[int, int]) -> int:
        """Bytes of a record whose pixels have this stored size (height, width)."""
        return _HEAD + size[0] * size[1] * self._pixel_bytes

    @cached_property
    def _pixel_bytes(self) -> int:
        return self.preparation.channels + sum(PLANES[name].itemsize for name in self.planes)

    def pack(self, found: Decoded, masks: Masks | None, target: Any) -> np.ndarray:
        """One record, uint8 (bytes,), of a picture that was decoded; its masks are read now. Raises `PictureError`."""
        pixels = fit_picture(found.pixels, self.preparation, found.original_size)
        parts = [np.array(found.original_size, _SIZE), pixels]
        for name in self.planes:
            mask = _read(masks, name, target, found.frame)
            parts.append(fit_mask(mask.astype(PLANES[name], copy=False), self.preparation, FILLS[name]))
        return np.concatenate([np.ascontiguousarray(part).reshape(-1).view(np.uint8) for part in parts])

    def unpack(self, records: np.ndarray) -> Stored:
        """Records uint8 (n, bytes), all of the shape above, taken apart without a copy where that is possible."""
        side, parts = self.preparation.store, {}
        for name in ("pixels", *self.planes):
            start, kind, shape = self.place(name, (side, side))
            part = records[:, start : start + math.prod(shape) * kind.itemsize]
            parts[name] = part.view(kind).reshape(len(records), *shape)
        return Stored(sizes=np.ascontiguousarray(records[:, :_HEAD]).view(_SIZE), **parts)

    def place(self, name: str, size: tuple[int, int]) -> tuple[int, np.dtype[Any], tuple[int, ...]]:
        """Where "pixels" or a mask begin in a record of stored size (height, width), their type and their shape."""
        pixels = (*size, self.preparation.channels)
        if name == "pixels":
            return _HEAD, np.dtype(np.uint8), pixels
        before = self.planes[: self.planes.index(name)]
        area = size[0] * size[1]
        start = _HEAD + area * (self.preparation.channels + sum(PLANES[plane].itemsize for plane in before))
        return start, PLANES[name], size


def _read(masks: Masks | None, name: str, target: Any, frame: Frame) -> np.ndarray:
    """One mask (height, width) of the picture in `frame`."""
    if masks is None:
        raise UsageError("this data has no masks", allowed="pictures with masks, polygons or boxes")
    found = masks.classes(target, frame) if name == "classes" else masks.instances(target, frame)
    if found is None:
        raise PictureError("its masks do not tell objects apart", fix="draw each object in a number of its own")
    return frame.upright_mask(found)


def decode_from(pictures: Pictures, locator: str | int, at_least: int | None) -> Decoded:
    """One picture of a store, at reduced size where the store knows how. Raises `PictureError`."""
    decode = getattr(pictures, "decode", None)
    if decode is not None:
        found = decode(locator, at_least)
    else:
        pixels = pictures.read(locator)
        found = Decoded(pixels, (), (pixels.shape[0], pixels.shape[1]), pixels.shape[2])
    if found.pixels.dtype != np.uint8 or found.pixels.ndim != 3 or found.channels not in (1, 3):
        got = f"{found.pixels.dtype} {found.pixels.shape}"
        raise PictureError("these are no pixels", path=str(locator), got=got, allowed="uint8 (H, W, 1 or 3)")
    return found


def frame_of(pictures: Pictures, locator: str | int) -> Frame:
    """Size and orientation of a stored picture, from its header where the store reads that. Raises `PictureError`."""
    header = getattr(pictures, "frame", None)
    return decode_from(pictures, locator, None).frame if header is None else header(locator)


def shape_of(pictures: Pictures, locator: str | int) -> tuple[int, int, int]:
    """Height, width and channels of a stored picture, decoded only where its header does not tell: of 64 photographs of
    12 megapixels in 20 ms, where decoding them in full took 6.3 s. Raises `PictureError`."""
    frame = frame_of(pictures, locator)
    return (*frame.size, channels_of(pictures, locator, frame))


def channels_of(pictures: Pictures, locator: str | int, frame: Frame) -> int:
    """Channels of a stored picture with this frame; see `shape_of`."""
    return frame.channels or decode_from(pictures, locator, _GLANCE).channels


@dataclass(frozen=True)
class LabelledPictures:
    """A store of records; its locators are `Labelled`."""

    pictures: Pictures
    masks: Masks | None

    @property
    def root(self) -> Any:
        """Where the pictures lie, which keys a cache."""
        return getattr(self.pictures, "root", "")

    @property
    def in_memory(self) -> bool:
        """Whether reading needs no decoding workers."""
        return bool(getattr(self.pictures, "in_memory", False))

    def decode(self, locator: Labelled, at_least: int | None = None) -> Decoded:
        """The picture alone. Raises `PictureError`."""
        return decode_from(self.pictures, locator.locator, at_least)

    def read(self, locator: Labelled) -> np.ndarray:
        """The picture's pixels alone. Raises `PictureError`."""
        return self.pictures.read(locator.locator)

    def fitted(self, locator: Labelled, found: Decoded, layout: Layout) -> np.ndarray:
        """The record of a picture that was decoded. Raises `PictureError`."""
        return layout.pack(found, self.masks, locator.target)

    def frame(self, locator: Labelled) -> Frame:
        """The picture's size and orientation, from its header where that is possible. Raises `PictureError`."""
        frame = getattr(self.pictures, "frame", None)
        return self.decode(locator).frame if frame is None else frame(locator.locator)

    def identity(self, locator: Labelled) -> bytes:
        """The picture's and, where masks are read, its target's. Raises `PictureError`."""
        own = self.pictures.identity(locator.locator)
        return own if self.masks is None else own + b"+" + self.masks.identity(locator.target)


def labelled(dataset: Dataset, planes: Sequence[str]) -> Dataset:
    """The data set as `anmok.data.cache.build` takes it to build records with these planes."""
    entries = [
        Entry(entry.id, Labelled(entry.locator, entry.target if planes else None), origin=entry.origin)  # type: ignore[arg-type]
        for entry in dataset.entries
    ]
    pictures = LabelledPictures(dataset.pictures, dataset.masks if planes else None)
    return replace(dataset, entries=entries, pictures=pictures)  # type: ignore[arg-type]
