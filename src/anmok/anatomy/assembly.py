"""From what was observed to the tree of layers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from torch import nn

from anmok.anatomy.rules import Sight
from anmok.anatomy.structure import Extent, Layer, Shape
from anmok.anatomy.tracing import Call, Op, Trace

# Which operator gives a module its family when several run inside it.
_RANK = ("conv", "linear", "product", "pool", "upsample", "norm", "activation", "join", "dropout", "other")
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


class Assembler:
    """Turns calls and operators into layers. Each parameter is counted in the first row that uses it."""

    def __init__(self, trace: Trace, net: nn.Module, batch: int, picture: Shape) -> None:
        self.trace, self.batch, self.picture = trace, batch, picture
        self.sizes = {id(p): p.numel() for p in net.parameters()}
        self.counted: set[int] = set()

    def root(self) -> Layer:
        """The whole network as one row. Parameters that nothing used come last, as idle rows."""
        call = self.trace.root
        children = self._children(call)
        own = self._count(id(p) for p in call.module.parameters(recurse=False))
        idle = tuple(self._idle(call.module, ""))
        return self._block(call, (*children, *idle), own)

    def _children(self, call: Call) -> tuple[Layer, ...]:
        seen: Counter[str] = Counter()
        rows = []
        for part in call.inside:
            if isinstance(part, Call):
                rows.append(self._module(part))
            elif part.visible:
                label = friendly(part.name)
                seen[label] += 1
                name = ".".join(filter(None, (call.path, label)))
                rows.append(self._operator(part, name, seen[label]))
        return tuple(rows)

    def _module(self, call: Call) -> Layer:
        ops = [part for part in call.inside if isinstance(part, Op)]
        if len(ops) < len(call.inside) or isinstance(call.module, _CONTAINERS):
            return self._folding(call)
        library = type(call.module).__module__.startswith("torch.nn.")
        if not library and sum(op.visible for op in ops) > 1:
            return self._folding(call)
        main = min((op for op in ops if op.visible), key=lambda op: _RANK.index(op.family), default=None)
        family = _family(call.module, main)
        return self._row(
            call,
            family=family,
            window=main.geometry if main and family == main.family else None,
            parameters=self._count(id(p) for p in call.module.parameters()),
            macs=sum(op.macs for op in ops if not op.product) // self.batch,
            product_macs=sum(op.macs for op in ops if op.product) // self.batch,
            activation_bytes=sum(op.bytes for op in ops) // self.batch,
            steps=tuple(op.number for op in ops if op.visible),
        )

    def _folding(self, call: Call) -> Layer:
        children = self._children(call)
        return self._block(call, children, self._count(id(p) for p in call.module.parameters(recurse=False)))

    def _block(self, call: Call, children: tuple[Layer, ...], own: int) -> Layer:
        hidden = [part for part in call.inside if isinstance(part, Op) and not part.visible]
        return self._row(
            call,
            family="attention" if _attends(call.module) else "block" if children else "view",
            children=_with_hidden(children, own, sum(op.bytes for op in hidden) // self.batch, call.path),
            parameters=own + sum(child.parameters for child in children),
            macs=sum(child.macs for child in children),
            product_macs=sum(child.product_macs for child in children),
            activation_bytes=sum(child.activation_bytes for child in children)
            + sum(op.bytes for op in hidden) // self.batch,
            steps=tuple(step for child in children for step in child.steps),
        )

    def _row(self, call: Call, **facts: object) -> Layer:
        return Layer(
            name=call.path,
            kind=type(call.module).__name__,
            call=call.number,
            inputs=tuple(self._shape(shape) for shape in call.inputs),
            outputs=tuple(self._shape(shape) for shape in call.outputs),
            field=self.extents(call.sight) if call.sight is not None else (),
            **facts,  # type: ignore[arg-type]
        )

    def _operator(self, op: Op, name: str, number: int) -> Layer:
        return Layer(
            name=name,
            kind=friendly(op.name),
            family=op.family,
            call=number,
            inputs=tuple(self._shape(shape) for shape in op.inputs),
            outputs=tuple(self._shape(shape) for shape in op.outputs[:1]),
            window=op.geometry,
            parameters=self._count(op.weights),
            macs=0 if op.product else op.macs // self.batch,
            product_macs=op.macs // self.batch if op.product else 0,
            activation_bytes=op.bytes // self.batch,
            field=self.extents(op.sight),
            steps=(op.number,),
        )

    def _idle(self, module: nn.Module, path: str) -> Iterator[Layer]:
        """The topmost modules all of whose parameters went unused."""
        owned = [id(p) for p in module.parameters()]
        left = [key for key in owned if key not in self.counted]
        if owned and len(left) == len(owned) and path:
            yield Layer(path, type(module).__name__, "idle", parameters=self._count(left))
            return
        for name, child in module.named_children():
            yield from self._idle(child, f"{path}.{name}" if path else name)

    def _count(self, keys: object) -> int:
        new = {key for key in keys if key in self.sizes} - self.counted  # type: ignore[attr-defined]
        self.counted |= new
        return sum(self.sizes[key] for key in new)

    def _shape(self, shape: Shape) -> Shape:
        return shape[1:] if shape and shape[0] == self.batch else shape

    def extents(self, sight: Sight) -> tuple[Extent | None, ...]:
        """A tensor's fields in numbers a reader wants."""
        return tuple(_extent(field, size) for field, size in zip(sight, self.picture[1:], strict=True))


def _extent(field: object, picture: int) -> Extent | None:
    from anmok.anatomy.fields import Field

    if not isinstance(field, Field) or not field.sizes.size:
        return None
    sees = field.first <= field.last
    whole = bool((field.first[sees] <= 0).all() and (field.last[sees] >= picture - 1).all())
    start = None
    if field.dim is not None:
        start = float(field.first.take(0, field.dim).min() + field.last.take(0, field.dim).max()) / 2
    jump = float(field.jump) if field.jump is not None else None
    return Extent(int(field.sizes.max()), int(field.sizes.min()), jump, start if jump is not None else None, whole)


def _with_hidden(children: tuple[Layer, ...], own: int, spare: int, path: str) -> tuple[Layer, ...]:
    """Rows must sum up to their block: what belongs to no child gets a row of its own."""
    if not children or (own == 0 and spare == 0):
        return children
    name = f"{path}.(itself)" if path else "(itself)"
    return (*children, Layer(name, "parameters and arithmetic", "other", parameters=own, activation_bytes=spare))


def _family(module: nn.Module, main: Op | None) -> str:
    """By what runs inside, or by the class's name where it is made of operators that do not tell."""
    name = type(module).__name__
    if _attends(module):
        return "attention"
    if "Norm" in name and (main is None or main.family not in ("conv", "linear", "product")):
        return "norm"
    if "Dropout" in name or name in ("StochasticDepth", "DropPath"):
        return "dropout"
    return main.family if main else "view"


def _attends(module: nn.Module) -> bool:
    return "Attention" in type(module).__name__


def friendly(name: str) -> str:
    """An operator's name as people say it: `_softmax` is softmax, `max_pool2d_with_indices` max_pool2d."""
    plain = re.sub(r"^(aten\.|_safe_|_)|_with_indices$|_kernel$|^native_", "", name)
    return "conv" if plain == "convolution" else plain


def main_path(trace: Trace) -> Sequence[Op]:
    """The visible operators that the first output depends on, in order."""
    wanted, stack = set[int](), [number for number in trace.output_makers if number >= 0]
    while stack:
        number = stack.pop()
        if number not in wanted:
            wanted.add(number)
            stack += [source for source in trace.ops[number].sources if source >= 0]
    return [trace.ops[number] for number in sorted(wanted)]
