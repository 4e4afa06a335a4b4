"""Convolution arithmetic against torch itself (meta tensors) and hand-worked values."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

import anmok.anatomy
from anmok.anatomy.arithmetic import Padding
from anmok.anatomy.worked import (
    explain_1x1,
    explain_conv_output,
    explain_cost,
    explain_pool_output,
    explain_same_padding,
    explain_transposed_output,
    explain_two_3x3,
    inception_cost,
)
from anmok.core.errors import UsageError

sizes, kernels, strides = st.integers(1, 60), st.integers(1, 9), st.integers(1, 5)
line = {"deadline": None, "max_examples": 150}


def meta(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


@given(sizes, kernels, strides, st.integers(0, 6), st.integers(1, 4))
@settings(**line)
def test_conv_output_is_torchs(size, kernel, stride, padding, dilation):
    try:
        theirs = F.conv1d(meta(1, 1, size), meta(1, 1, kernel), None, stride, padding, dilation).shape[-1]
    except RuntimeError:
        with pytest.raises(UsageError, match="larger than the padded input"):
            anmok.anatomy.conv_output(size, kernel, stride, padding, dilation)
    else:
        assert anmok.anatomy.conv_output(size, kernel, stride, padding, dilation) == theirs


@given(sizes, kernels, strides, st.integers(0, 4), st.integers(1, 3), st.booleans())
@settings(**line)
def test_pool_output_is_torchs(size, kernel, stride, padding, dilation, ceil_mode):
    assume(padding <= kernel // 2)
    try:
        theirs = F.max_pool2d(meta(1, 1, size, size), kernel, stride, padding, dilation, ceil_mode).shape[-1]
    except RuntimeError:
        with pytest.raises(UsageError):
            anmok.anatomy.pool_output(size, kernel, stride, padding, dilation, ceil_mode)
    else:
        assert anmok.anatomy.pool_output(size, kernel, stride, padding, dilation, ceil_mode) == theirs


@given(sizes, kernels, strides, st.integers(0, 4), st.integers(0, 4), st.integers(1, 3))
@settings(**line)
def test_transposed_output_is_torchs(size, kernel, stride, padding, extra, dilation):
    arguments = (size, kernel, stride, padding, extra, dilation)
    try:
        layer = nn.ConvTranspose1d(1, 1, kernel, stride, padding, extra, dilation=dilation, device="meta")
        theirs = layer(meta(1, 1, size)).shape[-1]
    except RuntimeError:
        theirs = 0
    if theirs < 1 or extra >= max(stride, dilation):
        with pytest.raises(UsageError):
            anmok.anatomy.transposed_output(*arguments)
    else:
        assert anmok.anatomy.transposed_output(*arguments) == theirs


@given(sizes, kernels, strides, st.integers(1, 3))
@settings(**line)
def test_a_transposed_convolution_leads_back(size, kernel, stride, dilation):
    """Each size is reached again from its convolution's output, with the right output padding."""
    assume(size >= dilation * (kernel - 1) + 1)
    small = anmok.anatomy.conv_output(size, kernel, stride, 0, dilation)
    back = [anmok.anatomy.transposed_output(small, kernel, stride, 0, extra, dilation) for extra in range(stride)]
    assert size in back


@given(sizes, kernels, strides)
@settings(**line)
def test_same_padding_gives_the_size_it_promises(size, kernel, stride):
    out, padding = anmok.anatomy.tensorflow_same(size, kernel, stride)
    assert 0 <= padding.after - padding.before <= 1
    padded = F.pad(meta(1, 1, size), tuple(padding))
    if padded.shape[-1] >= kernel:  # a stride above the kernel may leave less than one window
        assert F.conv1d(padded, meta(1, 1, kernel), None, stride).shape[-1] == out


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "out", "padding"),
    [(224, 7, 2, 112, (2, 3)), (112, 3, 2, 56, (0, 1)), (28, 3, 2, 14, (0, 1)), (13, 6, 5, 3, (1, 2))],
)
def test_tensorflows_rule_by_its_own_notes(size, kernel, stride, out, padding):
    assert anmok.anatomy.tensorflow_same(size, kernel, stride) == (out, Padding(*padding))


def test_valid_and_same_at_stride_one():
    assert anmok.anatomy.tensorflow_valid(13, 6, 5) == 2
    assert [anmok.anatomy.same_padding(kernel) for kernel in (1, 2, 3, 4)] == [(0, 0), (0, 1), (1, 1), (1, 2)]
    assert anmok.anatomy.same_padding(3, dilation=2) == (2, 2)


def test_fcns_chain_of_sizes():
    """500² through FCN-32s: conv1_1 pads 100, five poolings round up, fc6 7×7, deconvolution 64/32."""
    size = anmok.anatomy.conv_output(500, 3, padding=100)
    chain = [size]
    for _ in range(5):
        chain.append(anmok.anatomy.pool_output(chain[-1], 2, ceil_mode=True))
    chain.append(anmok.anatomy.conv_output(chain[-1], 7))
    assert chain == [698, 349, 175, 88, 44, 22, 16]
    assert anmok.anatomy.transposed_output(16, 64, 32) == 544


@given(st.integers(1, 6), st.integers(1, 6), kernels, st.integers(1, 4), st.booleans())
@settings(**line)
def test_parameters_and_multiply_adds_are_the_layers(i, o, kernel, groups, bias):
    layer = nn.Conv2d(i * groups, o * groups, kernel, padding=4, groups=groups, bias=bias, device="meta")
    seen = anmok.anatomy(layer, (i * groups, 9, 9))
    numbers = {"groups": groups}
    assert anmok.anatomy.conv_parameters(i * groups, o * groups, kernel, bias=bias, **numbers) == seen.parameters
    assert anmok.anatomy.conv_macs(i * groups, o * groups, kernel, seen.output_shapes[0][1:], **numbers) == seen.macs
    assert anmok.anatomy.linear_parameters(i, o, bias) == sum(p.numel() for p in nn.Linear(i, o, bias).parameters())


def test_receptive_fields_of_known_chains():
    alexnet = [(11, 4), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1)]
    assert anmok.anatomy.receptive_field(alexnet) == (163, 16)
    assert anmok.anatomy.receptive_field([*alexnet, (3, 2)]) == (195, 32)
    assert anmok.anatomy.receptive_field([(3, 1, 2), (3, 1)]) == (7, 1)


def test_what_a_1x1_saves_in_the_whole_inception_block():
    """Against GoogLeNet's block 3a as a network: 1×1, 1×1+3×3, 1×1+5×5, pooling+1×1."""
    branches = [
        nn.Conv2d(192, 64, 1, bias=False),
        nn.Sequential(nn.Conv2d(192, 96, 1, bias=False), nn.Conv2d(96, 128, 3, padding=1, bias=False)),
        nn.Sequential(nn.Conv2d(192, 16, 1, bias=False), nn.Conv2d(16, 32, 5, padding=2, bias=False)),
        nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(192, 32, 1, bias=False)),
    ]
    seen = [anmok.anatomy(branch, (192, 28, 28)) for branch in branches]
    assert inception_cost(reduce=True) == (sum(s.parameters for s in seen), sum(s.macs for s in seen))
    bare = [branches[0], nn.Conv2d(192, 128, 3, padding=1, bias=False), nn.Conv2d(192, 32, 5, padding=2, bias=False)]
    seen = [anmok.anatomy(branch, (192, 28, 28)) for branch in bare]
    assert inception_cost(reduce=False) == (sum(s.parameters for s in seen), sum(s.macs for s in seen))
    assert "2.4 times" in explain_1x1()


@given(sizes, kernels, strides, st.integers(0, 4), st.integers(1, 3))
@settings(**line)
def test_sentences_end_in_the_right_number(size, kernel, stride, padding, dilation):
    assume(size + 2 * padding >= dilation * (kernel - 1) + 1)
    out = anmok.anatomy.conv_output(size, kernel, stride, padding, dilation)
    assert explain_conv_output(size, kernel, stride, padding, dilation).endswith(f"Output size: {out}.")
    assert f"= {anmok.anatomy.tensorflow_same(size, kernel, stride)[0]} outputs" in explain_same_padding(
        size, kernel, stride
    )


def test_sentences_hold_the_worked_numbers():
    assert "28 % fewer" in explain_two_3x3()
    assert "23,296 parameters" in explain_cost(3, 64, 11, (55, 55))
    assert "55 windows" in explain_pool_output(112, 3, 2) and "56" in explain_pool_output(112, 3, 2)
    assert "14 and 15 to 7" in explain_transposed_output(7, 4, stride=2, padding=1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: anmok.anatomy.conv_output(0, 3),
        lambda: anmok.anatomy.conv_output(8, 3, padding=-1),
        lambda: anmok.anatomy.pool_output(8, 2, padding=2),
        lambda: anmok.anatomy.transposed_output(4, 3, 2, output_padding=2),
        lambda: anmok.anatomy.conv_parameters(3, 4, 3, groups=2),
    ],
)
def test_numbers_out_of_range_are_refused(call):
    with pytest.raises(UsageError) as caught:
        call()
    assert caught.value.allowed and caught.value.fix
