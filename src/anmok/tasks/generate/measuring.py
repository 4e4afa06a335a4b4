"""Drawn pictures compared with one split's real ones: figures with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from anmok.core.errors import DataError
from anmok.data.prepare_pictures import PreparedPictures
from anmok.metrics.proportion import Interval
from anmok.tasks.generate.drawing import draw_many
from anmok.tasks.generate.health import compared_with_held_out, judged_by, known_of, look
from anmok.tasks.generate.learning import Generate

FEWEST, MOST = 64, 2000  # pictures drawn to be compared


@dataclass(frozen=True)
class Measured:
    """What was found on one split.

    Args:
        split: whose real pictures.
        ids: of these.
        recalled: which of them could have been drawn, bool (N,).
        drawn: the pictures of seeds 0, 1 …, uint8 (M, S, S, C).
        labels: their classes, or None.
        near: training pictures' rows in the decoded source, nearest to each drawn picture; None: unknown.
        ratio: how suspiciously near these are, see `anmok.metrics.copies`.
        title: the features they were compared in.
        held_out: share of real pictures that lie on top of a training picture, where they are no training pictures.
    """

    split: str
    ids: Sequence[str]
    figures: Mapping[str, Interval]
    recalled: np.ndarray
    drawn: np.ndarray
    labels: np.ndarray | None
    near: np.ndarray | None
    ratio: np.ndarray | None
    title: str
    held_out: Interval | None = None


@dataclass(frozen=True)
class Drawn:
    """The pictures of seeds 0, 1 …: uint8 (M, S, S, C); their classes (M,), or None; their features (M, D)."""

    pictures: np.ndarray
    labels: np.ndarray | None
    features: np.ndarray

    def first(self, count: int) -> Drawn:
        """The first so many."""
        labels = None if self.labels is None else self.labels[:count]
        return Drawn(self.pictures[:count], labels, self.features[:count])


def draw_for(model: Generate, real: int) -> Drawn:
    """About as many pictures as there are real ones to compare with."""
    pictures, labels = draw_many(model, int(np.clip(real, FEWEST, MOST)))
    return Drawn(pictures, labels, model.yardstick(pictures, model.devices))


def measure_all(model: Generate, decoded: PreparedPictures, splits: Sequence[str]) -> dict[str, Measured]:
    """`measure` of several splits, for which pictures are drawn once."""
    if not splits:
        return {}
    drawn = draw_for(model, max(decoded.dataset.splits[split] for split in splits))
    return {split: measure(model, decoded, split, drawn) for split in splits}


def measure(model: Generate, decoded: PreparedPictures, split: str | None, drawn: Drawn | None = None) -> Measured:
    """Draw about as many pictures as the split (None: all) holds, always of the same seeds, and compare.

    `drawn`: these and more, where they were drawn already.

    Raises:
        DataError: there are fewer than two real pictures.
    """
    judged = judged_by(model, decoded, split)
    if len(judged.ids) < 2:
        raise DataError("there are too few pictures to judge by", path=decoded.dataset.root,
                        got=f"{len(judged.ids)} in {split or 'all'}", allowed="2 or more")  # fmt: skip
    known = known_of(model, decoded) if model.known is None else replace(model.known, held_out=None)
    if known is not None and split not in (None, "train"):
        known = compared_with_held_out(known, judged)
    own = int(np.clip(len(judged.ids), FEWEST, MOST))
    drawn = draw_for(model, own) if drawn is None else drawn.first(own)
    found = look(drawn.features, judged, known)
    near = ratio = None
    if found.copied is not None and known is not None:
        near, ratio = known.rows[found.copied.rows], found.copied.ratio
    held_out = None if known is None else known.held_out
    return Measured(split or "all", judged.ids, found.figures, found.recalled, drawn.pictures, drawn.labels, near,
                    ratio, model.yardstick.eye.title, held_out)  # fmt: skip
