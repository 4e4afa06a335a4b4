"""What kind of mistakes a detector makes, and what each kind costs.

After Bolya, Foley, Hays, Hoffman: TIDE, ECCV 2020 (arXiv:2008.08115). Every wrong answer is of one kind, decided in
this order, and every object that no answer explains is missed:

    place        right class, but it overlaps the object too little
    class        it lies well on an object of another class
    duplicate    it lies well on an object that a better answer has taken
    background   it lies on nothing
    both         it lies badly on an object of another class

What a kind costs is how much `map50` would gain if just these mistakes were mended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anmok.core.targets import Objects
from anmok.metrics._detections import UNMATCHED, Answer, Bools, check_pictures, ignored, match_coco, overlaps
from anmok.metrics._figure import Floats, Ints
from anmok.metrics.ranking import Ranking, average_precisions, mean_average_precision

WELL, BADLY = 0.5, 0.1  # IoU from which an answer lies on an object; below the second it lies on nothing
KINDS = ("class", "place", "both", "duplicate", "background")
RIGHT, UNJUDGED = -1, -2


@dataclass(frozen=True)
class Mistake:
    """One wrong answer, or one missed object (`answer` and `score` None), to be shown."""

    kind: str
    picture: int
    answer: int | None
    object: int | None
    score: float | None


@dataclass(frozen=True)
class DetectionErrors:
    """How many mistakes of each kind, what each kind costs in `map50`, and every single one, highest scores first."""

    counts: Mapping[str, int]
    costs: Mapping[str, float]
    mistakes: Sequence[Mistake]


@dataclass(frozen=True)
class _Judged:
    """One picture's answers: what each is (an index in `KINDS`, `RIGHT` or `UNJUDGED`), and its object or -1."""

    kinds: Ints
    objects: Ints
    missed: Ints


def detection_errors(
    truths: Sequence[Objects], answers: Sequence[Answer], classes: int, threshold: float = 0.0
) -> DetectionErrors:
    """Sort all mistakes of answers that score `threshold` or more into kinds.

    Raises:
        UsageError: answers do not fit the pictures or the class list.
    """
    check_pictures(truths, answers, classes)
    shown = [_above(answer, threshold) for answer in answers]
    judged = [_judge(truth, answer) for truth, answer in zip(truths, shown, strict=True)]
    mistakes = []
    for number, (one, answer) in enumerate(zip(judged, shown, strict=True)):
        for k in np.flatnonzero(one.kinds >= 0):
            about = int(one.objects[k]) if one.objects[k] >= 0 else None
            mistakes.append(Mistake(KINDS[one.kinds[k]], number, int(k), about, float(answer.scores[k])))
    mistakes.sort(key=lambda mistake: -(mistake.score or 0))
    mistakes += [Mistake("missed", n, None, int(m), None) for n, one in enumerate(judged) for m in one.missed]
    counts = {kind: sum(mistake.kind == kind for mistake in mistakes) for kind in (*KINDS, "missed")}
    before = _map50(truths, shown, judged, classes, mended=None)
    costs = {kind: _map50(truths, shown, judged, classes, mended=kind) - before for kind in counts}
    return DetectionErrors(counts, costs, mistakes)


def _above(answer: Answer, threshold: float) -> Answer:
    best = answer.best()
    count = int((best.scores >= threshold).sum())
    return Answer(best.boxes[:count], best.labels[:count], best.scores[:count])


def _judge(truth: Objects, answer: Answer) -> _Judged:
    """Kinds of one picture's answers, best first."""
    count, unjudged = len(answer), ignored(truth)
    overlap = overlaps(answer.boxes, truth.boxes, unjudged)
    taken = np.full(count, UNMATCHED)
    for label in np.unique(answer.labels):
        mine, own = np.flatnonzero(answer.labels == label), np.flatnonzero(truth.labels == label)
        found = match_coco(overlap[np.ix_(mine, own)], unjudged[own], np.array([WELL]))[0]
        taken[mine] = np.where(found >= 0, np.append(own, UNMATCHED)[found], UNMATCHED)
    kinds, objects = np.full(count, KINDS.index("background")), np.full(count, UNMATCHED)
    same = truth.labels[None] == answer.labels[:, None]
    used = np.zeros(len(truth), bool)
    used[taken[taken >= 0]] = True
    for k in range(count):
        if taken[k] >= 0:
            kinds[k], objects[k] = (UNJUDGED if unjudged[taken[k]] else RIGHT), taken[k]
        elif len(truth):
            kinds[k], objects[k] = _kind(overlap[k], same[k], used, unjudged)
    explained = used | unjudged
    mistaken = (kinds == KINDS.index("class")) | (kinds == KINDS.index("place"))
    explained[objects[mistaken]] = True
    return _Judged(kinds, objects, np.flatnonzero(~explained))


def _kind(overlap: Floats, same: Bools, used: Bools, unjudged: Bools) -> tuple[int, int]:
    """What is wrong with one answer, and the object it is about, -1 for background."""
    own, other = (np.where(mask & ~unjudged, overlap, -1.0) for mask in (same, ~same))
    near, far = int(own.argmax()), int(other.argmax())
    if BADLY <= own[near] < WELL:
        return KINDS.index("place"), near
    if other[far] >= WELL:
        return KINDS.index("class"), far
    if own[near] >= WELL and used[near]:
        return KINDS.index("duplicate"), near
    if max(own[near], other[far]) < BADLY:
        return KINDS.index("background"), UNMATCHED
    return KINDS.index("both"), far


def _map50(
    truths: Sequence[Objects], answers: Sequence[Answer], judged: Sequence[_Judged], classes: int, mended: str | None
) -> float:
    """`map50` with one kind of mistake mended: moved or renamed onto a free object, else taken away; or the objects
    that were missed not asked for."""
    rows: list[tuple[int, int, float, bool]] = []  # picture, label, score, hit
    objects = np.zeros((len(truths), classes), np.int64)
    for number, (truth, answer, one) in enumerate(zip(truths, answers, judged, strict=True)):
        asked = ~ignored(truth)
        if mended == "missed":
            asked[one.missed] = False
        objects[number] = np.bincount(truth.labels[asked], minlength=classes)
        free = asked.copy()
        free[one.objects[one.kinds == RIGHT]] = False
        for k, kind in enumerate(one.kinds):
            if kind == UNJUDGED:
                continue
            hit, label = kind == RIGHT, answer.labels[k]
            if kind >= 0 and KINDS[kind] == mended:
                if mended not in ("class", "place") or not free[one.objects[k]]:
                    continue
                hit, label = True, truth.labels[one.objects[k]]
                free[one.objects[k]] = False
            rows.append((number, int(label), float(answer.scores[k]), bool(hit)))
    pictures, labels, scores, hits = (np.array([row[i] for row in rows]) for i in range(4))
    order = np.argsort(-scores, kind="stable")
    flags = hits[order][None].astype(bool)
    ranking = Ranking(
        pictures[order].astype(int), labels[order].astype(int), scores[order], flags, np.ones_like(flags), objects,
        np.array([WELL]),
    )  # fmt: skip
    return mean_average_precision(average_precisions(ranking))
