"""One forward pass, observed: every operator below every module call, with what it reads, makes and costs.

Dispatching is observed below Python (`TorchDispatchMode`), so it does not matter how the network is written: modules,
functions, loops, conditions, shared and reused modules, dictionaries as outputs.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakIdKeyDictionary

from anmok.anatomy.fields import Field
from anmok.anatomy.names import CONSTANTS
from anmok.anatomy.operators import Geometry, family_of, geometry_of, multiply_adds
from anmok.anatomy.rules import Applied, Sight, part_of, plain_name, see
from anmok.anatomy.weightless import META, run_weightless, tensors_in
from anmok.core.eagerly import without_compiler

Shape = tuple[int, ...]


@dataclass
class Op:
    """One operator that touches pixels. `sources`: numbers of the visible operators it reads, −1 for the picture."""

    number: int
    name: str
    family: str
    inputs: list[Shape]
    outputs: list[Shape]
    sight: Sight
    sources: frozenset[int]
    visible: bool
    macs: int = 0
    product: bool = False  # both factors carry pixels (attention): no weights in it
    bytes: int = 0
    geometry: Geometry | None = None
    weights: frozenset[int] = frozenset()  # ids of the parameters it uses


@dataclass
class Call:
    """One call of one module, with the calls and operators inside it, in order."""

    path: str
    module: nn.Module
    number: int  # 1 for the first call of this module
    inside: list[Call | Op] = field(default_factory=list)
    inputs: list[Shape] = field(default_factory=list)
    outputs: list[Shape] = field(default_factory=list)
    sight: Sight | None = None
    sources: frozenset[int] = frozenset()
    makers: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Seen:
    """What is known about a living tensor that carries pixels."""

    sight: Sight
    makers: frozenset[int]


@dataclass
class Trace:
    """All that a dry run showed."""

    root: Call
    ops: list[Op]
    outputs: list[Shape]
    output_makers: frozenset[int]
    peak_bytes: int
    notes: tuple[str, ...]


class Observer(TorchDispatchMode):
    """Watches the operators of one forward pass of a weightless network."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.seen: Any = WeakIdKeyDictionary()  # tensor → Seen
        self.made_of: Any = WeakIdKeyDictionary()  # tensor without pixels → ids of the parameters it was made of
        self.parts: Any = WeakIdKeyDictionary()  # slice → Part
        self.ops: list[Op] = []
        self.notes: dict[str, None] = {}
        self.root = Call("", net, 1)
        self.stack = [self.root]
        self.counts: dict[int, int] = {}
        self.places: dict[int, list[weakref.ref[Tensor]]] = {}  # memory → tensors in `seen` that share it
        self.alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.held = self.peak = 0
        for parameter in net.parameters():
            self.made_of[parameter] = frozenset([id(parameter)])

    def watch_input(self, picture: Tensor) -> None:
        """The picture: every axis after batch and channels is a picture axis."""
        ndim = picture.ndim
        sight = tuple(Field.of_input(picture.shape[d], ndim, d) for d in range(2, ndim))
        self._remember(picture, Seen(sight, frozenset([-1])))
        self._hold([picture])

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = kwargs or {}, plain_name(func)
        given = list(tensors_in((args, kwargs)))
        out = run_weightless(func, name, args, kwargs, self.notes)
        self._observe(func, args, kwargs, given, list(tensors_in(out)))
        return out

    def _observe(self, func: Any, args: Any, kwargs: Any, given: list[Tensor], outputs: list[Tensor]) -> None:
        pixels = {i: self.seen[t] for i, t in enumerate(given) if t in self.seen}
        weights = frozenset().union(*(self.made_of.get(t, frozenset()) for t in given))
        if not pixels or not outputs or plain_name(func) in CONSTANTS:
            for tensor in outputs:
                if weights and tensor not in self.seen:
                    self.made_of[tensor] = weights
            self._note_part(func, args, kwargs, given, outputs)
            return
        self._note_part(func, args, kwargs, given, outputs)
        applied = Applied.bind(func, args, kwargs, outputs)
        sights = see(applied, {i: seen.sight for i, seen in pixels.items()}, given)
        op = self._record(applied, pixels, given, weights)
        makers = frozenset([op.number]) if op.visible else op.sources
        for tensor, sight in zip(outputs, sights, strict=True):
            written = any(tensor is t for t in given)
            self._remember(tensor, Seen(sight, makers))
            if written:
                self._spread_write(tensor, sight, makers)
        op.sight = sights[0]
        if None in op.sight and not any(None in seen.sight for seen in pixels.values()):
            self.notes.setdefault(f"{op.name}: receptive field unknown from {self.stack[-1].path or 'here'} on")

    def _note_part(self, func: Any, args: Any, kwargs: Any, given: list[Tensor], outputs: list[Tensor]) -> None:
        """Remember which part of which tensor a slice is, in case something is written into it."""
        if len(outputs) == 1 and (part := part_of(Applied.bind(func, args, kwargs, outputs), given)):
            self.parts[outputs[0]] = part

    def _record(self, applied: Applied, pixels: dict[int, Seen], given: list[Tensor], weights: frozenset[int]) -> Op:
        makers = {seen.makers for seen in pixels.values()}
        family = family_of(applied, joins=len(makers) > 1)
        op = Op(
            number=len(self.ops),
            name=applied.name,
            family=family,
            inputs=[tuple(given[i].shape) for i in pixels],
            outputs=[tuple(t.shape) for t in applied.outputs],
            sight=(),
            sources=frozenset().union(*makers),
            visible=family not in ("view", "elementwise"),
            macs=multiply_adds(applied),
            product=family == "product",
            bytes=self._hold(applied.outputs[:1] if family in ("pool", "norm") else applied.outputs),
            geometry=geometry_of(applied),
            weights=weights,
        )
        if family in ("linear", "product"):
            op.family = op.name = "product" if len(pixels) > 1 and not weights else "linear"
            op.product = op.family == "product"
        self.ops.append(op)
        self.stack[-1].inside.append(op)
        return op

    def _spread_write(self, tensor: Tensor, sight: Sight, makers: frozenset[int]) -> None:
        """Writing into a part of a tensor changes the tensor, and whatever else shares its memory."""
        done = {id(tensor)}
        while tensor in self.parts:
            part = self.parts[tensor]
            old = self.seen.get(part.whole, Seen(tuple(Field.of_nothing(part.whole.ndim) for _ in sight), frozenset()))
            sight = tuple(part.write(a, b) for a, b in zip(old.sight, sight, strict=True))
            tensor, makers = part.whole, old.makers | makers
            self._remember(tensor, Seen(sight, makers))
            done.add(id(tensor))
        for other in self._sharing(tensor):
            if id(other) not in done:
                same = other.shape == tensor.shape
                self.seen[other] = Seen(sight if same else (None,) * len(sight), self.seen[other].makers | makers)

    def _remember(self, tensor: Tensor, seen: Seen) -> None:
        if tensor not in self.seen:
            self.places.setdefault(tensor.untyped_storage()._cdata, []).append(weakref.ref(tensor))
        self.seen[tensor] = seen

    def _sharing(self, tensor: Tensor) -> list[Tensor]:
        """Living tensors that carry pixels and share this one's memory."""
        place = tensor.untyped_storage()._cdata
        living = [other for reference in self.places.get(place, []) if (other := reference()) is not None]
        living = [other for other in living if other.untyped_storage()._cdata == place]  # addresses are used again
        self.places[place] = [weakref.ref(other) for other in living]
        return living

    def _hold(self, tensors: Sequence[Tensor]) -> int:
        """Count the memory of tensors that are new; returns its bytes."""
        fresh = 0
        for tensor in tensors:
            storage = tensor.untyped_storage()
            known = self.alive.get(storage._cdata)
            if known is None or known[0].expired():
                self.held += storage.nbytes() - (known[1] if known else 0)
                self.alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
                fresh += storage.nbytes()
        if self.held > self.peak:  # what has died since is still counted: look before it makes a record
            dead = [key for key, (reference, _) in self.alive.items() if reference.expired()]
            self.held -= sum(self.alive.pop(key)[1] for key in dead)
            self.peak = max(self.peak, self.held)
        return fresh

    def enter(self, path: str, module: nn.Module, args: Any, kwargs: Any) -> None:
        """A module is called."""
        number = self.counts[id(module)] = self.counts.get(id(module), 0) + 1
        call = Call(path, module, number)
        self._look(call, (args, kwargs), entering=True)
        self.stack[-1].inside.append(call)
        self.stack.append(call)

    def leave(self, module: nn.Module, outputs: Any) -> None:
        """A module returns. Calls inside that never returned (an exception that was caught) are closed with it."""
        while len(self.stack) > 1:
            call = self.stack.pop()
            if call.module is module:
                self._look(call, outputs, entering=False)
                return

    def _look(self, call: Call, value: Any, entering: bool) -> None:
        tensors = list(tensors_in(value))
        known = [self.seen[t] for t in tensors if t in self.seen]
        makers = frozenset().union(*(seen.makers for seen in known))
        shapes = [tuple(t.shape) for t in tensors]
        if entering:
            call.inputs, call.sources = shapes, makers
        else:
            call.outputs, call.makers, call.sight = shapes, makers, known[0].sight if known else None


def trace(net: nn.Module, picture: tuple[int, ...], dtype: torch.dtype) -> Trace:
    """Run the weightless `net` on a weightless picture batch of shape (N, C, …) and tell what happened."""
    observer = Observer(net)
    handles = []
    for path, module in net.named_modules():
        if module is net or isinstance(module, torch.jit.ScriptModule):
            continue
        enter, leave = _hooks(observer, path)
        handles += [
            module.register_forward_pre_hook(enter, with_kwargs=True, prepend=True),
            module.register_forward_hook(leave),
        ]
    try:
        with without_compiler(), torch.random.fork_rng(devices=[]), torch.no_grad():
            x = torch.empty(picture, dtype=dtype, device=META)
            observer.watch_input(x)
            with observer:
                out = net(x)
            observer._look(observer.root, x, entering=True)
            observer._look(observer.root, out, entering=False)
    finally:
        for handle in handles:
            handle.remove()
    main: frozenset[int] = next((observer.seen[t].makers for t in tensors_in(out) if t in observer.seen), frozenset())
    shapes = [tuple(t.shape) for t in tensors_in(out)]
    return Trace(observer.root, observer.ops, shapes, main, observer.peak, tuple(observer.notes))


def _hooks(observer: Observer, path: str) -> tuple[Any, Any]:
    def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
        observer.enter(path, module, args, kwargs)

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        observer.leave(module, output)

    return enter, leave
