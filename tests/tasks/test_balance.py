"""Uneven classes: weights by hand and against scikit-learn, even epochs, and what training decides."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from anmok.data.augment import Augment
from anmok.tasks.balance import EvenLoader, class_weights, even_order, measure_balance

TARGETS = np.repeat([0, 1, 2], [90, 20, 4])


def test_weights_equal_scikit_learns() -> None:
    expected = compute_class_weight("balanced", classes=np.arange(3), y=TARGETS)
    assert class_weights([90, 20, 4]) == pytest.approx(list(expected))
    assert class_weights([3, 0, 1]) == pytest.approx([4 / 6, 0.0, 2.0])


@pytest.mark.parametrize(("counts", "how"), [([50, 40], "none"), ([50, 10], "weights"), ([500, 10], "sampling")])
def test_the_decision_follows_the_measured_imbalance(counts: list[int], how: str) -> None:
    found = measure_balance(np.repeat([0, 1], counts), 2)
    assert found.how == how and found.ratio == counts[0] / counts[1] and how in found.verdict
    assert measure_balance(np.repeat([0, 1], counts), 2, "none").how == "none"


def test_every_class_is_equally_frequent_and_every_rare_picture_as_often_as_the_next() -> None:
    order = even_order(TARGETS, seed=0, epoch=0)
    assert len(order) == len(TARGETS)
    assert np.bincount(TARGETS[order]).tolist() == [38, 38, 38]
    rare = np.bincount(order, minlength=114)[110:]
    assert rare.max() - rare.min() <= 1 and rare.sum() == 38
    assert np.bincount(order, minlength=114)[:90].max() == 1


def test_an_epoch_follows_from_seed_and_number() -> None:
    assert (even_order(TARGETS, 0, 1) == even_order(TARGETS, 0, 1)).all()
    assert (even_order(TARGETS, 0, 1) != even_order(TARGETS, 0, 2)).any()


class Numbers:
    def gather(self, rows: np.ndarray) -> np.ndarray:
        return np.broadcast_to(rows.astype(np.uint8)[:, None, None, None], (len(rows), 4, 4, 1)).copy()


def test_the_loader_hands_out_whole_even_epochs_that_go_on_anywhere() -> None:
    ids = [str(n) for n in range(114)]
    loader = EvenLoader(Numbers(), np.arange(114), TARGETS, ids, 4, 19, seed=3, augment=Augment())
    batches = list(loader.epoch(2))
    assert np.bincount(np.concatenate([b.targets for b in batches])).tolist() == [38, 38, 38]
    assert [b.ids for b in loader.epoch(2, start=4)] == [b.ids for b in batches[4:]]
    in_order = EvenLoader(Numbers(), np.arange(114), TARGETS, ids, 4, 19)
    assert [name for b in in_order.epoch(0) for name in b.ids] == ids
