"""What is to be found in a picture: objects with boxes, class maps, or a partner picture.

`Entry.target` holds, by task,

- classify: an int, the class;
- multilabel: `Labels`;
- detect: `Objects`;
- segment: whatever `Dataset.masks` reads a class map from: a mask file's path below the root, the paths of one file a
  class, or `Objects` whose regions are drawn (`ObjectMasks`);
- reconstruct and generate: None, or a class, which is not used;
- translate: unpaired, an int: the domain, 0 or 1; paired, a `Partner`.

**The frame.** Boxes, polygons and masks live in the *upright* frame: that of the picture as anmok decodes it, turned
as EXIF says. Where an annotation was made on the stored pixels instead (the size it states, or the mask's own size, is
the stored and not the upright one), the reader turns it: `Objects.turned`, `Frame.upright_mask`. Where both sizes are
the same, the upright frame is taken: it is what people and most tools see.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

import numpy as np

from anmok.core.errors import DataError, PictureError
from anmok.core.orientation import UPRIGHT, turn_array, turn_boxes, upright_size
from anmok.core.regions import Region

IGNORE = 255  # in class maps: not judged, not learned from
MOST_CLASSES = 255  # class ids 0 to 254, background included


@dataclass(frozen=True, slots=True)
class Labels:
    """The classes that a picture shows, any number of them: positions in `Dataset.classes`, kept in order.

    >>> Labels((3, 1, 1))
    Labels(numbers=(1, 3))
    """

    numbers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", tuple(sorted({int(number) for number in self.numbers})))

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """The objects in one picture, M of them, M may be 0. Arrays are copied into the types named here.

    Args:
        boxes: float32 (M, 4), xyxy, absolute pixels of the upright picture, half-open: a box [0, 0, 2, 1] covers
            two pixels.
        labels: int64 (M,), positions in `Dataset.classes`.
        regions: M instance masks (None for an object without), decoded when drawn; None: the data has none.
        crowd: bool (M,): a group annotated as one (COCO's `iscrowd`); None: none is.
        difficult: bool (M,): not judged (VOC's `difficult`); None: none is.
        areas: float32 (M,): pixels inside, as COCO's files state it and its evaluation uses it; None: not stated.

    Raises:
        DataError: shapes do not fit each other.
    """

    boxes: np.ndarray
    labels: np.ndarray
    regions: tuple[Region | None, ...] | None = None
    crowd: np.ndarray | None = None
    difficult: np.ndarray | None = None
    areas: np.ndarray | None = None

    def __post_init__(self) -> None:
        kinds = {"boxes": np.float32, "labels": np.int64, "crowd": bool, "difficult": bool, "areas": np.float32}
        for name, kind in kinds.items():
            if (value := getattr(self, name)) is not None:
                shape = (-1, 4) if name == "boxes" else (-1,)
                object.__setattr__(self, name, np.array(value, kind).reshape(shape))
        lengths = {part.name: len(value) for part in fields(self) if (value := getattr(self, part.name)) is not None}
        if len(set(lengths.values())) > 1:
            raise DataError("objects need one of everything each", got=str(lengths), allowed="equal lengths")

    @classmethod
    def none(cls) -> Objects:
        """A picture in which nothing is to be found."""
        return cls(np.zeros((0, 4)), np.zeros(0))

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, keep: np.ndarray) -> Objects:
        """Those that `keep` names: bool (M,), or positions."""
        places = np.arange(len(self))[keep]
        parts: dict[str, Any] = {}
        for part in fields(self):
            value = getattr(self, part.name)
            if isinstance(value, tuple):
                parts[part.name] = tuple(value[place] for place in places)
            elif value is not None:
                parts[part.name] = value[places]
        return Objects(**parts)

    def turned(self, orientation: int, size: tuple[int, int]) -> Objects:
        """Objects annotated on a stored frame of `size` (height, width), in the upright frame."""
        if orientation == UPRIGHT:
            return self
        regions = self.regions and tuple(region and region.turned(orientation, size) for region in self.regions)
        return replace(self, boxes=turn_boxes(self.boxes, orientation, size), regions=regions)

    def told(self) -> bytes:
        """What a fingerprint is made of: equal where the objects are."""
        digest = hashlib.blake2b(digest_size=16)
        for part in fields(self):
            value = getattr(self, part.name)
            if isinstance(value, np.ndarray):
                value = value.tobytes()
            elif value is not None:
                value = b"\0".join(b"-" if region is None else region.told() for region in value)
            digest.update(f"{part.name}:{-1 if value is None else len(value)}:".encode() + (value or b""))
        return digest.digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Objects) and self.told() == other.told()

    def __repr__(self) -> str:
        return f"Objects({len(self)}, {self.told().hex()})"


@dataclass(frozen=True, slots=True)
class Partner:
    """The picture that answers this one (clean for noisy, map for photograph): its locator in `Dataset.pictures`."""

    locator: str | int


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture's upright size (height, width) in pixels and the EXIF orientation its pixels are stored in.

    `channels`: 1 or 3 as decoding will give; None where only the pixels tell.
    """

    size: tuple[int, int]
    orientation: int = UPRIGHT
    channels: int | None = field(default=None, compare=False)

    @property
    def stored(self) -> tuple[int, int]:
        """Size (height, width) of the stored pixels."""
        return upright_size(self.size, self.orientation)

    def upright_mask(self, mask: np.ndarray, path: str | None = None) -> np.ndarray:
        """A mask (H, W) for this picture, in the upright frame: itself, or turned if it has the stored size only.

        Raises:
            PictureError: it has neither size; `path` names the mask's file.
        """
        if mask.shape[:2] == self.size:
            return mask
        if mask.shape[:2] == self.stored:
            return turn_array(mask, self.orientation)
        (height, width), (own_height, own_width) = self.size, mask.shape[:2]
        raise PictureError(
            "the mask has another size than its picture",
            path=path,
            got=f"{own_width} × {own_height}",
            allowed=f"{width} × {height}",
            fix="make the mask again from this picture, or remove both",
        )


class Masks(Protocol):
    """Where class maps come from: `Dataset.masks`. Implementations pickle (decoding workers call them), never import
    torch, and, as files may be hostile, raise `PictureError` for whatever is wrong with one.
    """

    def classes(self, target: Any, frame: Frame) -> np.ndarray:
        """uint8 (height, width) of `frame.size`: class ids as `Dataset.classes` counts them, 255 = ignore."""

    def instances(self, target: Any, frame: Frame) -> np.ndarray | None:
        """uint16 of the same shape: 0 = no object, else which one; None where the data does not tell objects apart."""

    def identity(self, target: Any) -> bytes:
        """Changes whenever the stored bytes may have changed, as `Pictures.identity`."""


@dataclass(frozen=True)
class ObjectMasks:
    """Class maps drawn from `Objects`: larger regions first, so that small ones stay visible; crowds are ignored.

    Args:
        first: class id of label 0; 1 leaves 0 to the background.
    """

    first: int = 1

    def classes(self, target: Objects, frame: Frame) -> np.ndarray:
        """See `Masks`. An object without a region fills its box."""
        drawn = np.zeros(frame.size, np.uint8)
        for place, region in _drawn(target, frame):
            crowd = target.crowd is not None and target.crowd[place]
            drawn[region] = IGNORE if crowd else self.first + int(target.labels[place])
        return drawn

    def instances(self, target: Objects, frame: Frame) -> np.ndarray:
        """See `Masks`; object k is k + 1."""
        drawn = np.zeros(frame.size, np.uint16)
        for place, region in _drawn(target, frame):
            if target.crowd is None or not target.crowd[place]:
                drawn[region] = place + 1
        return drawn

    def identity(self, target: Objects) -> bytes:
        """See `Masks`."""
        return target.told()


def _drawn(target: Objects, frame: Frame) -> list[tuple[int, np.ndarray]]:
    """(position, bool (height, width)) of each object, the largest first."""
    drawn = []
    for place, box in enumerate(target.boxes):
        region = target.regions[place] if target.regions is not None else None
        if region is None:
            pixels = np.zeros(frame.size, bool)
            left, top, right, bottom = np.maximum(np.ceil(box - 0.5), 0).astype(np.int64)
            pixels[top:bottom, left:right] = True
        else:
            pixels = region.draw(frame.size)
        drawn.append((place, pixels))
    return sorted(drawn, key=lambda item: -int(item[1].sum()))
