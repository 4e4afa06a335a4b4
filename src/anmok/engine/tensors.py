"""Safetensors files, written tensor by tensor and read only after their header was judged.

The format (https://github.com/huggingface/safetensors, "Format"): eight bytes with the header's length, little-endian;
the header, JSON: name → dtype, shape, range of bytes; the tensors' bytes without holes. It can hold no code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from anmok.core.errors import CheckpointError
from anmok.core.files import write_atomic

MAX_HEADER = 16 << 20  # bytes; a network of 100,000 tensors stays below it

_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint64: "U64",
    torch.uint32: "U32",
    torch.uint16: "U16",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None, *, sync_folder: bool = True
) -> tuple[int, str]:
    """Publish a safetensors file and return its length and SHA-256; no second copy of the tensors is made in memory.

    Raises:
        CheckpointError: a tensor is of a kind the format cannot hold.
        UnwrittenError: the disk refused.
    """
    return write_atomic(path, _chunks(path, tensors, metadata or {}), sync_folder=sync_folder)


def _chunks(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Iterator[bytes | memoryview]:
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    # Widest elements first, so that every tensor lies aligned to its element size.
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    end = 0
    for name in names:
        tensor = tensors[name]
        if tensor.dtype not in _DTYPES or tensor.layout != torch.strided:
            raise CheckpointError(
                f"tensor {name!r} cannot be saved",
                path=path,
                got=f"{tensor.dtype}, {tensor.layout}",
                allowed="dense real tensors",
            )
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for name in names:
        if tensors[name].numel():
            flat = tensors[name].detach().cpu().contiguous().reshape(-1)
            yield flat.view(torch.uint8).numpy().data


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, in memory of their own.

    Raises:
        CheckpointError: the file is missing, torn, a pickle, or no safetensors file; nothing was allocated for it.
    """
    judge_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            # Cloned: the library hands out views of the mapped file, and the file may be replaced.
            return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise CheckpointError("this is no whole safetensors file", path=path, got=error, fix=_REDO) from error


def read_metadata(path: Path) -> dict[str, str]:
    """The strings kept in a safetensors file's header. Raises `CheckpointError` as `read_tensors` does."""
    judge_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError("this is no whole safetensors file", path=path, got=error, fix=_REDO) from error


_REDO = "train again, or copy the file again from where it is whole"


def judge_header(path: Path) -> None:
    """Refuse what cannot be a safetensors file after reading a few bytes, whatever its name says."""
    try:
        length = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise CheckpointError("the weights cannot be read", path=path, got=error.strerror or error) from error
    if start[:2] == b"PK" or start[:1] == b"\x80":
        raise CheckpointError(
            "this is a pickle or an archive of pickles, which can run code when read; it was not opened",
            path=path,
            allowed="safetensors files",
            fix="convert it where you trust it: safetensors.torch.save_file(state_dict, 'weights.safetensors')",
        )
    header = int.from_bytes(start[:8], "little")
    if len(start) < 9 or start[8:9] != b"{" or header > min(MAX_HEADER, length - 8):
        raise CheckpointError(
            "this is no whole safetensors file",
            path=path,
            got=f"{length} bytes, of which {header} are announced as header",
            allowed=f"a header of at most {MAX_HEADER} bytes that the file can hold",
            fix=_REDO,
        )


def weights_of(networks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """All tensors of all networks' state dicts, named `network.tensor`."""
    return {
        f"{name}.{key}": value
        for name, network in networks.items()
        for key, value in network.state_dict().items()
        if isinstance(value, Tensor)
    }


def write_weights(path: Path, networks: Mapping[str, nn.Module], metadata: Mapping[str, str] | None = None) -> str:
    """Publish networks as one safetensors file and return its SHA-256. Raises `CheckpointError`."""
    return write_tensors(path, weights_of(networks), metadata)[1]


def load_weights(path: Path, networks: Mapping[str, nn.Module]) -> None:
    """Load what `write_weights` wrote. Every tensor of every network must be there in its shape, and no other.

    Raises:
        CheckpointError: the file does not fit the networks; all differences are listed and no network was changed.
    """
    path = Path(os.fspath(path))
    check_and_load(networks, read_tensors(path), path)


def check_and_load(networks: Mapping[str, nn.Module], tensors: Mapping[str, Tensor], path: Path) -> None:
    """Copy `tensors` (named `network.tensor`) into `networks`, or raise `CheckpointError` listing what differs."""
    wanted = weights_of(networks)
    differences = [f"{name} is missing" for name in wanted if name not in tensors]
    differences += [f"{name} is unknown" for name in tensors if name not in wanted]
    differences += [
        f"{name} is {list(tensors[name].shape)} in the file and {list(wanted[name].shape)} in the network"
        for name in wanted
        if name in tensors and tensors[name].shape != wanted[name].shape
    ]
    if differences:
        more = f"; and {len(differences) - 10} more" if len(differences) > 10 else ""
        raise CheckpointError(
            "these weights do not fit the network",
            path=path,
            got="; ".join(differences[:10]) + more,
            fix="the network, its number of classes and its input channels with which the file was made",
        )
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(tensors[name])  # in place: optimizers and averages keep referring to the same parameters
