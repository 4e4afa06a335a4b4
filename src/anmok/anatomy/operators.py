"""What an operator is and what it costs: family, window, multiply-adds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from anmok.anatomy.names import ACTIVATIONS, JOINS, NORMS, PRODUCTS, REDUCTIONS, SOFTMAXES, VIEWS
from anmok.anatomy.rules import Applied
from anmok.anatomy.window_rules import spread


@dataclass(frozen=True)
class Geometry:
    """The window of a convolution or pooling, one number a picture axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    transposed: bool = False


def family_of(op: Applied, joins: bool) -> str:
    """What kind of step an operator is; `joins` says that it brings together tensors of different origin.

    conv, linear, pool, norm, activation, join, upsample, pad, dropout, view, elementwise (one tensor and constants),
    or other.
    """
    name = op.name
    if name == "convolution":
        return "conv"
    if name in PRODUCTS:
        return "linear"
    if "pool" in name:
        return "pool"
    if name in NORMS:
        return "norm"
    if joins and (name in JOINS or torch.Tag.pointwise in op.tags):
        return "join"
    if name in ACTIVATIONS or name in SOFTMAXES or name == "glu":
        return "activation"
    if "upsample" in name or name in ("pixel_shuffle", "grid_sampler_2d"):
        return "upsample"
    if name == "native_dropout":
        return "dropout"
    if name in VIEWS:
        return "view"
    if torch.Tag.pointwise in op.tags or name in JOINS:
        return "elementwise"
    if torch.Tag.reduction in op.tags or name in REDUCTIONS:
        return "pool"
    return "other"


def geometry_of(op: Applied) -> Geometry | None:
    """The window of a convolution or of a pooling that has one."""
    a = op.arguments
    if op.name == "convolution":
        kernel = tuple(a["weight"].shape[2:])
        stride, padding, dilation = (spread(a[key], len(kernel)) for key in ("stride", "padding", "dilation"))
        return Geometry(kernel, stride, padding, dilation, a["groups"], a["transposed"])
    if "pool" in op.name and "kernel_size" in a:
        kernel = tuple(a["kernel_size"])
        count = len(kernel)
        return Geometry(
            kernel,
            spread(a.get("stride") or kernel, count),
            spread(a.get("padding") or 0, count),
            spread(a.get("dilation") or 1, count),
        )
    return None


def multiply_adds(op: Applied) -> int:
    """Multiply-adds of a convolution or a matrix product; 0 for everything else. Biases are not counted."""
    a: Any = op.arguments
    if op.name == "convolution":
        shape = a["weight"].shape
        return math.prod(shape[1:]) * (a["input"] if a["transposed"] else op.outputs[0]).numel()
    if op.name not in PRODUCTS:
        return 0
    if op.name == "linear":
        return op.outputs[0].numel() * a["weight"].shape[-1]
    left = next(a[key] for key in ("mat1", "batch1", "mat", "self") if key in a)
    return op.outputs[0].numel() * left.shape[-1]
