"""Wrong labels planted into clean data: how many are found, and how many right ones are doubted."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits

from anmok.data.load import load_data
from anmok.tasks.mislabelled import features_of, out_of_fold, suspects


class Kept:
    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    def gather(self, rows: np.ndarray) -> np.ndarray:
        return self.pixels[rows]


def digits() -> tuple[np.ndarray, np.ndarray]:
    found = load_digits()
    return (found.images * 15.9).astype(np.uint8)[..., None], found.target


def garments(count: int) -> tuple[np.ndarray, np.ndarray]:
    data = load_data("samples")
    chosen = list(data.entries)[:count]
    return np.stack([data.pictures.read(e.locator) for e in chosen]), np.array([e.target for e in chosen])


def planted(labels: np.ndarray, share: float, systematic: bool = False, seed: int = 1) -> np.ndarray:
    """Labels with this share changed to any other, or of each class to one other."""
    generator, count = np.random.default_rng(seed), labels.max() + 1
    wrong, others = generator.random(len(labels)) < share, generator.integers(1, count, len(labels))
    if systematic:
        others = np.full(len(labels), 3)
    return np.where(wrong, (labels + others) % count, labels)


def found(pixels: np.ndarray, truth: np.ndarray, told: np.ndarray) -> tuple[float, float, float]:
    """Share of pictures doubted, precision and recall."""
    rows = np.arange(len(truth))
    doubted = [s.position for s in suspects(told, out_of_fold(features_of(Kept(pixels), rows), told, rows))]
    wrong = told != truth
    hits = int(wrong[doubted].sum())
    return len(doubted) / len(truth), hits / max(1, len(doubted)), hits / max(1, wrong.sum())


def test_few_right_labels_are_doubted() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # sklearn's ConvergenceWarning among them
        pixels, truth = digits()
        assert found(pixels, truth, truth)[0] < 0.005
        pixels, truth = garments(800)
        assert found(pixels, truth, truth)[0] < 0.025


@pytest.mark.parametrize(("share", "systematic", "precision", "recall"), [
    (0.01, False, 0.8, 0.8), (0.05, False, 0.9, 0.8), (0.1, False, 0.9, 0.75), (0.05, True, 0.9, 0.8),
])  # fmt: skip
def test_wrong_digits_are_found(share: float, systematic: bool, precision: float, recall: float) -> None:
    pixels, truth = digits()
    _, right, whole = found(pixels, truth, planted(truth, share, systematic))
    assert right >= precision and whole >= recall


def test_labels_that_nobody_can_judge_are_left_alone() -> None:
    sure = np.array([[0.99, 0.01], [np.nan, np.nan], [0.01, 0.99]])
    assert suspects(np.array([-1, 1, 0]), sure)[0].position == 2
    assert suspects(np.array([0, 0, 1]), sure) == []


@pytest.mark.slow
@pytest.mark.parametrize(("share", "systematic", "precision", "recall"), [
    (0.01, False, 0.35, 0.8), (0.05, False, 0.75, 0.75), (0.1, False, 0.85, 0.7), (0.05, True, 0.7, 0.6),
])  # fmt: skip
def test_wrong_garments_are_found(share: float, systematic: bool, precision: float, recall: float) -> None:
    pixels, truth = garments(6000)
    _, right, whole = found(pixels, truth, planted(truth, share, systematic))
    assert right >= precision and whole >= recall
