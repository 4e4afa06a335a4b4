"""Files are the old or the new, and in the order that survives a power cut."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from anmok.core.errors import UnwrittenError
from anmok.core.files import TEMPORARY, sha256_of, sweep, whole_file, write_atomic, write_json, write_text
from anmok.engine.checkpoint import Checkpoints

FAULTS = {
    errno.ENOSPC: "disk is full",
    errno.EIO: "input/output error",
    errno.EACCES: "not permitted",
    errno.EROFS: "read-only",
}


class Recorder:
    """Stands between the code and the operating system: keeps a log, and fails call number `fails` with `code`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: int = -1, code: int = 0) -> None:
        self.log: list[tuple[str, str]] = []
        self.fails, self.code, self._paths = fails, code, dict[int, str]()
        for name in ("open", "write", "fsync", "replace"):
            monkeypatch.setattr(os, name, self._wrap(name, getattr(os, name)))

    def _wrap(self, name: str, real: Any) -> Any:
        def call(first: Any, *rest: Any, **named: Any) -> Any:
            path = self._paths.get(first, "?") if isinstance(first, int) else Path(first).name
            self.log.append((name, Path(rest[0]).name if name == "replace" else path))
            if len(self.log) - 1 == self.fails:
                raise OSError(self.code, os.strerror(self.code))
            result = real(first, *rest, **named)
            if name == "open":
                self._paths[result] = path
            return result

        return call


@pytest.mark.parametrize("code", FAULTS)
def test_a_refused_call_leaves_the_old_file(tmp_path: Path, code: int) -> None:
    path = tmp_path / "card.json"
    for fails in range(4):  # open, write, fsync, replace
        path.write_text("old")
        with pytest.MonkeyPatch.context() as patch:
            Recorder(patch, fails, code)
            with pytest.raises(UnwrittenError, match=FAULTS[code]):
                write_text(path, "new")
        assert path.read_text() == "old" and [path.name for path in tmp_path.iterdir()] == ["card.json"]


def test_a_folder_that_cannot_be_synced_is_no_success(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        Recorder(patch, 5, errno.EIO)  # open, write, fsync, replace, open folder, fsync folder
        with pytest.raises(UnwrittenError, match="input/output"):
            write_text(tmp_path / "card.json", "new")


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:7]))
    length, _ = write_atomic(tmp_path / "file", [b"0123456789" * 5, memoryview(b"end")])
    assert (tmp_path / "file").read_bytes() == b"0123456789" * 5 + b"end" and length == 53


@pytest.mark.parametrize("sizes", [[], [0], [5] * 1000, [300_000], [5, 300_000, 7, 400_000], [200_000] * 3, [262_144]])
def test_small_chunks_are_joined_in_order(tmp_path: Path, sizes: list[int]) -> None:
    chunks = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    length, digest = write_atomic(tmp_path / "file", chunks)
    whole = b"".join(chunks)
    assert (tmp_path / "file").read_bytes() == whole and length == len(whole)
    assert digest == hashlib.sha256(whole).hexdigest()


def test_order_of_calls_in_a_save(tmp_path: Path) -> None:
    """Each file: written under a temporary name in its folder, fsynced, renamed. Manifest last, then the folder."""
    with pytest.MonkeyPatch.context() as patch:
        recorder = Recorder(patch)
        number = Checkpoints(tmp_path).save({"weights": torch.ones(3)})
    published = [name for call, name in recorder.log if call == "replace"]
    assert published == [f"checkpoint-{number:08d}.{suffix}" for suffix in ("safetensors", "json", "manifest")]
    for name in published:
        temporary = f"{TEMPORARY}{name}-{os.getpid()}"
        calls = [call for call, path in recorder.log if path in (name, temporary)]
        assert calls[0] == "open" and calls[-2:] == ["fsync", "replace"] and set(calls[1:-2]) == {"write"}
    assert recorder.log[-1] == ("fsync", tmp_path.name)


def test_tmpdir_plays_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/nowhere")
    write_text(tmp_path / "file", "안녕")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "안녕"


def test_json_is_strict(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_json(tmp_path / "card.json", {"accuracy": float("nan")})
    assert not (tmp_path / "card.json").exists()


def test_sweep_takes_only_what_writers_left(tmp_path: Path) -> None:
    (tmp_path / f"{TEMPORARY}card.json-123").write_text("half")
    (tmp_path / "card.json").write_text("whole")
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["card.json"]


def test_sha256_by_hand(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_file_written_piece_by_piece_appears_whole_and_readable_by_all(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(KeyError), whole_file(path) as file:
        file.write(b"half")
        raise KeyError
    assert path.read_text() == "old" and [item.name for item in tmp_path.iterdir()] == ["table.csv"]
    umask = os.umask(0o022)
    try:
        with whole_file(path) as file:
            file.write(b"new")
            assert path.read_text() == "old"
    finally:
        os.umask(umask)
    assert path.read_text() == "new" and path.stat().st_mode & 0o777 == 0o644


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnwrittenError, match=r"nowhere.*does not exist"), whole_file(tmp_path / "nowhere" / "file"):
        pass
