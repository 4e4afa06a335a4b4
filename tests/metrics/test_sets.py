"""Figures of drawn sets against torchmetrics' formulas, loops written out, and sets whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.image.fid import _compute_fid
from torchmetrics.image.kid import poly_mmd

from anmok.core.errors import UsageError
from anmok.metrics import SET_METRICS
from anmok.metrics.collapse import elbow_room, variety
from anmok.metrics.copies import copies
from anmok.metrics.frechet_distance import frechet_distance
from anmok.metrics.kernel_distance import kernel_distance, kernel_distance_interval, kernel_distance_spread
from anmok.metrics.manifolds import manifolds


def features(count: int, seed: int = 0, shift: float = 0.0, width: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (count, width)) * np.linspace(0.5, 2, width)


def test_kernel_distance_equals_torchmetrics() -> None:
    drawn, real = features(60, 1, shift=0.5), features(60, 2)
    expected = poly_mmd(torch.from_numpy(real), torch.from_numpy(drawn), degree=3, gamma=None, coef=1.0)
    assert kernel_distance(drawn, real) == pytest.approx(expected.item(), rel=1e-9)


def test_kernel_distance_of_unequal_counts_by_loops() -> None:
    drawn, real = features(5, 1), features(7, 2)

    def similarity(x: np.ndarray, y: np.ndarray) -> float:
        return (x @ y / 12 + 1) ** 3

    inside = np.mean([similarity(a, b) for i, a in enumerate(drawn) for j, b in enumerate(drawn) if i != j])
    inside += np.mean([similarity(a, b) for i, a in enumerate(real) for j, b in enumerate(real) if i != j])
    between = np.mean([similarity(a, b) for a in drawn for b in real])
    assert kernel_distance(drawn, real) == pytest.approx(inside - 2 * between)


def test_kernel_distance_is_unbiased() -> None:
    """Of equal distributions it is 0 on average, and small sets do not look worse than large ones."""
    figures = [kernel_distance(features(20, 2 * s), features(20, 2 * s + 1)) for s in range(60)]
    assert abs(np.mean(figures)) < 2 * np.std(figures) / np.sqrt(60)
    mean, spread = kernel_distance_spread(features(300, 1, 0.5), features(300, 2), subsets=20, size=60)
    assert mean == pytest.approx(kernel_distance(features(300, 1, 0.5), features(300, 2)), abs=3 * spread / np.sqrt(20))


def test_kernel_distance_interval_is_the_jackknife_by_loops_and_holds() -> None:
    drawn, real = features(9, 1, shift=0.3), features(7, 2)
    left_out = [np.array([kernel_distance(np.delete(drawn, i, 0), real) for i in range(9)]),
                np.array([kernel_distance(drawn, np.delete(real, i, 0)) for i in range(7)])]  # fmt: skip
    error = np.sqrt(sum((len(part) - 1) * part.var() for part in left_out))
    found = kernel_distance_interval(drawn, real)
    assert found.value == pytest.approx(kernel_distance(drawn, real), rel=1e-9)
    assert found.high - found.value == pytest.approx(1.959964 * error) == pytest.approx(found.value - found.low)
    truth = kernel_distance(features(3000, 98, 0.3), features(3000, 99))
    told = [kernel_distance_interval(features(60, 2 * s, 0.3), features(60, 2 * s + 1)) for s in range(100)]
    assert 88 <= sum(one.low <= truth <= one.high for one in told) <= 100
    assert np.isnan(kernel_distance_interval(drawn[:2], real).low)


@pytest.mark.parametrize("count", [200, 8])
def test_frechet_distance_equals_torchmetrics(count: int) -> None:
    """Also of sets too small for their features, where covariances are singular."""
    drawn, real = features(count, 1, shift=0.3), features(count, 2)
    moments = [torch.from_numpy(part) for f in (real, drawn) for part in (f.mean(0), np.cov(f, rowvar=False))]
    assert frechet_distance(drawn, real) == pytest.approx(_compute_fid(*moments).item(), rel=1e-3)


def test_frechet_distance_of_known_normals() -> None:
    """Of one set shifted by v it is |v|²; scaled by s, (s − 1)² times its total variance."""
    real = features(100)
    assert frechet_distance(real + 2, real) == pytest.approx(12 * 4)
    centred = real - real.mean(0)
    assert frechet_distance(3 * centred, centred) == pytest.approx(4 * real.var(0, ddof=1).sum())
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-6)


def test_manifolds_by_loops() -> None:
    drawn, real, k = features(25, 1, shift=0.4), features(40, 2), 3

    def radius(of: np.ndarray, among: np.ndarray) -> float:
        return sorted(np.linalg.norm(of - other) for other in among)[k]  # [0] is itself

    real_balls = [radius(y, real) for y in real]
    drawn_balls = [radius(x, drawn) for x in drawn]
    within = np.array([[np.linalg.norm(x - y) <= r for y, r in zip(real, real_balls, strict=True)] for x in drawn])
    recalled = np.array([[np.linalg.norm(x - y) <= r for x, r in zip(drawn, drawn_balls, strict=True)] for y in real])
    found = manifolds(drawn, real, k)
    assert found.precision == within.any(1).mean()
    assert found.recall == recalled.any(1).mean()
    assert found.density == pytest.approx(within.sum() / (k * len(drawn)))
    assert found.coverage == within.any(0).mean()
    assert found.recalled.tolist() == recalled.any(1).tolist()
    assert found.balls == pytest.approx(within.sum(1) / k)


def test_manifolds_tell_bad_pictures_from_missing_kinds() -> None:
    two_kinds = np.concatenate([features(200, 1), features(200, 2, shift=30)])
    one_kind, beside = manifolds(features(400, 3), two_kinds), manifolds(features(400, 4, shift=99), two_kinds)
    assert one_kind.precision > 0.9 and one_kind.recall < 0.6 and one_kind.coverage < 0.6
    assert (beside.precision, beside.recall, beside.coverage) == (0, 0, 0)
    same = manifolds(two_kinds, two_kinds)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1) and same.density == pytest.approx(
        1.2
    )  # k + itself


def test_copies_are_told_from_new_pictures() -> None:
    train, new = features(300, 1), features(50, 2)
    again = train[:30] + 1e-3
    found = copies(np.concatenate([new, again]), train)
    assert found.share == 30 / 80
    assert found.rows[50:].tolist() == list(range(30))
    assert found.distance[50] == pytest.approx(1e-3 * np.sqrt(12), rel=1e-4)
    blurred = np.full((20, 12), train.mean(0))  # near everything, a copy of nothing
    assert copies(blurred, train).share == 0
    doubled = np.concatenate([train, train])
    assert copies(train[:5], doubled).share == 1 and copies(new, doubled).share == 0


def test_collapse_to_one_picture_and_to_a_few() -> None:
    real = features(200, 1)
    assert variety(features(200, 2), real) == pytest.approx(1, abs=0.15)
    assert elbow_room(features(200, 2), real) == pytest.approx(1, abs=0.15)
    one = real[:1] + 0.01 * features(200, 3)
    assert variety(one, real) < 0.01 and elbow_room(one, real) < 0.05
    few = np.repeat(real[:5], 40, 0) + 0.01 * features(200, 3)
    assert variety(few, real) > 0.5  # spread alone does not show it
    assert elbow_room(few, real) < 0.05
    assert elbow_room(features(50, 2), features(2000, 1)) == pytest.approx(1, abs=0.2)  # counts do not matter


@pytest.mark.parametrize("name", SET_METRICS)
def test_equal_sets_beat_different_ones(name: str) -> None:
    figure = SET_METRICS[name]
    sign = 1 if figure.mode == "max" else -1
    real, alike = features(150, 1), features(150, 2)
    worse = 0.05 * features(150, 3, shift=8) if name in ("variety", "elbow_room") else features(150, 3, shift=8)
    assert sign * figure(alike, real) > sign * figure(worse, real)
    order = np.random.default_rng(0).permutation(150)
    if name != "elbow_room":  # which draws when counts differ
        assert figure(alike[order], real) == pytest.approx(figure(alike, real), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", SET_METRICS)
@pytest.mark.parametrize(
    ("drawn", "says"),
    [
        (np.zeros((9, 3)), "do not fit"),
        (np.zeros(9), "do not fit"),
        (np.zeros((1, 12)), "too few"),
        (np.full((9, 12), np.nan), "not finite"),
    ],
)
def test_errors_say_what_arrived(name: str, drawn: np.ndarray, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        SET_METRICS[name](drawn, features(20))
