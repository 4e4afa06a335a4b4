"""Convolution arithmetic: how large, how many, how much.

One picture axis at a time, in whole numbers. Formulas as in Dumoulin and Visin, *A guide to convolution arithmetic for
deep learning* (arXiv:1603.07285); TensorFlow's rules as in the notes of `tf.nn`. `anmok.anatomy.worked` says the same
in sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from anmok.core.errors import UsageError


class Padding(NamedTuple):
    """Cells added before and after, along one axis."""

    before: int
    after: int


def conv_output(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Output size of a convolution along one axis: ⌊(size + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1.

    Args:
        size: input size, ≥ 1.
        kernel, stride, dilation: ≥ 1.
        padding: cells added on each side, ≥ 0.

    Raises:
        UsageError: where a number is out of range, or the kernel does not fit into the padded input even once.

    >>> conv_output(224, kernel=11, stride=4, padding=2)
    55
    """
    _check(size=size, kernel=kernel, stride=stride, dilation=dilation)
    _check_padding(padding)
    reach = kernel_reach(kernel, dilation)
    if size + 2 * padding < reach:
        raise UsageError(
            "the kernel is larger than the padded input",
            got=f"size {size} with padding {padding} on each side, kernel reaching over {reach}",
            allowed=f"a padded size of at least {reach}",
            fix=f"a size of {reach - 2 * padding} or more, or padding {-(-(reach - size) // 2)}",
        )
    return (size + 2 * padding - reach) // stride + 1


def pool_output(
    size: int,
    kernel: int,
    stride: int | None = None,
    padding: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """Output size of a pooling along one axis; `stride` defaults to the kernel, as in torch.

    With `ceil_mode` a last window may hang over the end, but must start on the input or its left padding.

    >>> pool_output(112, kernel=3, stride=2), pool_output(112, kernel=3, stride=2, ceil_mode=True)
    (55, 56)
    """
    stride = kernel if stride is None else stride
    _check(size=size, kernel=kernel, stride=stride, dilation=dilation)
    _check_padding(padding)
    if 2 * padding > kernel_reach(kernel, dilation):
        raise UsageError("a pooling window could lie in the padding alone", got=f"padding {padding}, kernel {kernel}",
                         allowed="padding of at most half the kernel", fix=f"padding {kernel // 2}")  # fmt: skip
    if not ceil_mode:
        return conv_output(size, kernel, stride, padding, dilation)
    room = size + 2 * padding - kernel_reach(kernel, dilation)
    out = -(-room // stride) + 1
    if (out - 1) * stride >= size + padding:
        out -= 1
    if out < 1:
        raise UsageError("the pooling window does not fit", got=f"size {size}, kernel {kernel}, padding {padding}",
                         allowed="at least one window that starts on the input", fix="a larger input")  # fmt: skip
    return out


def transposed_output(
    size: int, kernel: int, stride: int = 1, padding: int = 0, output_padding: int = 0, dilation: int = 1
) -> int:
    """Output size of a transposed convolution along one axis.

    (size − 1)·stride − 2·padding + dilation·(kernel − 1) + 1 + output_padding, where `output_padding` picks one of
    the `stride` input sizes that the plain convolution would have mapped to `size`.

    >>> transposed_output(7, kernel=4, stride=2, padding=1)
    14
    """
    _check(size=size, kernel=kernel, stride=stride, dilation=dilation)
    _check_padding(padding)
    if not 0 <= output_padding < max(stride, dilation):
        raise UsageError("output padding decides between sizes the stride cannot tell apart", got=output_padding,
                         allowed=f"0 to {max(stride, dilation) - 1}", fix="0")  # fmt: skip
    out = (size - 1) * stride - 2 * padding + kernel_reach(kernel, dilation) + output_padding
    if out < 1:
        raise UsageError("nothing is left of the output", got=f"size {out}", allowed="1 or more", fix="less padding")
    return out


def tensorflow_valid(size: int, kernel: int, stride: int = 1, dilation: int = 1) -> int:
    """TensorFlow's VALID: no padding, windows that do not fit are dropped: ⌈(size − reach + 1) / stride⌉.

    >>> tensorflow_valid(13, kernel=6, stride=5)
    2
    """
    return conv_output(size, kernel, stride, 0, dilation)


def tensorflow_same(size: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[int, Padding]:
    """TensorFlow's SAME: ⌈size / stride⌉ outputs; an odd cell of padding goes after (bottom, right).

    >>> tensorflow_same(224, kernel=7, stride=2)      # torch pads 3 on each side and reads shifted windows
    (112, Padding(before=2, after=3))
    """
    _check(size=size, kernel=kernel, stride=stride, dilation=dilation)
    out = -(-size // stride)
    total = max((out - 1) * stride + kernel_reach(kernel, dilation) - size, 0)
    return out, Padding(total // 2, total - total // 2)


def kernel_reach(kernel: int, dilation: int = 1) -> int:
    """Cells from a dilated kernel's first to its last tap, both counted: dilation·(kernel − 1) + 1."""
    return dilation * (kernel - 1) + 1


def same_padding(kernel: int, dilation: int = 1) -> Padding:
    """Padding that keeps the size at stride 1; an even kernel needs one more cell after than before."""
    _check(kernel=kernel, dilation=dilation)
    total = kernel_reach(kernel, dilation) - 1
    return Padding(total // 2, total - total // 2)


def conv_parameters(
    in_channels: int, out_channels: int, kernel: int | Sequence[int], *, groups: int = 1, bias: bool = True
) -> int:
    """Learned numbers of a convolution: out·(in / groups)·kernel area, and one bias an output channel.

    >>> conv_parameters(3, 64, 11)
    23296
    """
    _check(in_channels=in_channels, out_channels=out_channels, groups=groups)
    if in_channels % groups or out_channels % groups:
        raise UsageError("groups must divide both channel counts", got=f"{in_channels}→{out_channels}, {groups} groups",
                         allowed="a common divisor", fix="groups=1")  # fmt: skip
    return out_channels * (in_channels // groups) * kernel_area(kernel) + (out_channels if bias else 0)


def conv_macs(
    in_channels: int, out_channels: int, kernel: int | Sequence[int], output: Sequence[int], *, groups: int = 1
) -> int:
    """Multiply-adds of a convolution for one picture: its weights, once at every output position. Biases are free.

    >>> conv_macs(3, 64, 11, (55, 55))
    70276800
    """
    positions = 1
    for size in output:
        positions *= size
    return positions * conv_parameters(in_channels, out_channels, kernel, groups=groups, bias=False)


def linear_parameters(in_features: int, out_features: int, bias: bool = True) -> int:
    """Learned numbers of a fully connected layer. Without its biases this is also its multiply-adds."""
    _check(in_features=in_features, out_features=out_features)
    return in_features * out_features + (out_features if bias else 0)


def receptive_field(layers: Sequence[tuple[int, int] | tuple[int, int, int]]) -> tuple[int, int]:
    """Receptive field and jump after a chain of (kernel, stride) or (kernel, stride, dilation), first layer first.

    r ← r + (k − 1)·d·j, then j ← j·s, from r = j = 1.

    >>> receptive_field([(3, 1), (3, 1)])    # two 3×3 see as much as one 5×5
    (5, 1)
    """
    field, jump = 1, 1
    for kernel, stride, *dilation in layers:
        field += (kernel - 1) * (dilation[0] if dilation else 1) * jump
        jump *= stride
    return field, jump


def kernel_area(kernel: int | Sequence[int]) -> int:
    """Weights of one kernel for one input channel; a single number means a square."""
    if isinstance(kernel, int):
        return kernel * kernel
    area = 1
    for side in kernel:
        area *= side
    return area


def _check(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise UsageError(f"{name} is too small", got=number, allowed="1 or more", fix=f"{name}=1")


def _check_padding(padding: int) -> None:
    if padding < 0:
        raise UsageError("padding cannot be negative", got=padding, allowed="0 or more", fix="padding=0")
