"""How fields pass through the operators of a network: one table, ATen name → rule.

An operator that is in no table and is neither element by element nor a reduction makes the field *unknown* from there
on; it never makes it wrong, and never stops the anatomy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from anmok.anatomy import window_rules as w
from anmok.anatomy.fields import Field, concatenate, union
from anmok.anatomy.names import ACTIVATIONS, COPIES, NORMS, PADS, PRODUCTS, REDUCTIONS, RESHAPES, SOFTMAXES, SPLITS

Sight = tuple[Field | None, ...]  # one field for each picture axis; None: unknown
Rule = Callable[[Field, Sequence[int], Sequence[int], Mapping[str, Any]], Field]


@dataclass(frozen=True)
class Applied:
    """One operator as it was called: its ATen name without overload or trailing underscore, arguments by name."""

    name: str
    tags: Sequence[Any]
    arguments: Mapping[str, Any]
    outputs: Sequence[Tensor]

    @classmethod
    def bind(cls, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], outputs: Sequence[Tensor]) -> Applied:
        """Name positional arguments by the operator's schema and fill in defaults."""
        schema = func._schema.arguments
        bound = {
            argument.name: args[i] if i < len(args) else kwargs.get(argument.name, argument.default_value)
            for i, argument in enumerate(schema)
        }
        return cls(plain_name(func), func.tags, bound, outputs)


def plain_name(func: Any) -> str:
    """`relu` for aten.relu_.default; the name-space stays where it is not ATen's."""
    space, _, name = func._schema.name.partition("::")
    name = name.rstrip("_") or name
    return name if space == "aten" else f"{space}.{name}"


@dataclass(frozen=True)
class Part:
    """A slice: the positions along one dimension of the tensor `whole` that it shows; `dropped` if it shows but one."""

    whole: Tensor
    dim: int
    positions: Sequence[int]
    dropped: bool

    def write(self, old: Field | None, new: Field | None) -> Field | None:
        """What `whole` sees once something seeing `new` was written into the slice."""
        if old is None or new is None:
            return None
        shape = tuple(self.whole.shape)
        if self.dropped:
            flat = tuple(size for d, size in enumerate(shape) if d != self.dim)
            new = new.reshape(flat, (*flat[: self.dim], 1, *flat[self.dim :]))
        return old.overlay(new, shape[self.dim], self.dim, self.positions)


def part_of(op: Applied, given: Sequence[Tensor]) -> Part | None:
    """The part that aten.slice and aten.select show, None for every other operator."""
    if op.name not in ("slice", "select"):
        return None
    whole, a = given[0], op.arguments
    dim = a["dim"] % whole.ndim
    if op.name == "select":
        return Part(whole, dim, [a["index"] % whole.shape[dim]], True)
    return Part(whole, dim, w.sliced(whole.shape[dim], a, op.outputs[0].shape[dim]), False)


def see(op: Applied, sights: Mapping[int, Sight], tensors: Sequence[Tensor]) -> list[Sight]:
    """What each output sees, given what the inputs see.

    Args:
        op: the operator.
        sights: by position in `tensors`, for those that carry pixels; the others are constants.
        tensors: the operator's tensor arguments in order.
    """
    axes = len(next(iter(sights.values())))
    columns = []
    for axis in range(axes):
        fields = {i: sight[axis] for i, sight in sights.items()}
        if any(field is None for field in fields.values()):
            columns.append([None] * len(op.outputs))
        else:
            columns.append(_axis(op, fields, tensors))  # type: ignore[arg-type]
    return [tuple(column[i] for column in columns) for i in range(len(op.outputs))]


def _axis(op: Applied, fields: Mapping[int, Field], tensors: Sequence[Tensor]) -> Sequence[Field | None]:
    """The outputs' fields along one picture axis."""
    if op.name in _MANY:
        return _MANY[op.name](op, fields, tensors)
    first = min(fields)
    field, x = fields[first], tuple(tensors[first].shape)
    if op.name in _ONE and len(fields) == 1:
        rule = _ONE[op.name]
        if op.name == "convolution" and op.arguments["input"] is not tensors[first]:
            return [None] * len(op.outputs)  # pixels make the kernel
        return [rule(field, x, tuple(out.shape), op.arguments) for out in op.outputs]
    if torch.Tag.pointwise in op.tags or op.name in _EACH:
        return [_pointwise(fields, tuple(out.shape)) for out in op.outputs]
    if torch.Tag.reduction in op.tags or op.name in REDUCTIONS:
        return [_reduction(field, x, tuple(out.shape), op.arguments) for out in op.outputs]
    return [None] * len(op.outputs)


def _pointwise(fields: Mapping[int, Field], out: tuple[int, ...]) -> Field | None:
    if any(field.first.ndim > len(out) for field in fields.values()):
        return None
    return union(list(fields.values()), len(out))


def _reduction(field: Field, x: tuple[int, ...], out: tuple[int, ...], a: Mapping[str, Any]) -> Field | None:
    dims = a.get("dim", a.get("dims"))
    dims = range(len(x)) if dims is None or dims == [] else dims if isinstance(dims, (list, tuple)) else [dims]
    return field.reduce(dims, keepdim=len(out) == len(x))


def _along(name: str = "dim") -> Rule:
    """Every position along a dimension depends on all of them: softmax, sorting, running sums."""
    return lambda field, x, out, a: field.reduce([a[name]])


def _reshape(field: Field, x: Sequence[int], out: Sequence[int], a: Mapping[str, Any]) -> Field:
    return field.reshape(x, out)


def _strided(op: Applied, fields: Mapping[int, Field], tensors: Sequence[Tensor]) -> Sequence[Field | None]:
    """aten.as_strided is followed only where it does nothing but change strides."""
    x, out = tuple(tensors[0].shape), tuple(op.outputs[0].shape)
    return [fields[0] if x == out else None]


def _permute(field: Field, x: Sequence[int], out: Sequence[int], a: Mapping[str, Any]) -> Field:
    return field.move([d % len(x) for d in a["dims"]])


def _transpose(field: Field, x: Sequence[int], out: Sequence[int], a: Mapping[str, Any]) -> Field:
    order = list(range(len(x)))
    i, j = a.get("dim0", 0) % len(x), a.get("dim1", len(x) - 1) % len(x)
    order[i], order[j] = order[j], order[i]
    return field.move(order)


def _expand(field: Field, x: Sequence[int], out: Sequence[int], a: Mapping[str, Any]) -> Field:
    return union([field], len(out))


def _repeat(field: Field, x: Sequence[int], out: Sequence[int], a: Mapping[str, Any]) -> Field:
    wide = union([field], len(out))
    for d, times in enumerate(a["repeats"]):
        if times != 1:
            size = out[d] // times
            wide = w.picking(wide, [size if i == d else n for i, n in enumerate(out)], d, [*range(size)] * times)
    return wide


def _matmul(op: Applied, fields: Mapping[int, Field], tensors: Sequence[Tensor]) -> Sequence[Field | None]:
    """Every product sums over the left factor's last dimension and the right factor's last but one."""
    shape = tuple(op.outputs[0].shape)
    parts = []
    for i, field in fields.items():
        role = i - (len(tensors) - 2)  # the two factors come last; before them stands what is added
        if role >= 0 and tensors[i].ndim >= 2:
            field = field.reduce([-1 if role == 0 else -2])
        elif role >= 0:
            field = field.reduce([-1])
        if field.first.ndim > len(shape):
            return [None]
        parts.append(field)
    return [union(parts, len(shape))]


def _cat(op: Applied, fields: Mapping[int, Field], tensors: Sequence[Tensor]) -> Sequence[Field | None]:
    ndim = op.outputs[0].ndim
    d = op.arguments["dim"] % ndim
    used = [(i, t) for i, t in enumerate(tensors) if t.ndim == ndim]
    parts = [fields.get(i, Field.of_nothing(ndim)) for i, _ in used]
    return [concatenate(parts, [t.shape[d] for _, t in used], d)]


def _stack(op: Applied, fields: Mapping[int, Field], tensors: Sequence[Tensor]) -> Sequence[Field | None]:
    ndim = op.outputs[0].ndim
    d = op.arguments["dim"] % ndim
    shape = tuple(tensors[0].shape)
    lifted = [field.reshape(shape, (*shape[:d], 1, *shape[d:])) for field in fields.values()]
    return [union(lifted, ndim)]


def _split(op: Applied, fields: Mapping[int, Field], tensors: Sequence[Tensor]) -> Sequence[Field | None]:
    ((i, field),) = fields.items()
    ndim = tensors[i].ndim
    d, start, parts = op.arguments["dim"] % ndim, 0, []
    for out in op.outputs:
        length = out.shape[d] if out.ndim == ndim else 1  # unbind drops the dimension
        piece = w.part(field, d, start, length)
        parts.append(piece if out.ndim == ndim else piece.reduce([d], keepdim=False))
        start += length
    return parts


def _norm(op: Applied, fields: Mapping[int, Field], tensors: Sequence[Tensor]) -> Sequence[Field | None]:
    """Statistics over the picture are not counted as sight; a normalised pixel is still that pixel."""
    return [fields.get(0)] * len(op.outputs)


def _copy(op: Applied, fields: Mapping[int, Field], tensors: Sequence[Tensor]) -> Sequence[Field | None]:
    """x.copy_(y): what was in x is gone."""
    field = fields.get(1) or Field.of_nothing(tensors[1].ndim)
    return [union([field], op.outputs[0].ndim)]


def _index(op: Applied, fields: Mapping[int, Field], tensors: Sequence[Tensor]) -> Sequence[Field | None]:
    """x[:, list]: known where one dimension is picked by constants, or where picking makes no difference."""
    x, picks = op.arguments["self"], op.arguments.get("indices", op.arguments.get("index"))
    picks = picks if isinstance(picks, (list, tuple)) else [None] * op.arguments["dim"] + [picks]
    where = [d for d, pick in enumerate(picks) if pick is not None]
    if list(fields) != [0] or len(where) != 1 or picks[where[0]].ndim != 1:
        return [None]
    dim, pick = where[0], picks[where[0]]
    if not fields[0].varies(dim):
        return [fields[0]]
    if pick.is_meta:  # which positions is not known any more: channels get the hull of all, pixels stay unknown
        return [None if dim == fields[0].dim else fields[0].reduce([dim])]
    positions = pick.nonzero().flatten() if pick.dtype in (torch.bool, torch.uint8) else pick
    return [w.picking(fields[0], tuple(x.shape), dim, positions.tolist())]


_ONE: dict[str, Rule] = {
    "convolution": w.convolution,
    **dict.fromkeys(("max_pool2d_with_indices", "max_pool3d_with_indices", "max_pool2d", "max_pool3d"), w.pooling),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d", "max_pool1d"), w.pooling),
    **dict.fromkeys((f"_adaptive_avg_pool{n}d" for n in (2, 3)), w.adaptive),
    **dict.fromkeys((f"adaptive_{kind}_pool{n}d" for kind in ("avg", "max") for n in (1, 2, 3)), w.adaptive),
    **dict.fromkeys((f"{u}upsample_nearest{e}{n}d" for u in ("", "_") for e in ("", "_exact") for n in (1, 2, 3)),
                    w.resampling(0)),
    **dict.fromkeys(("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d"), w.resampling(1)),
    "upsample_bicubic2d": w.resampling(2),
    **dict.fromkeys(PADS, w.padding),
    "slice": w.slicing, "select": w.selecting, "flip": w.flipping, "roll": w.rolling,
    "pixel_shuffle": w.pixel_shuffle, "pixel_unshuffle": w.pixel_unshuffle,
    **dict.fromkeys(RESHAPES, _reshape),
    "permute": _permute, "transpose": _transpose, "t": _transpose, "expand": _expand, "repeat": _repeat,
    **dict.fromkeys(SOFTMAXES | {"cumsum", "sort", "topk"}, _along()),
    "channel_shuffle": lambda field, x, out, a: field.reduce([1]),
    "native_channel_shuffle": lambda field, x, out, a: field.reduce([1]),
    "glu": lambda field, x, out, a: field.reduce([a["dim"]]),  # the hull of both halves
    "linear": lambda field, x, out, a: field.reduce([-1]),
}  # fmt: skip

_MANY: dict[str, Callable[[Applied, Mapping[int, Field], Sequence[Tensor]], Sequence[Field | None]]] = {
    **dict.fromkeys(PRODUCTS - {"linear"}, _matmul),
    **dict.fromkeys(SPLITS, _split),
    **dict.fromkeys(NORMS, _norm),
    "as_strided": _strided, "cat": _cat, "stack": _stack, "copy": _copy, "index": _index, "index_select": _index,
}  # fmt: skip

_EACH = ACTIVATIONS | COPIES | {"native_dropout"}
