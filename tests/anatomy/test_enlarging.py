"""Enlarging two ways, against torch and by the paper's rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import anmok.anatomy
from anmok.anatomy.enlarging import enlarged_then_convolved, stamps, transposed
from anmok.core.errors import UsageError

line = {"deadline": None, "max_examples": 60}


@given(st.integers(1, 9), st.integers(1, 7), st.integers(1, 5), st.integers(0, 2))
@settings(**line)
def test_stamps_are_what_a_kernel_of_ones_adds_up(size, kernel, stride, padding):
    ones = torch.ones(1, 1, size), torch.ones(1, 1, kernel)
    if (size - 1) * stride + kernel - 2 * padding < 1:
        with pytest.raises(UsageError, match="nothing is left"):
            stamps(size, kernel, stride, padding)
        return
    expected = F.conv_transpose1d(*ones, stride=stride, padding=padding)[0, 0]
    assert stamps(size, kernel, stride, padding) == expected.int().tolist()


@given(st.integers(4, 8), st.integers(2, 8), st.integers(2, 4))
@settings(**line)
def test_a_flat_map_stays_flat_exactly_where_the_stride_divides_the_kernel(size, kernel, stride):
    inner = stamps(size, kernel, stride)[kernel:-kernel]
    if len(inner) >= stride and kernel >= stride:
        assert (len(set(inner)) == 1) == (kernel % stride == 0)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (4, 2), (2, 2), (5, 3)])
def test_transposed_by_hand_is_torchs(kernel, stride):
    generator = np.random.default_rng(0)
    values, weights = generator.normal(size=(4, 5)), generator.normal(size=(kernel, kernel))
    expected = F.conv_transpose2d(*(torch.from_numpy(x)[None, None] for x in (values, weights)), stride=stride)
    np.testing.assert_allclose(transposed(values, weights, stride), expected[0, 0].numpy(), atol=1e-12)


def test_enlarging_and_convolving_is_torchs():
    generator = np.random.default_rng(1)
    values, weights = generator.normal(size=(4, 5)), generator.normal(size=(3, 3))
    large = F.interpolate(torch.from_numpy(values)[None, None], scale_factor=2, mode="nearest")
    expected = F.conv2d(F.pad(large, (1, 1, 1, 1), mode="replicate"), torch.from_numpy(weights)[None, None])
    np.testing.assert_allclose(enlarged_then_convolved(values, weights, 2), expected[0, 0].numpy(), atol=1e-12)


def test_the_checkerboard():
    """A flat map through alike weights: 3×3 with stride 2 draws one, of 1 to 4 ninths; the other two ways do not."""
    flat = np.ones((6, 6))
    uneven, even = (transposed(flat, np.full((k, k), 1 / k**2), 2)[k:-k, k:-k] for k in (3, 4))
    assert set(np.unique((uneven * 9).round(6))) == {1, 2, 4}
    assert np.ptp(even) == pytest.approx(0) and np.ptp(enlarged_then_convolved(flat, np.ones((3, 3)), 2)) == 0


@pytest.mark.parametrize(("kernel", "words"), [(3, "1 or 2 inputs a side"), (4, "2 divides 4"), (5, "4 to 9 in all")])
def test_sentences_hold_what_the_layers_cost(kernel, words):
    text = anmok.anatomy.explain_enlarging(16, kernel, 2, channels=(8, 4))
    layer = torch.nn.ConvTranspose2d(8, 4, kernel, 2, bias=False, device="meta")
    seen = anmok.anatomy(layer, (8, 16, 16))
    both = torch.nn.Sequential(torch.nn.Upsample(scale_factor=2), torch.nn.Conv2d(8, 4, 3, padding=1, bias=False))
    other = anmok.anatomy(both.to("meta"), (8, 16, 16))
    assert words in text
    assert f"{seen.parameters:,}, each" in text and f"{seen.macs:,} multiply-adds" in text
    assert f"= {seen.output_shapes[0][1]}." in text
    assert f"{other.parameters:,}, each" in text and f"{other.macs:,} multiply-adds" in text


def test_the_figure_is_drawn(tmp_path):
    figure = anmok.anatomy.enlarging_figure(6, kernel=3, stride=2)
    assert len(figure.axes) == 9
    first = next(axes for axes in figure.axes if axes.images).images[0].get_array()
    assert first.shape == (13, 13) and first.max() / first[4:-4, 4:-4].min() == pytest.approx(4)
    assert anmok.anatomy.save(figure, tmp_path / "enlarging.png", dpi=50).stat().st_size > 5000
    with pytest.raises(UsageError, match="cannot be drawn"):
        anmok.anatomy.enlarging_figure(2)
