"""The summary against its parts and a bootstrap written anew."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_jaccard_index

from anmok.core.errors import UsageError
from anmok.metrics import boundary, instances, pixels
from anmok.metrics.bootstrap import bootstrap, bootstrap_of_sums, widened
from anmok.metrics.precision_recall import ClassCounts
from anmok.metrics.segmentation import SegmentationTally

CLASSES = ("background", "a", "b")


def drawn(seed, wrong=0.15):
    generator = np.random.default_rng(seed)
    target = np.zeros((24, 24), int)
    for number in range(4):
        y, x, side = *generator.integers(0, 18, 2), generator.integers(3, 7)
        target[y : y + side, x : x + side] = 1 + number % 2
    answer = np.where(generator.random(target.shape) < wrong, generator.integers(0, 3, target.shape), target)
    target[0, :5] = 255
    return target, answer


def tallied(count=12, **options):
    tally = SegmentationTally(CLASSES, **options)
    pictures = [drawn(seed, wrong=0.02 * seed) for seed in range(count)]
    means = [tally.add(*one) for one in pictures]
    return tally, pictures, means


def test_figures_are_those_of_all_pictures_together():
    tally, pictures, means = tallied(band=1)
    found = tally.summary(resamples=50)
    answers, targets = (torch.tensor(np.concatenate([one[i].ravel() for one in pictures])) for i in (1, 0))
    keywords = {"num_classes": 3, "ignore_index": 255}
    assert found.figures["mean_iou"].value == pytest.approx(
        float(multiclass_jaccard_index(answers, targets, **keywords))
    )
    expected = multiclass_jaccard_index(answers, targets, average="none", **keywords)
    assert [row.iou.value for row in found.classes] == pytest.approx(expected.tolist())
    assert found.confusion.sum() == sum((target != 255).sum() for target, _ in pictures)
    assert found.pictures == pytest.approx(means)
    outlines = boundary.boundary_f1(sum(boundary.count_boundary(*one, 3) for one in pictures))
    assert [row.boundary_f1.value for row in found.classes] == pytest.approx(outlines)
    assert found.figures["mean_boundary_f1"].value == pytest.approx(outlines.mean())
    assert [row.present for row in found.classes] == [int((targets == number).sum()) for number in range(3)]
    near, inside = zip(*(boundary.count_by_place(*one, 3, band=1) for one in pictures), strict=True)
    for place, name in ((near, "near"), (inside, "inside")):
        hits, present = (sum(getattr(one, what) for one in place) for what in ("hits", "present"))
        assert [getattr(row, name).value for row in found.classes] == pytest.approx(hits / present)


def test_intervals_are_the_bootstraps():
    """One resampling after the other, through the general bootstrap: the same draws, the same interval."""
    tally, pictures, _ = tallied()
    counts = pixels.per_picture([pixels.count_pixels(*one, 3) for one in pictures])

    def mean_iou(hits, answered, present):
        return float(pixels.mean_iou(pixels.over_pictures(pixels.ClassCounts(hits, answered, present))))

    columns = counts.hits, counts.answered, counts.present
    expected = bootstrap(mean_iou, *columns, resamples=300, seed=4, confidence=widened(0.95, 12))
    found = tally.summary(seed=4, resamples=300).figures["mean_iou"]
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high))
    assert found.low < found.value < found.high and (found.n, found.confidence) == (12, 0.95)


def test_groups_are_drawn_whole():
    tally, _, _ = tallied()
    groups = np.arange(12) // 4
    alone, whole = tally.summary(resamples=200), tally.summary(resamples=200, groups=groups)
    widths = [one.figures["mean_iou"].high - one.figures["mean_iou"].low for one in (alone, whole)]
    assert widths[1] != widths[0] and alone.figures["mean_iou"].value == whole.figures["mean_iou"].value


def test_one_picture_has_figures_and_no_interval():
    tally, _, _ = tallied(count=1)
    found = tally.summary().figures["mean_iou"]
    assert found.value == 1 and np.isnan(found.low)


def test_objects_are_matched_where_both_maps_are_given():
    tally = SegmentationTally(("background", "cell"))
    truth = np.zeros((12, 22), int)
    truth[2:10, 2:11], truth[2:10, 11:20] = 1, 2
    for answered in (truth, truth > 0, truth):
        tally.add((truth > 0) * 1, (truth > 0) * 1, truth, answered.astype(int))
    found = tally.summary(resamples=50).figures
    assert found["mean_iou"].value == 1  # every pixel is right, and in one picture two cells have become one
    assert found["object_f1"].value == pytest.approx(2 * 4 / (6 + 5))
    assert set(found) >= {"panoptic_quality", "segmentation_quality", "aggregated_jaccard"}
    same, merged = (instances.match_objects(truth, one).numbers for one in (truth, (truth > 0) * 1))
    expected = 2 * same + merged
    assert found["aggregated_jaccard"].value == pytest.approx(expected[4] / expected[5])
    assert "object_f1" not in tallied(count=2)[0].summary(resamples=10).figures


def test_which_structures_were_missed():
    """Outlines are caught, small things are not: the rows say so."""
    tally = SegmentationTally(("background", "cell", "nucleus"))
    for shift in range(4):
        target = np.zeros((40, 40), int)
        target[5:35, 5 + shift : 35] = 1
        target[12:15, 12:15] = target[25:28, 20:23] = 2
        tally.add(target, np.where(target == 2, 1, target))
    found = tally.summary(resamples=50)
    rows = {row.name: row for row in found.classes}
    assert rows["cell"].recall.value == 1 and rows["nucleus"].recall.value == 0
    missed = [row for row in found.sizes if row.recall.value == 0]
    assert {row.name for row in missed} == {"nucleus"} and sum(row.objects for row in missed) == 8
    assert found.objects.pictures.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert not found.objects.found[found.objects.classes == 2].any()


def test_a_summary_of_nothing():
    with pytest.raises(UsageError, match="needs pictures"):
        SegmentationTally(CLASSES).summary()


def share_held(pictures, samples):
    """How many 95 % intervals hold the true share, 0.8, where pictures differ in size and in how hard they are."""
    generator = np.random.default_rng(0)
    held = 0
    for number in range(samples):
        sizes = generator.integers(50, 200, pictures)
        rows = np.column_stack([generator.binomial(sizes, generator.beta(8, 2, pictures)), sizes])
        (found,) = bootstrap_of_sums(lambda sums: sums[..., :1] / sums[..., 1:], rows, 300, seed=number)
        held += found.low <= 0.8 <= found.high
    return held / samples


def test_intervals_hold_the_truth_quick():
    assert 0.85 <= share_held(40, samples=60) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("pictures", [10, 20, 40, 100])
def test_intervals_hold_the_truth(pictures):
    assert 0.915 <= share_held(pictures, samples=1000) <= 0.975


SIZES = np.array([900.0, 120.0, 30.0])  # pixels a picture has of each class, on average


def pictures_drawn(generator, count):
    """Counts of so many pictures, (count, 9): hits, answered and present pixels of three classes.

    Pictures differ in what they show and in how hard they are; a missed pixel is answered with another class.
    """
    present = generator.poisson(generator.gamma(2, SIZES / 2, (count, 3)))
    hits = generator.binomial(present, generator.beta(6, [1, 2, 3], (count, 3)))
    missed, first = present - hits, generator.random((count, 3))
    to_next = generator.binomial(missed, first)
    answered = hits + np.roll(to_next, 1, axis=1) + np.roll(missed - to_next, 2, axis=1)
    return np.concatenate([hits, answered, present], axis=1)


def mean_iou_of(sums):
    return pixels.mean_iou(ClassCounts(sums[..., :3], sums[..., 3:6], sums[..., 6:]))[..., None]


def mean_iou_held(pictures, samples):
    """How many 95 % intervals hold the mean IoU of all pictures that there could be."""
    generator = np.random.default_rng(0)
    truth = float(mean_iou_of(pictures_drawn(generator, 400_000).sum(0)).item())
    found = [
        bootstrap_of_sums(mean_iou_of, pictures_drawn(generator, pictures), 300, seed=k)[0] for k in range(samples)
    ]
    return np.mean([one.low <= truth <= one.high for one in found])


def test_intervals_hold_the_mean_iou_quick():
    assert 0.85 <= mean_iou_held(40, samples=80) <= 1


@pytest.mark.slow
@pytest.mark.parametrize(("pictures", "least"), [(10, 0.88), (20, 0.89), (40, 0.9), (100, 0.91)])
def test_intervals_hold_the_mean_iou(pictures, least):
    """Nearly as often as they say; where a class is rare and pictures are few, less often (see the docstring)."""
    assert least <= mean_iou_held(pictures, samples=1000) <= 0.975


def test_class_maps_in_eight_bits_count_as_whole_numbers_do() -> None:
    generator = np.random.default_rng(0)
    target, answer = generator.integers(0, 4, (2, 3, 20, 30))
    target[:, :2] = 255
    tallies = [SegmentationTally("abcd"), SegmentationTally("abcd")]
    for tally, kind in zip(tallies, (np.uint8, np.int64), strict=True):
        for t, a in zip(target.astype(kind), answer.astype(kind), strict=True):
            tally.add(t, a)
    assert np.array_equal(tallies[0].rows, tallies[1].rows) and np.array_equal(tallies[0].present, tallies[1].present)
