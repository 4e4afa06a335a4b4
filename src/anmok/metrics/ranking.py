"""All answers of a detector in one ranked list: curves, thresholds, and average precision with its interval.

The matching is COCO's; without weights the figures are those of `coco`, which judges by faster-coco-eval. Here they
can also be computed again for resampled pictures, thousands of times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.errors import UsageError
from anmok.core.seeds import numpy_generator
from anmok.core.targets import Objects
from anmok.metrics._detections import MOST, UNMATCHED, Answer, Bools, check_pictures, ignored, match_coco, overlaps
from anmok.metrics._figure import Floats, Ints
from anmok.metrics.average_precision import HUNDREDTHS, raised
from anmok.metrics.bootstrap import interval_from_draws, widened
from anmok.metrics.coco import THRESHOLDS
from anmok.metrics.proportion import Interval

NAMES = ("map", "map50")
BLOCKS = 50  # parts left out in turn to correct the interval for skewness


@dataclass(frozen=True)
class Ranking:
    """D answers of N pictures, best first, judged at T least overlaps.

    Args:
        pictures: which picture each belongs to (D,).
        labels: class ids (D,).
        scores: (D,), falling.
        hits: right at each least overlap (T, D).
        judged: not on an unjudged object (T, D).
        objects: judged objects of each picture and class (N, C).
        thresholds: the least overlaps (T,).
    """

    pictures: Ints
    labels: Ints
    scores: Floats
    hits: Bools
    judged: Bools
    objects: Ints
    thresholds: Floats

    def at(self, threshold: float) -> tuple[Bools, Bools]:
        """Hits and judged (D,) at one of the least overlaps."""
        place = int(np.argmin(np.abs(self.thresholds - threshold)))
        return self.hits[place], self.judged[place]


def rank(
    truths: Sequence[Objects], answers: Sequence[Answer], classes: int, thresholds: ArrayLike = THRESHOLDS
) -> Ranking:
    """Match every picture's answers with its objects, class by class, and sort them all by score.

    Raises:
        UsageError: answers do not fit the pictures or the class list.
    """
    check_pictures(truths, answers, classes)
    least = np.asarray(thresholds, np.float64)
    objects = np.zeros((len(truths), classes), np.int64)
    parts: list[tuple[Ints, Ints, Floats, Bools, Bools]] = []
    for number, (truth, answer) in enumerate(zip(truths, answers, strict=True)):
        unjudged = ignored(truth)
        objects[number] = np.bincount(truth.labels[~unjudged], minlength=classes)
        for label in np.unique(answer.labels):
            own = answer.labels == label
            order = np.argsort(-answer.scores[own], kind="stable")[:MOST]
            hits, judged = _judge(answer.boxes[own][order], truth, truth.labels == label, unjudged, least)
            count = len(order)
            parts.append((np.full(count, number), np.full(count, label), answer.scores[own][order], hits, judged))
    none = np.zeros((len(least), 0), bool)
    pictures, labels, scores, hits, judged = (
        np.concatenate([*(part[i] for part in parts), empty], axis=-1)
        for i, empty in enumerate((np.zeros(0, int), np.zeros(0, int), np.zeros(0), none, none))
    )
    order = np.argsort(-scores, kind="stable")
    return Ranking(pictures[order], labels[order], scores[order], hits[:, order], judged[:, order], objects, least)


def _judge(boxes: Floats, truth: Objects, own: Bools, unjudged: Bools, thresholds: Floats) -> tuple[Bools, Bools]:
    if not own.any():
        missed = np.zeros((len(thresholds), len(boxes)), bool)
        return missed, ~missed
    ours = unjudged[own]
    found = match_coco(overlaps(boxes, truth.boxes[own], ours), ours, thresholds)
    passed_over = (found != UNMATCHED) & ours[found]
    return (found != UNMATCHED) & ~passed_over, ~passed_over


@dataclass(frozen=True)
class Curve:
    """Precision and recall of one class as the score falls (K,), at a least overlap of 0.5."""

    scores: Floats
    precision: Floats
    recall: Floats
    objects: int


def precision_recall_curve(ranking: Ranking, label: int | None = None, overlap: float = 0.5) -> Curve:
    """The curve of one class, or of all together."""
    hits, judged = ranking.at(overlap)
    own = judged if label is None else judged & (ranking.labels == label)
    objects = int((ranking.objects if label is None else ranking.objects[:, label]).sum())
    right = np.cumsum(hits[own])
    return Curve(ranking.scores[own], right / np.arange(1, own.sum() + 1), right / max(1, objects), objects)


def best_threshold(ranking: Ranking, overlap: float = 0.5) -> float:
    """The score from which answers are worth showing: where F1 over all classes is highest.

    Halfway to the next lower score, so that a trifle does not drop the last good answer. 0.5 where nothing is right.
    """
    curve = precision_recall_curve(ranking, None, overlap)
    total = curve.precision + curve.recall
    f1 = np.divide(2 * curve.precision * curve.recall, total, out=np.zeros_like(total), where=total > 0)
    last = np.append(np.diff(curve.scores) != 0, True)  # only where a score ends can a threshold lie
    if not len(f1) or not (f1[last] > 0).any():
        return 0.5
    place = np.flatnonzero(last)[f1[last].argmax()]
    below = curve.scores[place + 1] if place + 1 < len(curve.scores) else 0.0
    return float((curve.scores[place] + below) / 2)


def average_precisions(ranking: Ranking, times: ArrayLike | None = None) -> Floats:
    """COCO's average precision of every class at every least overlap: (T, C), NaN for a class without objects.

    `times` (N,): how often each picture counts; None: once.
    """
    weights = np.ones(len(ranking.objects)) if times is None else np.asarray(times, np.float64)
    return _Classes(ranking).average_precisions(weights)


class _Classes:
    """A ranking cut into its classes once, to be weighed again and again."""

    def __init__(self, ranking: Ranking) -> None:
        self.ranking = ranking
        self.parts = []
        for label in range(ranking.objects.shape[1]):
            own = np.flatnonzero(ranking.labels == label)
            hits = ranking.hits[:, own]
            false = (ranking.judged[:, own] & ~hits).astype(np.float64)
            self.parts.append(
                (ranking.pictures[own], hits.astype(np.float64), false, [row.nonzero()[0] for row in hits])
            )

    def average_precisions(self, weights: Floats) -> Floats:
        """See `average_precisions`."""
        objects = weights @ self.ranking.objects
        found = np.full((len(self.ranking.thresholds), len(self.parts)), np.nan)
        for label, (pictures, hits, false, places) in enumerate(self.parts):
            if objects[label] <= 0:
                continue
            own = weights[pictures]
            right, wrong = np.cumsum(hits * own, axis=1), np.cumsum(false * own, axis=1)
            for row, place in enumerate(places):
                found[row, label] = _area(right[row, place], wrong[row, place], objects[label])
        return found


def _area(right: Floats, wrong: Floats, objects: float) -> float:
    """Mean raised precision at 101 recalls, from counts where a hit comes; between hits precision only falls."""
    total = right + wrong
    precision = np.divide(right, total, out=np.zeros_like(right), where=total > 0)
    place = np.searchsorted(right / objects, HUNDREDTHS, side="left")
    return float(np.append(raised(precision), 0.0)[place].mean())


def mean_average_precision(found: Floats, overlap: float | None = None) -> float:
    """The mean over classes with objects of (T, C), at all least overlaps, or at the first one (`overlap` 0.5)."""
    table = found if overlap is None else found[:1]
    known = table[np.isfinite(table)]
    return float(known.mean()) if known.size else float("nan")


def map_intervals(
    ranking: Ranking, resamples: int = 200, seed: int = 0, confidence: float = 0.95
) -> dict[str, Interval]:
    """`map` and `map50` with bootstrap intervals over pictures (BCa, widened for few pictures).

    From a single picture there is none: NaN on both sides.
    """
    if ranking.thresholds[0] != 0.5:
        raise UsageError("map50 is measured at 0.5", got=f"least overlaps {ranking.thresholds.tolist()}")
    classes = _Classes(ranking)
    return _resampled(lambda times: _both(classes.average_precisions(times)), len(ranking.objects), resamples, seed,
                      confidence)  # fmt: skip


def paired_map_difference(
    first: Ranking, second: Ranking, resamples: int = 200, seed: int = 0, confidence: float = 0.95
) -> dict[str, Interval]:
    """`map` and `map50` of `first` less those of `second`, on the same pictures, which are drawn in pairs.

    Raises:
        UsageError: the pictures or their objects differ.
    """
    if not np.array_equal(first.objects, second.objects):
        raise UsageError("pairs need the same pictures and classes", got=f"{first.objects.shape} and "
                         f"{second.objects.shape}, or other objects")  # fmt: skip
    one, two = _Classes(first), _Classes(second)
    return _resampled(
        lambda times: _both(one.average_precisions(times)) - _both(two.average_precisions(times)),
        len(first.objects), resamples, seed, confidence,
    )  # fmt: skip


def _resampled(
    figure: Callable[[Floats], Floats], n: int, resamples: int, seed: int, confidence: float
) -> dict[str, Interval]:
    """Intervals of `map` and `map50` from how often each of the n pictures counts."""
    values = figure(np.ones(n))
    if n < 2:
        nothing = (Interval(float(value), float("nan"), float("nan"), n, "none", confidence) for value in values)
        return dict(zip(NAMES, nothing, strict=True))
    generator = numpy_generator(seed, "bootstrap")
    times = (np.bincount(generator.integers(0, n, n), minlength=n).astype(np.float64) for _ in range(resamples))
    draws = np.array([figure(one) for one in times]).reshape(-1, 2)
    blocks = np.arange(n) % min(n, BLOCKS)
    left_out = np.array([figure((blocks != block).astype(np.float64)) for block in range(blocks.max() + 1)])
    asked = widened(confidence, n)
    found = (interval_from_draws(float(values[i]), draws[:, i], n, asked, left_out[:, i]) for i in range(2))
    return {name: replace(one, confidence=confidence) for name, one in zip(NAMES, found, strict=True)}


def _both(found: Floats) -> Floats:
    return np.array([mean_average_precision(found), mean_average_precision(found, 0.5)])
