"""Nested state (dicts, lists, numbers, tensors) as JSON beside named tensors, and back, bit for bit.

JSON alone cannot say that a key was an integer, a list a tuple, or a tensor channels-last; what it cannot say is
written as `{"$": kind, …}`. Nothing else is ever written, and reading rebuilds these few kinds only: no class is
looked up.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anmok.core.errors import CheckpointError

_MARK = "$"


def pack(value: Any) -> tuple[Any, dict[str, Tensor]]:
    """Split `value` into strict JSON and tensors; the JSON names the tensors by their place in `value`.

    Raises:
        CheckpointError: something in `value` is neither a plain value, a container, an array nor a tensor.
    """
    tensors: dict[str, Tensor] = {}
    return _pack(value, "state", tensors), tensors


def _pack(value: Any, place: str, tensors: dict[str, Tensor]) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {_MARK: "float", "value": repr(value)}
    if isinstance(value, Tensor):
        return _pack_tensor(value, place, tensors)
    if isinstance(value, np.ndarray):
        _pack_tensor(torch.from_numpy(np.ascontiguousarray(value).copy()), place, tensors)
        return {_MARK: "array", "name": place, "shape": list(value.shape)}
    if isinstance(value, np.generic):
        return _pack(value.item(), place, tensors)
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value) and _MARK not in value:
            return {key: _pack(part, f"{place}/{key}", tensors) for key, part in value.items()}
        items = [[_pack(k, place, tensors), _pack(v, f"{place}/{k}", tensors)] for k, v in value.items()]
        return {_MARK: "dict", "items": items}
    if isinstance(value, (list, tuple)):
        items = [_pack(part, f"{place}/{number}", tensors) for number, part in enumerate(value)]
        return items if isinstance(value, list) else {_MARK: "tuple", "items": items}
    raise CheckpointError(
        f"{place} cannot be saved",
        got=f"a {type(value).__name__}",
        allowed="None, bool, int, float, str, lists, tuples, dicts, NumPy arrays and tensors of these",
        fix="keep it out of the task's state and the optimizer, or turn it into one of these",
    )


def _pack_tensor(tensor: Tensor, place: str, tensors: dict[str, Tensor]) -> dict[str, Any]:
    name = place
    while name in tensors:  # keys 1 and "1" of one dict
        name += "'"
    tensors[name] = tensor
    packed: dict[str, Any] = {_MARK: "tensor", "name": name}
    # Channels-last moments must come back channels-last: arithmetic in another order may differ in the last bit.
    if not tensor.is_contiguous() and tensor.numel() and _is_dense(tensor):
        packed["stride"] = list(tensor.stride())
    return packed


def _is_dense(tensor: Tensor) -> bool:
    return all(tensor.stride()) and 1 + sum(
        (n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True)
    ) == (tensor.numel())


def same(one: Any, other: Any) -> bool:
    """Whether two nested states are equal, bit for bit."""
    (left, tensors), (right, others) = pack(one), pack(other)
    return (
        left == right
        and tensors.keys() == others.keys()
        and all(torch.equal(tensors[name], others[name]) for name in tensors)
    )


def unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Put back together what `pack` split. Raises `CheckpointError` if it is not something that `pack` made."""
    try:
        return _unpack(value, tensors)
    except (KeyError, TypeError, ValueError, RuntimeError, RecursionError) as error:
        raise CheckpointError("the saved state contradicts itself", got=f"{type(error).__name__}: {error}") from error


def _unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpack(part, tensors) for part in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(_MARK)
    if kind is None:
        return {key: _unpack(part, tensors) for key, part in value.items()}
    if kind == "float":
        return float(value["value"])
    if kind == "tuple":
        return tuple(_unpack(part, tensors) for part in value["items"])
    if kind == "dict":
        return {_unpack(key, tensors): _unpack(part, tensors) for key, part in value["items"]}
    if kind == "array":
        return tensors[value["name"]].numpy().reshape(value["shape"])
    if kind == "tensor":
        tensor = tensors[value["name"]]
        if "stride" not in value:
            return tensor
        strided = torch.empty_strided(tensor.shape, value["stride"], dtype=tensor.dtype)
        if not _is_dense(strided):
            raise ValueError(f"strides {value['stride']} for shape {list(tensor.shape)}")
        return strided.copy_(tensor)
    raise ValueError(f"unknown kind {kind!r}")
