"""What some pictures and masks of a data set look like, to choose by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anmok.core.errors import PictureError
from anmok.core.instances import numbered
from anmok.core.types import Dataset
from anmok.data.records import channels_of, frame_of

LOOKED_AT = 48  # pictures and masks opened before training


@dataclass(frozen=True)
class Seen:
    """What some pictures and masks of a data set look like.

    `sizes` int (n, 2): height and width. `channels`: the most. `widths` (m,): how wide objects are, each as a share of
    its picture's longer side (the root of its area). `shares` (classes,): of all judged pixels. `touching`: of all
    objects, the share that touches another one; None where the data does not tell objects apart.
    """

    sizes: np.ndarray
    channels: int
    widths: np.ndarray
    shares: np.ndarray
    touching: float | None


def look(dataset: Dataset, background: int | None) -> Seen:
    """Open some pictures with their masks, evenly spread over the data set; what cannot be read is passed over."""
    sizes, channels, widths, touches = [], 1, [np.zeros(0)], [np.zeros(0, bool)]
    told = True
    pixels = np.zeros(len(dataset.classes), np.int64)
    for entry in dataset.some(LOOKED_AT):
        try:
            frame = frame_of(dataset.pictures, entry.locator)
            colours = channels_of(dataset.pictures, entry.locator, frame)
            mask = dataset.masks.classes(entry.target, frame)  # type: ignore[union-attr]
            objects = dataset.masks.instances(entry.target, frame) if told else None  # type: ignore[union-attr]
        except PictureError:
            continue
        sizes.append(frame.size)
        channels = max(channels, colours)
        counts = np.bincount(mask.ravel(), minlength=256)[: len(pixels)]
        pixels += counts
        widths += [
            _widths(mask == number) / max(frame.size) for number in np.flatnonzero(counts) if number != background
        ]
        told = objects is not None
        touches += [] if objects is None else [_touches(objects)]
    touching = np.concatenate(touches)
    share = float(touching.mean()) if told and len(touching) else None
    return Seen(np.array(sizes).reshape(-1, 2), channels, np.concatenate(widths), pixels / max(1, pixels.sum()), share)


def _touches(objects: np.ndarray) -> np.ndarray:
    """Of each object in a map, whether a neighbouring pixel belongs to another: bool (objects,)."""
    pairs = [(objects[:-1], objects[1:]), (objects[:, :-1], objects[:, 1:])]
    met = [np.stack([a[m], b[m]]) for a, b in pairs if (m := (a != b) & (a > 0) & (b > 0)).any()]
    return np.isin(np.unique(objects[objects > 0]), np.concatenate(met, axis=1) if met else [])


def _widths(own: np.ndarray) -> np.ndarray:
    areas = np.bincount(numbered(own).ravel())[1:]
    return np.sqrt(areas[areas > 4])  # specks are noise of annotation
