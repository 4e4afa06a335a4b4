"""Detection's figures against worked values, faster-coco-eval, VOC's procedure written out, and hand-made mistakes."""

from __future__ import annotations

import numpy as np
import pytest

from anmok.core.errors import UsageError
from anmok.core.regions import RunLengths
from anmok.core.targets import Objects
from anmok.metrics import average_precision as ap
from anmok.metrics._detections import Answer, match_coco, match_voc, overlaps
from anmok.metrics.coco import coco_figures
from anmok.metrics.detection import DetectionTally
from anmok.metrics.detection_confusion import detection_confusion
from anmok.metrics.detection_errors import detection_errors
from anmok.metrics.ranking import (
    average_precisions,
    best_threshold,
    map_intervals,
    mean_average_precision,
    paired_map_difference,
    precision_recall_curve,
    rank,
)

WORKED = [1, 0, 1, 1, 0, 1, 0]  # of five objects
CLASSES = ["a", "b", "c"]


def pictures(count: int, seed: int = 0, crowd: float = 0.1) -> tuple[list[Objects], list[Answer]]:
    """Objects, and answers that are shifted, renamed, doubled and made up; scores tie often."""
    rng = np.random.default_rng(seed)
    truths, answers = [], []
    for _ in range(count):
        many = int(rng.integers(0, 7))
        corner = rng.uniform(0, 150, (many, 2))
        boxes = np.hstack([corner, corner + rng.uniform(8, 120, (many, 2))])
        labels = rng.integers(0, 3, many)
        truths.append(Objects(boxes, labels, crowd=rng.random(many) < crowd))
        start = rng.uniform(0, 150, (4, 2))
        near = boxes + rng.normal(0, 5, boxes.shape)
        renamed = np.where(rng.random(many) < 0.85, labels, rng.integers(0, 3, many))
        wild = np.hstack([start, start + rng.uniform(4, 60, (4, 2))])
        answers.append(
            Answer(
                np.vstack([near, near[: many // 2] + 2, wild]),
                np.r_[renamed, labels[: many // 2], rng.integers(0, 3, 4)],
                rng.random(many + many // 2 + 4).round(2),
            )
        )
    return truths, answers


def test_three_ways_to_read_one_curve() -> None:
    precision, recall = ap.curve(WORKED, 5)
    assert precision.tolist() == pytest.approx([1, 0.5, 0.6667, 0.75, 0.6, 0.6667, 0.5714], abs=5e-5)
    assert recall.tolist() == pytest.approx([0.2, 0.2, 0.4, 0.6, 0.6, 0.8, 0.8])
    assert ap.area(WORKED, 5) == pytest.approx(0.633333, abs=1e-6)
    assert ap.coco(WORKED, 5) == pytest.approx(0.636964, abs=1e-6)
    assert ap.eleven_point(WORKED, 5) == pytest.approx(0.666667, abs=1e-6)
    assert ap.at_recalls(WORKED, 5, np.arange(0, 1.1, 0.1)) == pytest.approx(0.659091, abs=1e-6)  # as often copied


def test_perfect_worst_and_nothing() -> None:
    for formula in (ap.area, ap.coco, ap.eleven_point):
        assert formula([1, 1, 1], 3) == pytest.approx(1)
        assert formula([0, 0], 3) == 0 and formula([], 3) == 0
        assert np.isnan(formula([0], 0))


def by_the_devkit(truths: list[Objects], answers: list[Answer], label: int) -> list[int]:
    """VOCevaldet's procedure, one answer at a time over all pictures: hits, best first."""
    rows = [
        (score, number, box)
        for number, answer in enumerate(answers)
        for box, kind, score in zip(answer.boxes, answer.labels, answer.scores, strict=True)
        if kind == label
    ]
    rows.sort(key=lambda row: -row[0])
    taken: set[tuple[int, int]] = set()
    hits = []
    for _, number, box in rows:
        truth = truths[number]
        best, where = -1.0, -1
        for place, (other, kind) in enumerate(zip(truth.boxes, truth.labels, strict=True)):
            w = min(box[2], other[2]) - max(box[0], other[0])
            h = min(box[3], other[3]) - max(box[1], other[1])
            if kind == label and w > 0 and h > 0:
                union = (box[2] - box[0]) * (box[3] - box[1]) + (other[2] - other[0]) * (other[3] - other[1]) - w * h
                if w * h / union > best:
                    best, where = w * h / union, place
        if best >= 0.5 and truth.difficult is not None and truth.difficult[where]:
            continue
        hits.append(int(best >= 0.5 and (number, where) not in taken))
        if best >= 0.5:
            taken.add((number, where))
    return hits


def test_voc_follows_the_devkit() -> None:
    truths, answers = pictures(60, crowd=0.0)
    truths = [Objects(t.boxes, t.labels, difficult=np.arange(len(t)) % 5 == 4) for t in truths]
    found = ap.voc(truths, answers, CLASSES)
    eleven = ap.voc(truths, answers, CLASSES, ap.eleven_point)
    for place, name in enumerate(CLASSES):
        objects = sum(int(((t.labels == place) & ~t.difficult).sum()) for t in truths)
        hits = by_the_devkit(truths, answers, place)
        assert found[name] == pytest.approx(ap.area(hits, objects)) and 0.05 < found[name] < 0.95
        assert eleven[name] == pytest.approx(ap.eleven_point(hits, objects))


def test_the_two_rules_differ_where_a_better_answer_comes_late() -> None:
    """Two objects, both answers nearest to the first: COCO gives the second its neighbour, VOC nothing."""
    overlap = np.array([[0.9, 0.1], [0.8, 0.6]])
    assert match_coco(overlap, np.zeros(2, bool), np.array([0.5])).tolist() == [[0, 1]]
    assert match_voc(overlap)[1].tolist() == [True, False]


@pytest.mark.parametrize("crowd", [0.0, 0.2])
def test_ranking_gives_faster_coco_evals_figures(crowd: float) -> None:
    truths, answers = pictures(80, crowd=crowd)
    expected = coco_figures(truths, answers, CLASSES)
    found = average_precisions(rank(truths, answers, 3))
    np.testing.assert_allclose(found, expected.precision.mean(1), atol=1e-12)
    assert mean_average_precision(found) == pytest.approx(expected.figures["map"], abs=1e-12)
    assert mean_average_precision(found, 0.5) == pytest.approx(expected.figures["map50"], abs=1e-12)
    np.testing.assert_allclose(found.mean(0), expected.class_map, atol=1e-12)
    assert 0.05 < expected.figures["map"] < 0.9


def test_counting_a_picture_twice_is_having_it_twice() -> None:
    truths, answers = pictures(12)
    answers = [Answer(a.boxes, a.labels, a.scores + np.arange(len(a)) * 1e-4 + i * 1e-5) for i, a in enumerate(answers)]
    times = np.array([2, 0, 1, 3, 1, 1, 0, 1, 2, 1, 0, 1])
    repeated = np.repeat(np.arange(12), times)
    expected = average_precisions(rank([truths[i] for i in repeated], [answers[i] for i in repeated], 3))
    np.testing.assert_allclose(average_precisions(rank(truths, answers, 3), times), expected, atol=1e-12)


def test_perfect_answers_score_one_and_none_zero() -> None:
    truths, _ = pictures(10, crowd=0.0)
    right = [Answer(t.boxes, t.labels, np.ones(len(t))) for t in truths]
    nothing = [Answer(np.zeros((0, 4)), [], []) for _ in truths]
    assert coco_figures(truths, right, CLASSES).figures["map"] == pytest.approx(1)
    assert coco_figures(truths, nothing, CLASSES).figures["map"] == 0
    assert mean_average_precision(average_precisions(rank(truths, nothing, 3))) == 0
    empty = [Objects.none()] * 3
    assert np.isnan(coco_figures(empty, nothing[:3], CLASSES).figures["map"])


def test_sizes_are_areas() -> None:
    """One object each of 20², 50² and 120² pixels, the middle one found."""
    truth = Objects([[0, 0, 20, 20], [30, 0, 80, 50], [100, 0, 220, 120]], [0, 0, 0])
    answer = Answer([[30, 0, 80, 50]], [0], [0.9])
    figures = coco_figures([truth], [answer], ["a"]).figures
    assert (figures["map_small"], figures["map_medium"], figures["map_large"]) == pytest.approx((0, 1, 0))
    assert figures["mar_100"] == pytest.approx(1 / 3)


def test_masks_are_compared_as_masks() -> None:
    """Two answers with the right box; one mask fills half of the object."""
    whole = np.zeros((40, 40), bool)
    whole[5:25, 5:25] = True
    half = whole & (np.arange(40) < 15)
    truth = Objects([[5, 5, 25, 25]], [0], regions=(RunLengths.of(whole),))
    for mask, expected in ((whole, 1.0), (half, 0.1)):  # IoU .5 counts at the first of ten least overlaps
        answer = Answer([[5, 5, 25, 25]], [0], [0.9], masks=mask[None])
        assert coco_figures([truth], [answer], ["a"]).figures["map"] == pytest.approx(1)
        found = coco_figures([truth], [answer], ["a"], sizes=[(40, 40)], masks=True)
        assert found.figures["map"] == pytest.approx(expected)


def test_curve_of_one_class_by_hand() -> None:
    truths = [Objects([[0, 0, 10, 10], [20, 0, 30, 10]], [0, 0])]
    answers = [Answer([[0, 0, 10, 10], [50, 0, 60, 10], [20, 0, 30, 10]], [0, 0, 0], [0.9, 0.8, 0.4])]
    curve = precision_recall_curve(rank(truths, answers, 1), 0)
    assert curve.scores.tolist() == pytest.approx([0.9, 0.8, 0.4])
    assert curve.precision.tolist() == pytest.approx([1, 0.5, 2 / 3])
    assert curve.recall.tolist() == [0.5, 0.5, 1] and curve.objects == 2
    assert best_threshold(rank(truths, answers, 1)) == pytest.approx(0.2)  # F1 .8 with all three; halfway to 0


def test_best_threshold_lies_between_scores() -> None:
    truths = [Objects([[0, 0, 10, 10], [20, 0, 30, 10]], [0, 0])]
    boxes = [[0, 0, 10, 10], [20, 0, 30, 10], *[[50, 0, 60, 10]] * 4]
    answers = [Answer(boxes, [0] * 6, [0.9, 0.8, 0.4, 0.3, 0.2, 0.1])]
    assert best_threshold(rank(truths, answers, 1)) == pytest.approx(0.6)
    assert best_threshold(rank(truths, [Answer(np.zeros((0, 4)), [], [])], 1)) == 0.5


OBJECTS = Objects([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10]], [0, 0, 1, 1])
MISTAKEN = Answer(
    [[0, 0, 10, 10],  # right
     [0, 0, 10, 9],  # again
     [24, 0, 34, 10],  # object 1, IoU 6/14
     [40, 0, 50, 9],  # object 2, called 0
     [64, 0, 74, 10],  # object 3, IoU 6/14, called 0
     [90, 0, 99, 9]],  # nothing
    [0, 0, 0, 0, 0, 1],
    [0.9, 0.8, 0.7, 0.6, 0.5, 0.4],
)  # fmt: skip


def test_every_kind_of_mistake_once() -> None:
    found = detection_errors([OBJECTS], [MISTAKEN], 2)
    assert found.counts == {"class": 1, "place": 1, "both": 1, "duplicate": 1, "background": 1, "missed": 1}
    about = [(mistake.kind, mistake.answer, mistake.object) for mistake in found.mistakes]
    assert about == [
        ("duplicate", 1, 0), ("place", 2, 1), ("class", 3, 2), ("both", 4, 3), ("background", 5, None),
        ("missed", None, 3),
    ]  # fmt: skip


def test_what_mending_a_mistake_gains() -> None:
    """Class 0: right, 4 wrong of 2 objects; class 1: nothing of 2. By hand: map50 is (51/101 + 0) / 2."""
    found = detection_errors([OBJECTS], [MISTAKEN], 2)
    before = (51 / 101) / 2
    moved = ap.coco([1, 0, 1, 0, 0], 2) / 2 - before  # object 1 found in third place
    renamed = (51 / 101 + ap.coco([1, 0], 2)) / 2 - before  # object 2 found, before the one on nothing
    assert found.costs["place"] == pytest.approx(moved)
    assert found.costs["class"] == pytest.approx(renamed)
    assert found.costs["duplicate"] == pytest.approx(0)  # it stands behind the only hit
    assert found.costs["missed"] == pytest.approx(0)  # class 1 still has an object that nobody found


def test_mistakes_below_the_threshold_are_not_made() -> None:
    found = detection_errors([OBJECTS], [MISTAKEN], 2, threshold=0.65)
    assert found.counts == {"class": 0, "place": 1, "both": 0, "duplicate": 1, "background": 0, "missed": 2}


def test_crowds_are_not_judged() -> None:
    truth = Objects([[0, 0, 50, 50], [60, 0, 70, 10]], [0, 0], crowd=[True, False])
    answer = Answer([[5, 5, 15, 15], [20, 20, 30, 30], [60, 0, 70, 10]], [0, 0, 0], [0.9, 0.8, 0.7])
    assert detection_errors([truth], [answer], 1).counts["background"] == 0
    assert coco_figures([truth], [answer], ["a"]).figures["map"] == pytest.approx(1)
    assert detection_confusion([truth], [answer], 1, 0.5).tolist() == [[1, 0], [0, 0]]


def test_confusion_matrix_by_hand() -> None:
    cells = detection_confusion([OBJECTS], [MISTAKEN], 2, threshold=0.45)
    #        0, 1, missed
    assert cells.tolist() == [[1, 0, 1], [1, 0, 1], [3, 0, 0]]  # the last row: seen in nothing


def test_intervals_hold_the_value_and_narrow_with_pictures() -> None:
    widths = []
    for count in (20, 160):
        ranking = rank(*pictures(count), 3)
        found = map_intervals(ranking, resamples=60)
        assert found["map"].value == pytest.approx(mean_average_precision(average_precisions(ranking)))
        for interval in found.values():
            assert 0 <= interval.low < interval.value < interval.high <= 1 and interval.n == count
        widths.append(found["map"].high - found["map"].low)
    assert widths[1] < 0.6 * widths[0]
    again = map_intervals(ranking, resamples=60)
    assert again == found


def test_paired_difference_of_a_detector_and_a_worse_one() -> None:
    truths, answers = pictures(60)
    worse = [Answer(a.boxes + 4, a.labels, a.scores) for a in answers]
    first, second = rank(truths, answers, 3), rank(truths, worse, 3)
    found = paired_map_difference(first, second, resamples=60)["map"]
    assert 0 < found.low < found.value < found.high
    same = paired_map_difference(first, first, resamples=20)["map"]
    assert (same.value, same.low, same.high) == (0, 0, 0)
    with pytest.raises(UsageError, match="same pictures"):
        paired_map_difference(first, rank(truths[:5], answers[:5], 3))


def test_summary_agrees_with_its_parts() -> None:
    truths, answers = pictures(40)
    tally = DetectionTally(CLASSES)
    for truth, answer in zip(truths, answers, strict=True):
        tally.add(truth, answer)
    found = tally.summary(resamples=30)
    assert found.figures["map"].value == pytest.approx(found.coco["map"], abs=1e-12) == pytest.approx(tally.map())
    right = int(np.trace(found.confusion[:3, :3]))
    assert right == sum(round(row.recall.value * row.objects) for row in found.classes)
    assert found.confusion[:3].sum() == sum(row.objects for row in found.classes)
    assert found.figures["recall"].value == pytest.approx(right / found.confusion[:3].sum())
    assert found.errors.counts["background"] > 0
    assert len(found.pictures) == 40 and np.nanmin(found.pictures) >= 0 and np.nanmax(found.pictures) <= 1
    assert 0 < found.threshold < 1 and len(found.curves) == 3


def test_what_does_not_fit_is_named() -> None:
    truths, answers = pictures(3)
    with pytest.raises(UsageError, match="differ in number"):
        coco_figures(truths, answers[:2], CLASSES)
    with pytest.raises(UsageError, match="outside the class list"):
        rank(truths, answers, 1)
    with pytest.raises(UsageError, match="one of everything"):
        Answer([[0, 0, 1, 1]], [0, 1], [0.5])
    with pytest.raises(UsageError, match="finite"):
        Answer([[0, 0, np.nan, 1]], [0], [0.5])
    with pytest.raises(UsageError, match="needs pictures"):
        DetectionTally(CLASSES).summary()
    with pytest.raises(UsageError, match="masks can only"):
        coco_figures(truths, answers, CLASSES, masks=True)


def test_boxes_turned_inside_out_are_wrong_answers() -> None:
    truth, answer = Objects([[0, 0, 10, 10]], [0]), Answer([[9, 9, 1, 1], [0, 0, 10, 10]], [0, 0], [0.9, 0.8])
    assert coco_figures([truth], [answer], ["a"]).figures["map"] == pytest.approx(0.5)
    assert overlaps(answer.boxes, truth.boxes).tolist() == [[0.0], [1.0]]
