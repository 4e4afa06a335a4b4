"""Pixel metrics against torchmetrics, FCN's own scores and arithmetic by hand."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_jaccard_index,
)

from anmok.core.errors import UsageError
from anmok.metrics import pixels
from anmok.metrics.precision_recall import ClassCounts

CLASSES = 5


def drawn(seed, missing=(), ignored=True):
    generator = np.random.default_rng(seed)
    known = [number for number in range(CLASSES) if number not in missing]
    target = generator.choice(known, (12, 9))
    answer = np.where(generator.random((12, 9)) < 0.6, target, generator.choice(known, (12, 9)))
    if ignored:
        target[:2, :4] = 255
    return target, answer


def counted(*pictures):
    return pixels.over_pictures(pixels.per_picture([pixels.count_pixels(*one, CLASSES) for one in pictures]))


def tensors(pictures):
    return [torch.tensor(np.concatenate([one[i].ravel() for one in pictures])) for i in (1, 0)]


@pytest.mark.parametrize("missing", [(), (2,), (0, 4)])
def test_equal_to_torchmetrics(missing):
    pictures = [drawn(seed, missing) for seed in range(4)]
    counts, given = counted(*pictures), tensors(pictures)
    keywords = {"num_classes": CLASSES, "ignore_index": 255}
    confusion = sum(pixels.count_pixels(*one, CLASSES) for one in pictures)
    np.testing.assert_array_equal(confusion, multiclass_confusion_matrix(*given, **keywords))
    there = [number for number in range(CLASSES) if number not in missing]
    for ours, theirs in ((pixels.iou, multiclass_jaccard_index), (pixels.dice, multiclass_f1_score)):
        expected = theirs(*given, average="none", **keywords).numpy()
        np.testing.assert_allclose(ours(counts)[there], expected[there], atol=1e-6)
        assert np.isnan(ours(counts)[list(missing)]).all()
    assert pixels.mean_iou(counts) == pytest.approx(float(multiclass_jaccard_index(*given, **keywords)))
    assert pixels.mean_dice(counts) == pytest.approx(float(multiclass_f1_score(*given, average="macro", **keywords)))
    assert pixels.pixel_accuracy(counts) == pytest.approx(
        float(multiclass_accuracy(*given, average="micro", **keywords))
    )
    recall = multiclass_accuracy(*given, average="none", **keywords).numpy()[there]
    assert pixels.mean_class_accuracy(counts) == pytest.approx(recall.mean())


def test_fcns_worked_example():
    """FACTS: pixel accuracy, mean accuracy, mean IoU and frequency-weighted IoU as FCN's score.py has them."""
    counts = ClassCounts.of(pixels.count_pixels([[0, 0, 0, 1, 1, 2]], [[0, 0, 1, 1, 1, 1]], 3))
    assert pixels.iou(counts) == pytest.approx([2 / 3, 1 / 2, 0])
    assert float(pixels.pixel_accuracy(counts)) == pytest.approx(0.6667, abs=1e-4)
    assert float(pixels.mean_class_accuracy(counts)) == pytest.approx(0.5556, abs=1e-4)
    assert float(pixels.mean_iou(counts)) == pytest.approx(0.3889, abs=1e-4)
    assert float(pixels.frequency_weighted_iou(counts)) == pytest.approx(0.5)


def test_a_class_answered_without_being_there_counts_as_zero():
    counts = ClassCounts.of(pixels.count_pixels([[0, 0, 0, 0]], [[0, 0, 0, 1]], 3))
    assert pixels.iou(counts)[:2].tolist() == [0.75, 0] and np.isnan(pixels.iou(counts)[2])
    assert float(pixels.mean_iou(counts)) == pytest.approx(0.375)


def test_nothing_judged_has_no_figure():
    counts = ClassCounts.of(pixels.count_pixels([[255, 255]], [[0, 1]], 2))
    assert all(np.isnan(figure(counts)) for figure in (pixels.mean_iou, pixels.pixel_accuracy, pixels.mean_dice))


def test_pictures_keep_their_own_axis():
    pictures = [drawn(seed) for seed in range(3)]
    counts = pixels.per_picture([pixels.count_pixels(*one, CLASSES) for one in pictures])
    alone = [pixels.mean_iou(counted(one)) for one in pictures]
    np.testing.assert_allclose(pixels.mean_iou(counts), alone)


@pytest.mark.parametrize(
    ("target", "answer", "says"),
    [
        ([[0, 1]], [[0, 1, 1]], "differ in size"),
        ([[0, 3]], [[0, 1]], "target lie outside"),
        ([[0, 1]], [[0, 255]], "answer lie outside"),
        ([[0, -1]], [[0, 1]], "target lie outside"),
        ([0, 1], [0, 1], "not a map"),
        ([[0.0, 1.0]], [[0, 1]], "not a map"),
    ],
)
def test_errors(target, answer, says):
    with pytest.raises(UsageError, match=says):
        pixels.count_pixels(target, answer, 2)
