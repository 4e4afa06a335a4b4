"""What command lines have started before torch is imported."""

import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from anmok.cli import ahead
from anmok.cli.ahead import decode_meanwhile, expect_pictures, holds_pictures


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_folders_of_pictures_are_recognised_by_some_names(tmp_path: Path) -> None:
    touch(tmp_path / "flat/a.JPG")
    touch(tmp_path / "classes/cat/a.png")
    touch(tmp_path / "split/train/cat/a.webp")
    touch(tmp_path / "deeper/a/b/c/a.png")
    touch(tmp_path / "texts/a.txt")
    (tmp_path / "empty").mkdir()
    for name in ("flat", "classes", "split"):
        assert holds_pictures(str(tmp_path / name)), name
    for name in ("deeper", "texts", "empty", "flat/a.JPG", "nowhere"):
        assert not holds_pictures(str(tmp_path / name)), name
    assert not holds_pictures("--time") and not holds_pictures("a\0b") and not holds_pictures("")


@pytest.mark.parametrize(
    ("words", "cores", "started"),
    [
        (["train", "photos"], 2, [("anmok.tasks.decoding_ahead", 1)]),
        (["check", "photos"], 2, [("anmok.data.decoding_worker", 2)]),
        (["eval", "run", "photos", "--json"], 3, [("anmok.data.decoding_worker", 3)]),
        (["train", "photos"], 1, []),
        (["predict", "run", "photos"], 2, []),
        (["train", "nothing", "--net", "alexnet"], 2, []),
        (["photos"], 2, []),
        ([], 2, []),
    ],
)
def test_what_decodes_is_started_for_commands_that_decode_folders(
    words: list[str], cores: int, started: list[tuple[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "photos/cat/a.png")
    monkeypatch.chdir(tmp_path)
    found: list[tuple[str, int]] = []
    monkeypatch.setattr(ahead, "processors", lambda: cores)
    monkeypatch.setattr(ahead, "start_ahead", lambda module, count: found.append((module, count)))
    expect_pictures(words)
    assert found == started


def test_a_training_has_its_pictures_decoded_as_its_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(ahead, "processors", lambda: 2)
    for name in ("cat/a.png", "dog/b.png"):
        Image.new("RGB", (80, 70)).save(touch(tmp_path / "photos" / name))
    data = str(tmp_path / "photos")
    expect_pictures(["train", data])
    decode_meanwhile(data, {"imgsz": 64, "follow_links": True, "epochs": 3, "project": tmp_path})
    end = time.monotonic() + 30
    while not list(tmp_path.glob("cache/*/about.json")) and time.monotonic() < end:
        time.sleep(0.05)
    (pixels,) = tmp_path.glob("cache/*/pixels.u8")
    assert pixels.stat().st_size == 2 * 73 * 73 * 3  # 64 / 0.875


def test_nothing_is_asked_of_whom_nobody_started() -> None:
    before = threading.enumerate()
    decode_meanwhile("photos", {})
    assert "anmok-decoder" not in {thread.name for thread in threading.enumerate() if thread not in before}


def test_whom_nobody_asks_stays_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    monkeypatch.setattr(ahead, "waiting_child", taken.append)
    decode_meanwhile(None, {})
    assert not taken
    decode_meanwhile("photos", {})
    assert taken == ["anmok.tasks.decoding_ahead"]
