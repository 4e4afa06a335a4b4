"""Scenes: garments on textured grounds, with exact boxes, instance masks and class maps.

Two to eight garments a scene, coloured, turned, mirrored, of different sizes, some half hidden behind others. All that
is known of a scene follows from which pixels show which garment, so nothing about it is approximate. Test scenes are
made of the bundled test garments, which no training scene shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from anmok.core.regions import RunLengths
from anmok.core.seeds import numpy_generator
from anmok.core.targets import ObjectMasks, Objects
from anmok.core.types import Dataset, Entry, RowAccount
from anmok.data.samples import FASHION_MNIST
from anmok.data.samples.garments import SIDE, Garments, garments
from anmok.data.samples.grounds import ground, rgb
from anmok.data.stores import ArrayPictures

SEED = 20170825
FEWEST, MOST = 2, 8  # garments a scene
SCALE = (0.22, 0.5)  # a garment's side as a part of the scene's
TURN = 25.0  # degrees, either way
STAYS_VISIBLE = 0.45  # share of a garment's pixels that those before it must leave
_TRIES = 6  # places tried for a garment before it is left out


@dataclass(frozen=True, eq=False)
class Scene:
    """`pixels` uint8 (side, side, 3); `shown` uint8 (side, side): which garment each pixel shows, from 1, 0 = ground;
    `labels` int64 (M,), garment k + 1's class.
    """

    pixels: np.ndarray
    shown: np.ndarray
    labels: np.ndarray

    def objects(self) -> Objects:
        """Boxes around what is visible, and the visible pixels as run lengths."""
        regions = tuple(RunLengths.of(self.shown == k + 1) for k in range(len(self.labels)))
        boxes = [
            (columns.start, rows.start, columns.stop, rows.stop)
            for rows, columns in ndimage.find_objects(self.shown, len(self.labels))
        ]
        areas = np.array([region.counts[1::2].sum() for region in regions])
        return Objects(np.reshape(boxes, (-1, 4)), self.labels, regions, areas=areas)


@lru_cache(maxsize=2)
def scenes(train: int = 600, test: int = 200, side: int = 128, seed: int = SEED) -> Dataset:
    """A data set of scenes with `Objects` as targets, for detection.

    Args:
        train, test: how many.
        side: in pixels, at least 32.
        seed: another one makes other scenes.
    """
    entries, pictures = [], np.empty((train + test, side, side, 3), np.uint8)
    for split, count, first in (("train", train, 0), ("test", test, train)):
        for number, scene in enumerate(compose(split, count, side, seed)):
            pictures[first + number] = scene.pixels
            entries.append(Entry(f"{split}/{number:04}.png", first + number, scene.objects(), split))
    digest = f"scenes 1 {train} {test} {side} {seed}"
    return Dataset(
        root=Path("scenes"),
        format="scenes",
        task="detect",
        classes=FASHION_MNIST,
        entries=entries,
        pictures=ArrayPictures(pictures, digest),
        seen=len(entries),
        unit="pictures",
        rows=RowAccount(seen=sum(len(entry.target) for entry in entries)),
        why=f"bundled scenes of garments, {side} × {side}, built from seed {seed}",
    )


def as_segmentation(dataset: Dataset) -> Dataset:
    """Scenes with their class maps as what is to be found: class 0 is the ground."""
    return replace(dataset, task="segment", classes=("background", *dataset.classes), masks=ObjectMasks(first=1))


def compose(split: str, count: int, side: int, seed: int) -> list[Scene]:
    """`count` scenes of one split; scene k is the same however many there are."""
    return [_compose(garments(split), side, seed, numpy_generator(seed, "scene", split, k)) for k in range(count)]


def _compose(from_all: Garments, side: int, seed: int, generator: np.random.Generator) -> Scene:
    picture = ground(side, seed, generator)
    shown, labels = np.zeros((side, side), np.uint8), list[int]()
    whole, visible = np.zeros(MOST + 1, int), np.zeros(MOST + 1, int)  # pixels, by what `shown` says
    for _ in range(generator.integers(FEWEST, MOST + 1)):
        which = int(generator.integers(len(from_all)))
        grey, cover = _turned(from_all.grey[which], from_all.cover[which], side * generator.uniform(*SCALE), generator)
        solid, number = cover >= 0.5, len(labels) + 1
        tint = rgb(generator.random(), generator.uniform(0.1, 0.85), generator.uniform(0.55, 1.0))
        for _ in range(_TRIES):
            top, left = generator.integers(0, side - np.array(cover.shape) + 1)
            here = np.s_[top : top + cover.shape[0], left : left + cover.shape[1]]
            left_over = visible - np.bincount(shown[here][solid], minlength=MOST + 1)
            if (left_over >= STAYS_VISIBLE * whole)[1:].all():
                _paste(picture, here, grey, cover, tint)
                shown[here][solid] = number
                visible, whole[number] = left_over, solid.sum()
                visible[number] = whole[number]
                labels.append(int(from_all.labels[which]))
                break
    return Scene(
        np.ascontiguousarray(np.rint(picture).astype(np.uint8).transpose(1, 2, 0)), shown, np.array(labels, np.int64)
    )


def _turned(
    grey: np.ndarray, cover: np.ndarray, length: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A garment turned, mirrored and resized: grey and cover, float32 (h, w) in [0, 1], without empty borders."""
    angle, mirror = np.radians(generator.uniform(-TURN, TURN)), -1.0 if generator.random() < 0.5 else 1.0
    cos, sin = np.cos(angle), np.sin(angle)
    canvas = int(np.ceil(length * (abs(cos) + abs(sin))))
    turn = SIDE / length * np.array([[cos * mirror, -sin * mirror], [sin, cos]])
    look = np.concatenate([turn, SIDE / 2 - turn.sum(1, keepdims=True) * canvas / 2], 1)  # canvas → garment
    how = ((canvas, canvas), Image.Transform.AFFINE, look.ravel().tolist(), Image.Resampling.BILINEAR)
    grey, cover = (np.asarray(Image.fromarray(part).transform(*how), np.float32) / 255 for part in (grey, cover))
    rows, columns = (np.flatnonzero((cover >= 0.5).any(axis)) for axis in (1, 0))
    tight = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return grey[tight], cover[tight]


def _paste(
    picture: np.ndarray, here: tuple[slice, slice], grey: np.ndarray, cover: np.ndarray, tint: np.ndarray
) -> None:
    """Draw a garment on a picture (3, side, side) in its colour, with a soft shadow to its lower right."""
    rows, columns = here
    shift = max(1, len(cover) // 16)
    below = picture[:, rows.start + shift : rows.stop + shift, columns.start + shift : columns.stop + shift]
    shadow = ndimage.uniform_filter(cover, 2 * shift + 1, mode="constant")
    below *= 1 - np.float32(0.45) * shadow[: below.shape[1], : below.shape[2]]
    light = np.float32(0.3) + grey * np.float32(0.75 / max(float(grey.max()), 0.3))
    part = picture[:, rows, columns]
    part += (np.minimum(tint[:, None, None] * light, 255) - part) * np.clip(2 * cover - np.float32(0.5), 0, 1)
