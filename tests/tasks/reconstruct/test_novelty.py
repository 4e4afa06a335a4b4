"""Ways of judging what is unusual, against NumPy, and the threshold by its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from anmok.core.strangeness import Threshold, choose_threshold, labelled
from anmok.tasks.reconstruct.memory import PatchMemory, covering, drawn_to_size, remembered_patches
from anmok.tasks.reconstruct.novelty import ByCode

from .conftest import bars, with_squares


def test_code_distance_is_mahalanobis() -> None:
    """With all directions kept; equal to the definition with the inverse covariance."""
    rng = np.random.default_rng(0)
    codes = (rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5)) + 3).astype(np.float32)
    judge = ByCode(5, 5)
    judge.fit(codes)
    away = codes - codes.mean(0)
    expected = np.einsum("ni,ij,nj->n", away, np.linalg.inv(np.cov(codes, rowvar=False)), away)
    np.testing.assert_allclose(judge.distance(torch.from_numpy(codes)).numpy(), expected, rtol=1e-3)


def test_what_lies_outside_the_kept_directions_counts() -> None:
    codes = np.zeros((100, 4), np.float32)
    codes[:, 0] = np.random.default_rng(0).normal(size=100)
    codes[:, 3] = 0.01 * np.random.default_rng(1).normal(size=100)
    judge = ByCode(4, 1)
    judge.fit(codes)
    usual, beside = judge.distance(torch.tensor([[1.0, 0, 0, 0], [0, 0, 1.0, 0]]))
    assert usual < 3 and beside > 1000


def test_covering_picks_the_farthest_each_time() -> None:
    """Against the definition, on points whose projection keeps the order: three clumps need three points."""
    torch.manual_seed(0)
    clumps = torch.cat([torch.randn(30, 8) * 0.01 + 10 * torch.eye(8)[k] for k in range(3)])
    chosen = covering(clumps, 3, torch.Generator().manual_seed(1))
    assert {int(row) // 30 for row in chosen} == {0, 1, 2}
    assert len(set(covering(torch.randn(50, 8), 50, torch.Generator()).tolist())) == 50


def test_memory_knows_what_it_has_seen_and_where_it_has_not() -> None:
    usual = torch.from_numpy(bars(12) / 255).float()[:, None]
    memory = PatchMemory(remembered_patches(3, 16), channels=1, size=16)
    memory.fit([usual[:3]])
    torch.testing.assert_close(memory(usual[:3]), torch.zeros(3, 16, 16), atol=2e-3, rtol=0)  # all were kept
    marked, masks = with_squares(bars(12))
    heat = drawn_to_size(memory(torch.from_numpy(marked / 255).float()[:, None])[:, None], 16)[:, 0].numpy()
    plain = drawn_to_size(memory(usual)[:, None], 16)[:, 0].numpy()
    assert (heat - plain)[masks].mean() > 3 * abs((heat - plain)[~masks].mean())


def test_heat_is_smoothed_and_keeps_its_sum() -> None:
    spot = torch.zeros(1, 1, 50, 50)
    spot[0, 0, 25, 25] = 1
    smooth = drawn_to_size(spot, 50)[0, 0]
    y, x = np.mgrid[:50, :50] - 25
    expected = np.where(np.maximum(abs(x), abs(y)) <= 2, np.exp(-(x**2 + y**2) / 2), 0)
    np.testing.assert_allclose(smooth.numpy(), expected / expected.sum(), atol=1e-6)


@pytest.mark.parametrize(("count", "place"), [(10, 10), (98, 98), (99, 99), (100, 100), (199, 198), (1000, 991)])
def test_threshold_by_its_definition(count: int, place: int) -> None:
    """The ⌈0.99 (n + 1)⌉-th smallest, the largest where there is no such one."""
    scores = np.random.default_rng(0).permutation(count) + 1.0
    found = choose_threshold("code", scores)
    assert found.value == place == min(count, math.ceil(0.99 * (count + 1)))
    assert Threshold.from_json(found.to_json()) == found


def test_at_most_one_in_a_hundred_new_usual_pictures_is_flagged() -> None:
    rng = np.random.default_rng(0)
    flagged = [(rng.normal(size=500) > choose_threshold("", rng.normal(size=300)).value).mean() for _ in range(200)]
    assert np.mean(flagged) < 0.0105


def test_labels() -> None:
    threshold = Threshold("code", 5.0, (1.0, 2.0, 3.0, 6.0), 4)
    assert labelled(threshold, 2.5) == (("usual",), (0.5,))
    assert labelled(threshold, 7.0) == (("unusual",), (1.0,))
    assert labelled(None, 7.0) == labelled(threshold, None) == (None, None)
