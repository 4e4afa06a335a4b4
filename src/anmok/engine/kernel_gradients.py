"""Kernels' gradients as one matrix product, where a processor's convolution library takes several times longer.

A kernel's gradient is a sum over all places of all pictures: what arrives at a place, times the patch under it. On
small maps that sum is short for every picture and long over the batch, which is what a matrix product is good at, once
the patches are laid out as rows; oneDNN goes picture by picture. Two cores with AMX, bf16, milliseconds (torch 2.15):

    maps of the gradient, channels, kernel, batch     oneDNN    here
    3 × 3,   64 →  64, 3 × 3, 256                        2.8     0.7     small_resnet's last block
    4 × 4,  256 → 512, 4 × 4, stride 2, 64              54.1     7.5     dcgan
    6 × 6,  256 → 256, 3 × 3, 16                         4.4     0.7     a U-Net's middle
    7 × 7,  512 → 512, 3 × 3, 32                        41.5    16.3     resnet18's end
    8 × 8,  128 → 256, 4 × 4, stride 2, 64              23.3     9.4     dcgan
    14 × 14, 16 →  32, 3 × 3, 256                        1.1     3.2     not done here: many places, few channels

The way back through a strided convolution, and forth through a transposed one, is a matrix product as well, its patches
added up where they overlap: 11 ms instead of 32 for dcgan's 4 × 4, and slower than the library on all larger maps.

The values differ by no more than bf16's rounding, since sums are in float32. Which way is taken follows from shapes
alone, never from a clock, so that a run can be had again to the bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FEW, SMALL = 16, 64  # places of a map: always worth it up to the first; up to the second, with so many channels:
MANY = 64
Pair = tuple[int, int]


@contextmanager
def by_matrix_products(networks: Iterable[nn.Module]) -> Iterator[None]:
    """While this lasts, these networks' convolutions learn as above wherever bf16 is computed and maps are small.

    Layers with groups, dilation, `output_padding` or padding other than zeros stay as they are, and so do answers that
    nothing learns from.
    """
    changed = [layer for network in networks for layer in network.modules() if _plain(layer)]
    for layer in changed:
        if isinstance(layer, nn.ConvTranspose2d):
            layer.forward = MethodType(_transposed, layer)  # type: ignore[method-assign]
        else:
            layer._conv_forward = MethodType(_straight, layer)  # type: ignore[assignment]
    try:
        yield
    finally:
        for layer in changed:
            for name in ("forward", "_conv_forward"):
                layer.__dict__.pop(name, None)


def kernel_gradient(rows: Tensor, maps: Tensor, kernel: Pair, stride: Pair, padding: Pair) -> Tensor:
    """What every kernel should change by: Σ over pictures and places of (value at the place) × (patch under it).

    Args:
        rows: (N, O, h, w), one value a place; of a convolution what arrives from above, of a transposed one its input.
        maps: (N, C, H, W), where the patches are; of a convolution its input, of a transposed one what arrives.
        kernel, stride, padding: of the convolution from `maps` to `rows`.

    Returns:
        (O, C, kernel height, kernel width).
    """
    n, channels, (tall, wide) = len(maps), maps.shape[1], kernel
    h, w = rows.shape[2:]
    padded = F.pad(maps.movedim(1, 3), (0, 0, padding[1], padding[1], padding[0], padding[0]))
    patches = padded.unfold(1, tall, stride[0]).unfold(2, wide, stride[1])[:, :h, :w]  # (N, h, w, C, kh, kw), a view
    laid = patches.permute(0, 1, 2, 4, 5, 3).reshape(n * h * w, tall * wide * channels)
    product = rows.movedim(1, 3).reshape(n * h * w, -1).T @ laid
    return product.view(-1, tall, wide, channels).permute(0, 3, 1, 2)


def spread(rows: Tensor, weight: Tensor, stride: Pair, padding: Pair, size: Sequence[int]) -> Tensor:
    """A transposed convolution: every place's value times the kernel is added to the patch it stands for.

    Args:
        rows: (N, O, h, w).
        weight: (O, C, kernel height, kernel width).
        stride, padding: of the convolution that this turns around.
        size: height and width of the answer.

    Returns:
        (N, C, height, width).
    """
    (n, _, h, w), (_, channels, tall, wide) = rows.shape, weight.shape
    kernels = weight.permute(0, 2, 3, 1).reshape(len(weight), -1)
    patches = (rows.movedim(1, 3).reshape(n * h * w, -1) @ kernels).view(n, h, w, tall, wide, channels)
    (down, across), (top, left), (height, width) = stride, padding, size
    reach = max((h - 1) * down + tall, height + top), max((w - 1) * across + wide, width + left)
    total = patches.new_zeros((n, *reach, channels), dtype=torch.promote_types(rows.dtype, torch.float32))
    for y in range(tall):
        for x in range(wide):
            seen = total[:, y : y + (h - 1) * down + 1 : down, x : x + (w - 1) * across + 1 : across]
            seen += patches[:, :, :, y, x]
    return total[:, top : top + height, left : left + width].to(rows.dtype).movedim(3, 1)


class Convolution(torch.autograd.Function):
    """A convolution, or a transposed one, whose kernel learns by `kernel_gradient`.

    Where it spreads few places over many, that is done by `spread`; all else is PyTorch's.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair, transposed: bool
    ) -> Tensor:
        """(N, C, H, W) → what `F.conv2d` or `F.conv_transpose2d` gives."""
        ctx.save_for_backward(x, weight)
        ctx.settings = stride, padding, transposed, None if bias is None else list(bias.shape)
        if not transposed:
            return F.conv2d(x, weight, bias, stride, padding)
        if not _spreads(x, stride):
            return F.conv_transpose2d(x, weight, bias, stride, padding)
        size = [(x.shape[2 + side] - 1) * stride[side] - 2 * padding[side] + weight.shape[2 + side] for side in (0, 1)]
        answer = spread(x, weight, stride, padding, size)
        return answer if bias is None else answer + bias.view(-1, 1, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of picture, kernel and bias. Made of operations that can be differentiated themselves."""
        (gradient,), (x, weight) = gradients, ctx.saved_tensors
        stride, padding, transposed, bias = ctx.settings
        wanted = ctx.needs_input_grad
        to_x = to_weight = to_bias = None
        if wanted[0] and not transposed and _spreads(gradient, stride):
            to_x = spread(gradient, weight, stride, padding, x.shape[2:])
            to_bias = gradient.sum((0, 2, 3)) if wanted[2] else None
        elif wanted[0] or wanted[2]:
            to_x, _, to_bias = torch.ops.aten.convolution_backward(
                gradient, x, weight, bias, stride, padding, (1, 1), transposed, (0, 0), 1,
                (wanted[0], False, wanted[2]),
            )  # fmt: skip
        if wanted[1]:
            rows, maps = (x, gradient) if transposed else (gradient, x)
            to_weight = kernel_gradient(rows, maps, weight.shape[2:], stride, padding)
        return to_x, to_weight, to_bias, None, None, None


def _spreads(rows: Tensor, stride: Pair) -> bool:
    """Whether `spread` is worth it: few places, and patches that overlap little."""
    places = rows.shape[2] * rows.shape[3]
    return places <= FEW and (max(stride) > 1 or places == 1)


def _plain(layer: nn.Module) -> bool:
    if type(layer) not in (nn.Conv2d, nn.ConvTranspose2d) or isinstance(layer.padding, str):
        return False  # a subclass may have a way of its own
    assert isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))
    return (
        layer.groups == 1
        and layer.padding_mode == "zeros"
        and layer.dilation == (1, 1)
        and layer.output_padding == (0, 0)
    )


def _worth_it(layer: nn.Conv2d | nn.ConvTranspose2d, x: Tensor, channels: int, places: int) -> bool:
    """Whether something learns from here on, in bf16, on maps of few places with enough channels."""
    learns = torch.is_grad_enabled() and (layer.weight.requires_grad or x.requires_grad)
    half = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    return learns and half and x.ndim == 4 and (places <= FEW or (places <= SMALL and channels >= MANY))


def _halved(layer: nn.Conv2d | nn.ConvTranspose2d, x: Tensor, transposed: bool) -> Tensor:
    bias = None if layer.bias is None else layer.bias.bfloat16()
    answer: Tensor = Convolution.apply(
        x.bfloat16(), layer.weight.bfloat16(), bias, layer.stride, layer.padding, transposed
    )  # type: ignore[no-untyped-call]
    return answer


def _straight(self: nn.Conv2d, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """In place of `nn.Conv2d._conv_forward`."""
    assert not isinstance(self.padding, str)
    high, wide = (
        (x.shape[side] + 2 * self.padding[side] - self.kernel_size[side]) // self.stride[side] + 1 for side in (-2, -1)
    )
    if _worth_it(self, x, self.out_channels, high * wide):
        return _halved(self, x, transposed=False)
    return type(self)._conv_forward(self, x, weight, bias)


def _transposed(self: nn.ConvTranspose2d, x: Tensor, output_size: list[int] | None = None) -> Tensor:
    """In place of `nn.ConvTranspose2d.forward`."""
    if output_size is None and _worth_it(self, x, self.in_channels, x.shape[-2] * x.shape[-1]):
        return _halved(self, x, transposed=True)
    return type(self).forward(self, x, output_size)
