"""Safetensors files: what is written here reads elsewhere, and the other way round."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from anmok.core.errors import CheckpointError
from anmok.engine.tensors import load_weights, read_metadata, read_tensors, write_tensors, write_weights

TENSORS = {
    "conv.weight": torch.randn(4, 3, 3, 3).contiguous(memory_format=torch.channels_last),
    "half": torch.randn(5).bfloat16(),
    "count": torch.tensor(7),
    "mask": torch.tensor([True, False, True]),
    "empty": torch.zeros(0, 2),
    "꽃": torch.arange(3, dtype=torch.uint8),
}


def test_the_library_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    length, _ = write_tensors(path, TENSORS, {"task": "classify"})
    read = safetensors.torch.load_file(path)
    assert path.stat().st_size == length and read.keys() == TENSORS.keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in TENSORS.items())
    assert read_metadata(path) == {"task": "classify"}


def test_what_the_library_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in TENSORS.items()}, path)
    read = read_tensors(path)
    path.write_bytes(b"")  # the tensors live in memory of their own
    assert all(torch.equal(read[name], tensor) for name, tensor in TENSORS.items())


def test_tied_weights_are_written_twice(tmp_path: Path) -> None:
    tensor = torch.randn(3)
    write_tensors(tmp_path / "tied", {"a": tensor, "b": tensor})
    assert torch.equal(read_tensors(tmp_path / "tied")["b"], tensor)


def net(classes: int = 3) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, classes))


def test_weights_of_several_networks(tmp_path: Path) -> None:
    one, other = {"g": net(), "d": net(5)}, {"g": net(), "d": net(5)}
    parameter = other["g"][0].weight  # type: ignore[index]
    write_weights(tmp_path / "w.safetensors", one)
    load_weights(tmp_path / "w.safetensors", other)
    for name in one:
        for key, tensor in one[name].state_dict().items():
            assert torch.equal(tensor, other[name].state_dict()[key])
    assert other["g"][0].weight is parameter  # type: ignore[index]


def test_a_misfit_lists_all_differences_and_changes_nothing(tmp_path: Path) -> None:
    write_weights(tmp_path / "w.safetensors", {"net": net(3)})
    other = nn.Sequential(*net(5), nn.Linear(5, 5))
    before = {key: tensor.clone() for key, tensor in other.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load_weights(tmp_path / "w.safetensors", {"net": other})
    message = str(caught.value)
    assert "net.3.weight is [3, 16] in the file and [5, 16] in the network" in message
    assert "net.4.bias is missing" in message and "w.safetensors" in message
    assert all(torch.equal(before[key], tensor) for key, tensor in other.state_dict().items())


@pytest.mark.parametrize("kind", ["pickle", "torch", "legacy", "empty", "short", "json", "text"])
def test_other_files_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "weights.safetensors"
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"a": 1}))
    elif kind in ("torch", "legacy"):
        torch.save({"a": torch.ones(1)}, path, _use_new_zipfile_serialization=kind == "torch")
    else:
        path.write_bytes(
            {"empty": b"", "short": b"\1\0\0", "json": b"{}", "text": b"weights of the net, as text"}[kind]
        )
    with pytest.raises(CheckpointError, match="pickle" if kind in ("pickle", "torch", "legacy") else "no whole"):
        read_tensors(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.safetensors.*No such file"):
        read_tensors(tmp_path / "none.safetensors")
