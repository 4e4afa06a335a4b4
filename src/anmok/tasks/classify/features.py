"""What a frozen network makes of every picture: computed once, kept on disk, used again by the next run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from anmok.core.ahead import answers_ahead
from anmok.core.files import whole_file
from anmok.core.modes import evaluating
from anmok.core.preparation import centre_crop
from anmok.core.seeds import numpy_generator
from anmok.data.augment import Augment
from anmok.data.cache_folder import cache_folder
from anmok.data.loader import Source
from anmok.ship.engines import expect_openvino
from anmok.tasks.classify.frozen import Frozen, pays

AT_ONCE = 32  # pictures
PASSES = 1000  # augmented views are drawn in all …
MOST_VIEWS = 4  # … but at most so many of a picture
ENOUGH = 1500  # pictures that, with their corners, need no views that are merely mirrored or cut
CORNERED = 5000  # pictures of which corners are looked at: more vary by themselves


@dataclass(frozen=True)
class View:
    """One way to look at pictures: the centre, or an augmented view drawn from `seed`."""

    name: str
    augment: Augment | None = None
    seed: int = 0

    def of(self, pixels: np.ndarray, size: int, rows: np.ndarray, number: int) -> np.ndarray:
        """Stored pictures (n, store, store, C) → what the network sees (n, size, size, C), both uint8."""
        if self.augment is None:
            return centre_crop(pixels, size)
        generator = numpy_generator(self.seed, "view", self.name, number)
        return self.augment(pixels, size, generator, number, rows)[0]


CENTRE = View("centre")  # what evaluation sees


def views(recipe: Any, pictures: int, seed: int, corners: bool) -> list[tuple[View, np.ndarray]]:
    """Ways to look at `pictures` pictures, each with the positions (n,) of those looked at: the centre of all, and
    augmented views. Of few pictures those are several of each; of many, which vary by themselves, a sample; and where
    many pictures have `corners`, only what these do not show, parts of pictures being what they show."""
    # Blending pictures would blend their features' labels too, and the head wants one label a row.
    plain = recipe.augment.but(mixup=0.0)
    found, left = [(CENTRE, np.arange(pictures))], _most(pictures)
    if corners and plain.but(flip=False, crop=1.0) == Augment():
        left = min(left, max(0, ENOUGH - pictures))
    while left > 0:
        shown = numpy_generator(seed, "views", len(found)).permutation(pictures)[:left]
        found.append((View(f"augmented {len(found) - 1}", plain, seed), np.sort(shown)))
        left -= len(shown)
    return found


def expect(pictures: int, device: str, precision: str) -> None:
    """Features of so many pictures will be asked for: what may compute them starts beside whatever comes first."""
    if pays(pictures + _most(pictures), device):
        expect_openvino(precision)


def _most(pictures: int) -> int:
    """Augmented views of so many pictures, where their corners are not known."""
    return min(PASSES, MOST_VIEWS * pictures)


class Centres:
    """The vectors of every picture of a data set as evaluation sees it, whatever its split: a head learns from some of
    them and is judged by others.

    Args:
        frozen: the network whose vectors are wanted.
        source: stored pictures by row.
        rows: of all pictures, in any order.
        data: identity of the pictures.
    """

    def __init__(self, frozen: Frozen, source: Source, rows: np.ndarray, data: str) -> None:
        self.frozen, self._source, self._rows, self._data = frozen, source, np.unique(rows), data

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Vectors float16 (n, V, D) of the pictures in these rows (n,), see `features`."""
        return self._all[np.searchsorted(self._rows, rows)]

    def has(self, rows: np.ndarray) -> bool:
        """Whether all pictures in these rows are among them."""
        return bool(np.isin(rows, self._rows).all())

    @cached_property
    def _all(self) -> np.ndarray:
        return features(self.frozen, self._source, self._rows, CENTRE, self._data)


def features(frozen: Frozen, source: Source, rows: np.ndarray, view: View, data: str) -> np.ndarray:
    """The vectors before the last layer for each picture of `rows`: float16 (N, V, D), from the cache where they are
    known. V is 1, or 5 where corners are asked for and the network has them: of the whole picture, then of its corners.

    Args:
        frozen: the network whose vectors are wanted.
        source: stored pictures by row.
        rows: whose.
        view: how to look at them.
        data: identity of the pictures.
    """
    asked = [data, frozen.identity, frozen.way, frozen.corners]
    asked += [view.name, view.seed, view.augment and view.augment.to_json()]
    told = json.dumps(asked, sort_keys=True)
    key = hashlib.sha256(told.encode() + np.asarray(rows, np.int64).tobytes()).hexdigest()[:32]
    path = cache_folder() / "features" / f"{key}.npy"
    known = _read(path, len(rows))
    if known is None:
        known = _computed(frozen, source, rows, view)
        _keep(path, known)
    return known


def _computed(frozen: Frozen, source: Source, rows: np.ndarray, view: View) -> np.ndarray:
    chunks = [rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE)]
    size = frozen.model.preparation.size
    pictures = (view.of(source.gather(chunk), size, chunk, number) for number, chunk in enumerate(chunks))
    found, done = np.zeros((0, 1, 1), np.float16), 0
    with evaluating(frozen.model.network):
        for answer in answers_ahead(frozen, pictures, frozen.threads):
            if not done:
                found = np.empty((len(rows), *answer.shape[1:]), np.float16)
            found[done : done + len(answer)] = answer
            done += len(answer)
    return found


def _read(path: Path, pictures: int) -> np.ndarray | None:
    try:
        known = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    fits = known.dtype == np.float16 and known.ndim == 3 and len(known) == pictures
    return known if fits else None


def _keep(path: Path, found: np.ndarray) -> None:
    """Into the cache, whole or not at all; a full or read-only disk only costs the next run its time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            np.save(file, found, allow_pickle=False)
    except OSError:
        return
