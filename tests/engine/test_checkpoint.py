"""Checkpoints: whole or refused, and never a pickle."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import shutil
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from anmok.core.errors import CheckpointError
from anmok.engine.checkpoint import FORMAT, Checkpoints


def state(number: int) -> dict[str, Any]:
    return {"step": number, "weights": torch.arange(50.0) * number, "nested": {"list": [1, (2, None)]}}


@pytest.fixture
def two(tmp_path: Path) -> Checkpoints:
    checkpoints = Checkpoints(tmp_path)
    for number in (1, 2):
        checkpoints.save(state(number))
    return checkpoints


def test_keeps_the_last_two(two: Checkpoints) -> None:
    two.save(state(3))
    assert two.numbers() == [2, 3]
    assert sorted(path.name for path in two.folder.iterdir()) == sorted(
        f"checkpoint-{number:08d}.{suffix}" for number in (2, 3) for suffix in ("safetensors", "json", "manifest")
    )
    loaded = Checkpoints(two.folder).load()
    assert loaded is not None and loaded["step"] == 3 and torch.equal(loaded["weights"], state(3)["weights"])
    assert loaded["nested"] == state(3)["nested"]


def test_nothing_saved_is_none(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path).load() is None


def test_order_is_the_number_not_the_time(two: Checkpoints) -> None:
    for path in two.folder.glob("checkpoint-00000001.*"):
        os.utime(path, (2**31, 2**31))  # the clock jumped
    assert two.load()["step"] == 2  # type: ignore[index]


def test_a_checkpoint_without_manifest_does_not_exist(two: Checkpoints) -> None:
    two.path(2).unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Checkpoints(two.folder).load()["step"] == 1  # type: ignore[index]
    assert Checkpoints(two.folder).save(state(3)) == 3  # never the name of one that was begun


def flip_or_cut(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    if chance.random() < 0.3:
        content = content[: chance.randrange(len(content))]
    else:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


@pytest.mark.parametrize("count", [120, pytest.param(1000, marks=pytest.mark.slow)])
def test_every_flip_and_cut_is_seen(two: Checkpoints, tmp_path: Path, count: int) -> None:
    chance = random.Random(0)
    for _ in range(count):
        path = two.path(2, chance.choice(["safetensors", "json", "manifest"]))
        whole = path.read_bytes()
        flip_or_cut(path, chance)
        with pytest.warns(UserWarning, match="checkpoint 1 is used"):
            assert Checkpoints(two.folder).load()["step"] == 1  # type: ignore[index]
        path.write_bytes(whole)
    assert Checkpoints(two.folder).load()["step"] == 2  # type: ignore[index]


def test_saving_after_a_torn_one_keeps_the_good_one(two: Checkpoints) -> None:
    two.path(2, "safetensors").write_bytes(b"torn")
    later = Checkpoints(two.folder)
    later.save(state(3))
    assert later.numbers() == [1, 3] and later.read(1)["step"] == 1


def test_none_whole_is_an_error_with_all_reasons(two: Checkpoints) -> None:
    for number in (1, 2):
        two.path(number, "json").write_bytes(b"{}")
    with pytest.raises(CheckpointError, match=r"no checkpoint of this run is whole.*00000002.*00000001"):
        two.load()


def rewrite_manifest(checkpoints: Checkpoints, number: int, **changes: Any) -> None:
    body = checkpoints.path(number).read_bytes().partition(b"\n")[2]
    text = (json.dumps(json.loads(body) | changes) + "\n").encode()
    checkpoints.path(number).write_bytes(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)


def fit_manifest(checkpoints: Checkpoints, number: int) -> None:
    files = {suffix: checkpoints.path(number, suffix).read_bytes() for suffix in ("json", "safetensors")}
    rewrite_manifest(
        checkpoints,
        number,
        **{name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()},
    )


def test_a_newer_format_is_refused_not_skipped(two: Checkpoints) -> None:
    rewrite_manifest(two, 2, format=FORMAT + 1)
    for attempt in (two.load, lambda: Checkpoints(two.folder).save(state(3))):
        with pytest.raises(CheckpointError, match="newer version"):
            attempt()
    assert two.numbers() == [1, 2]


class Canary:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("pickle-was-executed",)


@pytest.mark.parametrize("suffix", ["safetensors", "json", "manifest"])
@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_pickles_are_refused_under_any_name(
    two: Checkpoints, suffix: str, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    path = two.path(2, suffix)
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Canary()))
    else:
        torch.save({"weights": Canary()}, path)
    if suffix != "manifest":
        fit_manifest(two, 2)  # the digests are right: the content itself must be refused
    with pytest.raises(CheckpointError):
        two.read(2)
    assert not (tmp_path / "pickle-was-executed").exists()


@pytest.mark.parametrize("announced", [2**63, 2**40, 100 << 20])
def test_huge_headers_cost_no_memory(two: Checkpoints, announced: int) -> None:
    path = two.path(2, "safetensors")
    path.write_bytes(announced.to_bytes(8, "little") + b"{" + bytes(100))
    fit_manifest(two, 2)
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="header"):
        two.read(2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize(
    "text",
    [
        b'{"$": "os.system", "args": ["true"]}',
        b'{"a": {"$": "tensor", "name": "nowhere"}}',
        b'{"_target_": "os.system", "a": {"$": "dict", "items": 3}}',
        b"[" * 100_000,
        b"[]",
        b'{"a": {"$": "tensor", "name": "state/weights", "stride": [1000000000000]}}',
    ],
)
def test_hostile_json_is_refused(two: Checkpoints, text: bytes) -> None:
    two.path(2, "json").write_bytes(text)
    fit_manifest(two, 2)
    with pytest.raises(CheckpointError):
        two.read(2)


def test_what_cannot_be_saved_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"state/task/pool/0 cannot be saved.*object"):
        Checkpoints(tmp_path).save({"task": {"pool": [object()]}})
    with pytest.raises(CheckpointError, match="sparse"):
        Checkpoints(tmp_path).save({"eye": torch.eye(3).to_sparse()})
    assert Checkpoints(tmp_path).load() is None


def test_copied_folders_work(two: Checkpoints, tmp_path: Path) -> None:
    shutil.copytree(two.folder, tmp_path / "copy")
    assert Checkpoints(tmp_path / "copy").load()["step"] == 2  # type: ignore[index]
