"""The run folder's layout and names."""

from __future__ import annotations

from pathlib import Path

import pytest

from anmok.core.errors import CheckpointError, UnwrittenError, UsageError
from anmok.engine.runfolder import RunFolder


def test_layout(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "runs/classify", "꽃")
    assert folder.path == tmp_path / "runs/classify/꽃"
    assert sorted(path.name for path in folder.path.iterdir()) == ["state", "weights"]
    assert folder.write_json("card.json", {"classes": ["고양이"]}) == folder.card
    assert folder.read_json("card.json") == {"classes": ["고양이"]}
    assert "고양이" in folder.card.read_text(encoding="utf-8")
    assert folder.write_text("settings.yaml", "epochs: 3\n").read_text() == "epochs: 3\n"
    assert folder.devices() is None


def test_taken_names_are_counted_on(tmp_path: Path) -> None:
    names = [RunFolder.create(tmp_path, "run").path.name for _ in range(3)]
    (tmp_path / "run4").write_text("a file of this name")
    assert [*names, RunFolder.create(tmp_path, "run").path.name] == ["run", "run2", "run3", "run5"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0b"])
def test_names_that_are_no_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a run"):
        RunFolder.create(tmp_path, name)


def test_open_finds_the_run_from_inside(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path)
    for inside in (folder.path, folder.best, folder.state, folder.card):
        assert RunFolder.open(inside).path == folder.path


def test_open_refuses_what_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path, found in ((tmp_path / "none", "nothing"), (tmp_path, "without a run"), (tmp_path / "file", "a file")):
        with pytest.raises(UsageError, match=found):
            RunFolder.open(path)


@pytest.mark.parametrize("content", [None, b"{", b"\xff\xfe", b"[" * 100_000])
def test_unreadable_json_is_named(tmp_path: Path, content: bytes | None) -> None:
    folder = RunFolder.create(tmp_path)
    if content is not None:
        folder.card.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"card\.json"):
        folder.read_json("card.json")


def test_a_place_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnwrittenError, match=r"ENOTDIR|EEXIST"):
        RunFolder.create(tmp_path / "file" / "runs")
