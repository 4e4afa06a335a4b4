"""`anatomy(net, input_shape)`: what a network is, found by watching one weightless forward pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import nn

from anmok.anatomy.assembly import Assembler, main_path
from anmok.anatomy.structure import Anatomy, Extent
from anmok.anatomy.tracing import Trace, trace
from anmok.anatomy.weightless import weightless_copy
from anmok.core.errors import AnmokError, UsageError

_HOMES = (
    ("conv", (nn.modules.conv._ConvNd,)),
    ("linear", (nn.Linear, nn.Bilinear, nn.MultiheadAttention)),
    ("norm", (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)),
)


def anatomy(
    net: nn.Module,
    input_shape: Sequence[int],
    *,
    training: bool = False,
    dtype: torch.dtype | None = None,
) -> Anatomy:
    """Take a network apart without running it on data and without taking memory for weights.

    The network itself is not touched: a copy without data runs once, on torch's meta device.

    Args:
        net: any module that takes one tensor (N, C, …); real or on the meta device.
        input_shape: one picture's shape without batch: (channels, height, width), or any other number of axes.
        training: run as in training, so that auxiliary heads take part; two pictures, because batch norm needs two.
        dtype: of the picture; by default that of the network's first floating-point parameter, else float32.

    Raises:
        UsageError: where the shape is not a shape, or the network fails on a picture of this shape.

    >>> anatomy(nn.Conv2d(3, 64, 11, stride=4, padding=2), (3, 224, 224)).output_shapes
    ((64, 55, 55),)
    """
    shape = _checked(input_shape)
    batch = 2 if training else 1
    twin = weightless_copy(net).train(training)
    kind = dtype or next((p.dtype for p in twin.parameters() if p.is_floating_point()), torch.float32)
    try:
        seen = trace(twin, (batch, *shape), kind)
    except AnmokError:
        raise
    except Exception as error:
        raise UsageError(
            f"{type(net).__name__} does not run on a picture of this shape",
            got=f"{shape} and then {type(error).__name__}: {error}",
            allowed="what the network's forward takes, without the batch dimension",
            fix="another channel count or a larger picture, for instance (3, 224, 224)",
        ) from error
    return _anatomy(net, twin, seen, shape, batch, training)


def _anatomy(
    net: nn.Module, twin: nn.Module, seen: Trace, shape: tuple[int, ...], batch: int, training: bool
) -> Anatomy:
    assembler = Assembler(seen, twin, batch, shape)
    root = assembler.root()
    parameters = list(twin.parameters())
    return Anatomy(
        name=type(net).__name__,
        input_shape=shape,
        output_shapes=tuple(out[1:] if out and out[0] == batch else out for out in seen.outputs),
        training=training,
        root=root,
        parameters=sum(p.numel() for p in parameters),
        trainable=sum(p.numel() for p in parameters if p.requires_grad),
        shares=_shares(twin, seen),
        parameter_bytes=sum(p.numel() * p.element_size() for p in parameters),
        buffer_bytes=sum(b.numel() * b.element_size() for b in twin.buffers()),
        macs=root.macs,
        product_macs=root.product_macs,
        activation_bytes=root.activation_bytes,
        peak_bytes=seen.peak_bytes // batch,
        receptive_field=_last_field(assembler, seen),
        flow={op.number: tuple(sorted(op.sources)) for op in seen.ops if op.visible},
        notes=seen.notes,
    )


def _last_field(assembler: Assembler, seen: Trace) -> tuple[Extent | None, ...]:
    """Of the last operator on the way to the first output whose outputs still walk over the picture, or attend."""
    for op in reversed(main_path(seen)):
        if op.family == "product" and None not in op.sight:
            return assembler.extents(op.sight)
        if any(axis is None for axis in op.sight):
            return (None,) * len(op.sight)
        if all(axis is not None and axis.dim is not None for axis in op.sight):
            return assembler.extents(op.sight)
    return ()


def _shares(twin: nn.Module, seen: Trace) -> dict[str, int]:
    """Parameters by the kind of layer that owns them, or else by the operator that uses them first."""
    home: dict[int, str] = {}
    for op in reversed(seen.ops):
        if op.family in ("conv", "linear", "norm"):
            home.update(dict.fromkeys(op.weights, op.family))
    for module in twin.modules():
        kind = next((name for name, classes in _HOMES if isinstance(module, classes)), None)
        if kind:
            home.update({id(p): kind for p in module.parameters()})
    shares = Counter({"conv": 0, "linear": 0, "norm": 0, "other": 0})
    for parameter in twin.parameters():
        shares[home.get(id(parameter), "other")] += parameter.numel()
    return dict(shares)


def _checked(input_shape: Sequence[int]) -> tuple[int, ...]:
    try:
        shape = tuple(int(size) for size in input_shape)
    except TypeError:
        shape = ()
    if not shape or any(size < 1 for size in shape):
        raise UsageError(
            "this is no picture's shape",
            got=repr(input_shape),
            allowed="whole numbers of 1 or more",
            fix="(3, 224, 224)",
        )
    return shape
