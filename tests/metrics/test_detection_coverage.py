"""Intervals of mean average precision, drawn over pictures, hold the truth as often as they say.

A population of pictures is described by chance: objects of three classes, easy and hard pictures, and a detector that
misses, misplaces, doubts and invents. The truth is its mean average precision over thousands of pictures; intervals
from a few of them should contain it nineteen times in twenty. They do so a little less often: average precision of few
objects is too high, since its envelope only ever raises it (measured at 40 pictures: 0.88 for `map`, 0.95 for `map50`).
"""

import numpy as np

from anmok.core.targets import Objects
from anmok.metrics._detections import Answer
from anmok.metrics.coco import coco_figures
from anmok.metrics.ranking import map_intervals, rank

CLASSES = 3


def population(n: int, rng: np.random.Generator, skill: float = 1.0) -> tuple[list[Objects], list[Answer]]:
    """`n` pictures and what a detector of this skill answers; boxes lie far apart, so that matching is plain."""
    truths, answers = [], []
    for _ in range(n):
        hard = rng.random()  # a picture's own: its objects are missed or found together
        count = int(rng.integers(1, 7))
        places = rng.permutation(16)[: count + 2]
        corners = np.stack([places % 4, places // 4], 1) * 100.0
        boxes = np.concatenate([corners, corners + 60], 1)
        labels = rng.choice(CLASSES, count, p=(0.6, 0.3, 0.1))
        shift = rng.normal(0, 4 + 10 * hard / skill, (count, 1)) * (1, 0, 1, 0)
        seen = rng.random(count) < 1 - 0.5 * hard / skill
        named = np.where(rng.random(count) < 0.1, rng.integers(0, CLASSES, count), labels)
        scores = np.clip(rng.normal(0.7 - 0.3 * hard, 0.15, count), 0.01, 0.99)
        strays = rng.random(2) < 0.3
        truths.append(Objects(boxes[:count], labels))
        answers.append(Answer(
            np.concatenate([(boxes[:count] + shift)[seen], boxes[count:][strays]]),
            np.concatenate([named[seen], rng.integers(0, CLASSES, 2)[strays]]),
            np.concatenate([scores[seen], rng.uniform(0.05, 0.6, 2)[strays]]),
        ))  # fmt: skip
    return truths, answers


def held(n: int, samples: int, resamples: int, pool: int) -> dict[str, float]:
    rng = np.random.default_rng(0)
    truth = coco_figures(*population(pool, rng), [str(k) for k in range(CLASSES)]).figures
    inside = dict.fromkeys(("map", "map50"), 0)
    for number in range(samples):
        found = map_intervals(rank(*population(n, rng), CLASSES), resamples, seed=number)
        for name in inside:
            inside[name] += found[name].low <= truth[name] <= found[name].high
    return {name: count / samples for name, count in inside.items()}


def test_intervals_of_detectors_quick() -> None:
    assert min(held(40, samples=16, resamples=80, pool=12_000).values()) >= 0.75
