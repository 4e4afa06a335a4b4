"""How the field of a tensor passes through windows: convolution, pooling, interpolation, padding, slices.

Each rule takes the field, the input's shape, the output's shape and the operator's arguments by their ATen names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from anmok.anatomy import taps
from anmok.anatomy.fields import Field

Shape = Sequence[int]
Arguments = Mapping[str, Any]


def spread(value: Any, count: int) -> tuple[int, ...]:
    """An argument that may be one number, a list of one, or a list of one each, as a list of one each."""
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    return values if len(values) == count else values * count


def convolution(field: Field, x: Shape, out: Shape, a: Arguments) -> Field:
    """aten.convolution, plain and transposed: all channels of a group mix, windows walk along the last dimensions."""
    count = len(x) - 2
    stride, padding, dilation = (spread(a[name], count) for name in ("stride", "padding", "dilation"))
    if not (a["groups"] == x[1] == out[1]):
        field = field.reduce([1])
    for i in range(count):
        d, kernel = i + 2, a["weight"].shape[i + 2]
        if a["transposed"]:
            positions, mask = taps.transposed(out[d], kernel, stride[i], padding[i], dilation[i])
            field = field.gather(d, positions, Fraction(1, stride[i]), mask)
        else:
            field = field.gather(d, taps.window(out[d], kernel, stride[i], padding[i], dilation[i]), stride[i])
    return field


def pooling(field: Field, x: Shape, out: Shape, a: Arguments) -> Field:
    """Maximum and average pooling over the last dimensions."""
    kernel = tuple(a["kernel_size"])
    count = len(kernel)
    stride = spread(a.get("stride") or kernel, count)  # an empty stride means the kernel's size
    padding, dilation = spread(a.get("padding") or 0, count), spread(a.get("dilation") or 1, count)
    for i in range(count):
        d = len(x) - count + i
        if out[d] == 1 and kernel[i] == x[d] > 1:  # pooled over everything there is: no neighbours, no jump
            field = field.reduce([d])
        else:
            field = field.gather(d, taps.window(out[d], kernel[i], stride[i], padding[i], dilation[i]), stride[i])
    return field


def adaptive(field: Field, x: Shape, out: Shape, a: Arguments) -> Field:
    """Adaptive pooling. One output alone has no neighbours, so no jump."""
    count = len(a["output_size"])
    for d in range(len(x) - count, len(x)):
        if out[d] == 1 and x[d] > 1:
            field = field.reduce([d])
        else:
            positions, mask = taps.adaptive(x[d], out[d])
            field = field.gather(d, positions, Fraction(x[d], out[d]), mask)
    return field


def resampling(reach: int) -> Any:
    """Interpolation that reads `reach` neighbours to each side."""

    def rule(field: Field, x: Shape, out: Shape, a: Arguments) -> Field:
        for d in range(2, len(x)):
            if out[d] != x[d]:
                positions, mask = taps.resampled(x[d], out[d], reach, bool(a.get("align_corners")))
                field = field.gather(d, positions, Fraction(x[d], out[d]), mask)
        return field

    return rule


def padding(field: Field, x: Shape, out: Shape, a: Arguments) -> Field:
    """Padding of any mode: the tensor goes on beyond its edges as it went on inside."""
    amounts = spread(a.get("pad", a.get("padding")), 1)
    for i in range(len(amounts) // 2):
        d = len(x) - 1 - i
        field = field.gather(d, taps.window(out[d], 1, 1, amounts[2 * i]))
    return field


def slicing(field: Field, x: Shape, out: Shape, a: Arguments) -> Field:
    """aten.slice: x[start:end:step] along one dimension."""
    d = a["dim"] % len(x)
    return _pick(field, d, np.asarray(sliced(x[d], a, out[d])), a["step"])


def sliced(size: int, a: Arguments, outputs: int) -> list[int]:
    """The positions that aten.slice shows of `size`."""
    start = a["start"] or 0
    start = max(start + size, 0) if start < 0 else min(start, size)
    return [start + i * a["step"] for i in range(outputs)]


def selecting(field: Field, x: Shape, out: Shape, a: Arguments) -> Field:
    """aten.select: x[index], which removes the dimension."""
    d = a["dim"] % len(x)
    return _pick(field, d, np.array([a["index"] % x[d]])).reduce([d], keepdim=False)


def part(field: Field, d: int, start: int, length: int) -> Field:
    """One piece of a split tensor."""
    return _pick(field, d, start + np.arange(length))


def picking(field: Field, x: Shape, d: int, positions: Sequence[int]) -> Field:
    """Positions in any order: index_select and the like."""
    picked = _pick(field, d, np.asarray(positions, np.int64) % x[d])
    return Field(picked.first, picked.last, None, None) if picked.dim == d else picked


def flipping(field: Field, x: Shape, out: Shape, a: Arguments) -> Field:
    """aten.flip."""
    for d in a["dims"]:
        field = picking(field, x, d % len(x), range(x[d] - 1, -1, -1))
    return field


def rolling(field: Field, x: Shape, out: Shape, a: Arguments) -> Field:
    """aten.roll along dimensions."""
    for d, shift in zip(a["dims"], a["shifts"], strict=False):
        if field.varies(d % len(x)):
            field = picking(field, x, d % len(x), (np.arange(x[d]) - shift).tolist())
    return field


def pixel_shuffle(field: Field, x: Shape, out: Shape, a: Arguments) -> Field:
    """Channels become pixels: output o comes from position o // r."""
    r = a["upscale_factor"]
    field = field.reduce([len(x) - 3])
    for d in (len(x) - 2, len(x) - 1):
        field = field.gather(d, (np.arange(out[d]) // r)[:, None], Fraction(1, r))
    return field


def pixel_unshuffle(field: Field, x: Shape, out: Shape, a: Arguments) -> Field:
    """Pixels become channels: output o holds the positions o·r … o·r + r − 1."""
    r = a["downscale_factor"]
    field = field.reduce([len(x) - 3])
    for d in (len(x) - 2, len(x) - 1):
        field = field.gather(d, taps.window(out[d], r, r), r)
    return field


def _pick(field: Field, d: int, positions: np.ndarray, jump: int = 1) -> Field:
    return field.gather(d, positions[:, None], jump)
