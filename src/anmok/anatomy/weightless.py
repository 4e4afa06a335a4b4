"""Running a network without weights: a copy whose tensors have shapes but no memory, on torch's meta device."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from anmok.anatomy.names import FACTORIES
from anmok.core.errors import UsageError

META = torch.device("meta")


class _Weightless(TorchFunctionMode):
    """While this is on, copying a tensor copies its shape, type and strides, and no data."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.__deepcopy__:
            tensor, memo = args
            if id(tensor) not in memo:
                memo[id(tensor)] = torch.empty_like(tensor, device=META)
            return memo[id(tensor)]
        if func is torch.Tensor.clone:  # how a Parameter copies itself
            return torch.empty_like(args[0], device=META)
        return func(*args, **(kwargs or {}))


def weightless_copy(net: nn.Module) -> nn.Module:
    """A deep copy of `net` on the meta device: same modules, hooks and settings, no memory for weights.

    Raises:
        UsageError: where the network holds something that Python cannot copy (a lock, an open file).
    """
    try:
        with _Weightless():
            twin = copy.deepcopy(net)
    except Exception as error:
        raise UsageError(
            "this network cannot be copied, so its anatomy cannot be taken apart without touching it",
            got=f"{type(net).__name__}: {error}",
            allowed="any module that copy.deepcopy can copy",
            fix="keep locks, open files and generators out of the module's attributes",
        ) from error
    for module in twin.modules():
        for owned in (module._parameters, module._buffers):
            lazy = {
                name: tensor for name, tensor in owned.items() if tensor is not None and nn.parameter.is_lazy(tensor)
            }
            owned.update({name: _lazy_on_meta(tensor) for name, tensor in lazy.items()})
    return twin


def _lazy_on_meta(tensor: Any) -> Any:
    """A lazy layer's weight has no shape until the first forward; this one then gets it without memory."""
    return type(tensor)(requires_grad=tensor.requires_grad, device=META, dtype=tensor.data.dtype)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Every tensor in nested lists, tuples, mappings and dataclasses, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from tensors_in(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors_in(part)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from tensors_in(getattr(value, name, None))


def replace_tensors(value: Any, change: Any) -> Any:
    """The same nesting of lists and tuples with `change` applied to each tensor: operator arguments nest no deeper."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, (list, tuple)):
        return type(value)(replace_tensors(part, change) for part in value)
    if isinstance(value, dict):
        return {key: replace_tensors(part, change) for key, part in value.items()}
    return value


def run_weightless(func: Any, name: str, args: Any, kwargs: Any, notes: dict[str, None]) -> Any:
    """Call one ATen operator so that it works, shape for shape, on tensors without data.

    Tensors that a module made on another device while running join the others on meta. An operator that wants values
    (a comparison that decides the way, an operator without a meta form) is answered as if all values were zero, and
    `notes` says so.
    """
    given = list(tensors_in((args, kwargs)))
    if (
        name in FACTORIES
        and not any(not t.is_meta for t in given)
        and "device" in {a.name for a in func._schema.arguments}
    ):
        kwargs = {**kwargs, "device": META}
    elif any(t.is_meta for t in given):
        args, kwargs = replace_tensors((args, kwargs), _to_meta)
        if kwargs.get("device") is not None:
            kwargs = {**kwargs, "device": META}
    if name == "_local_scalar_dense" and given[0].is_meta:
        notes[f"{name}: the network looks at values; each was taken for zero"] = None
        return torch.zeros((), dtype=given[0].dtype).item()
    try:
        return func(*args, **kwargs)
    except NotImplementedError:
        notes[f"{name}: has no form without data; run once on zeros"] = None
        real = replace_tensors((args, kwargs), lambda t: torch.zeros(t.shape, dtype=t.dtype) if t.is_meta else t)
        return replace_tensors(func(*real[0], **_on_cpu(real[1])), _to_meta)


def _to_meta(tensor: Tensor) -> Tensor:
    return tensor if tensor.is_meta else torch.empty_like(tensor, device=META)


def _on_cpu(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {**kwargs, "device": torch.device("cpu")} if kwargs.get("device") is not None else kwargs
