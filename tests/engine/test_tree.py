"""Nested state goes to JSON and tensors and comes back bit for bit."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anmok.core.errors import CheckpointError
from anmok.engine.tree import pack, same, unpack

plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
keys = st.text() | st.integers() | st.sampled_from(["$", "name", "a/b"])
trees = st.recursive(
    plain,
    lambda part: st.lists(part) | st.lists(part).map(tuple) | st.dictionaries(keys, part),
    max_leaves=12,
)


def there_and_back(value: Any) -> Any:
    packed, tensors = pack(value)
    return unpack(json.loads(json.dumps(packed, allow_nan=False)), tensors)


@settings(max_examples=60, deadline=None)
@given(trees)
def test_plain_trees(value: Any) -> None:
    assert repr(there_and_back(value)) == repr(value)  # repr tells 1 from True, (1,) from [1], nan is nan


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.uint8, torch.bool])
@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (2, 3, 4, 4)])
def test_tensors(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    tensor = torch.randint(0, 2, shape).to(dtype)
    back = there_and_back({"a": [tensor]})["a"][0]
    assert back.dtype == dtype and back.shape == tensor.shape and torch.equal(back, tensor)


def test_memory_layout_comes_back() -> None:
    tensor = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    packed, tensors = pack(tensor)
    back = unpack(packed, {name: value.contiguous() for name, value in tensors.items()})  # as a file keeps it
    assert back.stride() == tensor.stride() and torch.equal(back, tensor)
    expanded = torch.ones(1, 3).expand(4, 3)  # not dense: its values are kept, its trick is not
    assert torch.equal(there_and_back(expanded), expanded)


def test_arrays_keep_dtype_and_shape() -> None:
    for array in (np.eye(3), np.arange(6, dtype=np.int32).reshape(2, 3), np.array(2.5), np.zeros((0, 2), np.uint8)):
        back = there_and_back({"array": array})["array"]
        assert back.dtype == array.dtype and back.shape == array.shape and np.array_equal(back, array)
    assert there_and_back(np.float32(0.1)) == float(np.float32(0.1))


def test_names_tell_places() -> None:
    assert set(pack({"net": {"weight": torch.ones(1)}})[1]) == {"state/net/weight"}
    packed, tensors = pack({1: torch.zeros(1), "1": torch.ones(1)})
    assert len(tensors) == 2 and unpack(packed, tensors)["1"] == 1


def test_optimizers_of_every_kind() -> None:
    """Whatever torch's optimizers keep goes through and continues exactly."""
    saved: dict[str, Any] = {}
    for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "NAdam", "RAdam", "Adadelta", "Rprop", "Adamax"):
        results = []
        for interrupted in (False, True):
            torch.manual_seed(0)
            weight = torch.nn.Parameter(torch.randn(4, 3, 2, 2).contiguous(memory_format=torch.channels_last))
            optimizer = getattr(torch.optim, name)([weight], lr=0.01)
            for step in range(4):
                if interrupted and step == 2:
                    optimizer = getattr(torch.optim, name)([weight], lr=0.5)
                    optimizer.load_state_dict(saved)
                optimizer.zero_grad()
                (weight.sin() * (step + 1)).sum().backward()
                optimizer.step()
                if step == 1:
                    saved = there_and_back(optimizer.state_dict())
            results.append(weight.detach().clone())
        assert torch.equal(*results), name


def test_same_is_exact() -> None:
    value = {"a": [torch.ones(2), 0.1, math.nan]}
    assert same(value, {"a": [torch.ones(2), 0.1, math.nan]})
    assert not same(value, {"a": [torch.ones(2) + 1e-7, 0.1, math.nan]}) and not same([1], (1,))


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", print, torch.optim.SGD])
def test_others_are_refused(value: Any) -> None:
    with pytest.raises(CheckpointError, match="state/x cannot be saved"):
        pack({"x": value})


def test_nothing_is_looked_up_by_name() -> None:
    for hostile in ({"$": "builtins.eval"}, {"$": "tensor", "name": "none"}, {"$": "float", "value": "x"}):
        with pytest.raises(CheckpointError):
            unpack(hostile, {})
    assert unpack({"_target_": "os.system", "_class_path": "x"}, {}) == {"_target_": "os.system", "_class_path": "x"}
