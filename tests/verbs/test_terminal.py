"""What a verb says: lines in a terminal; in Python, which is quiet, warnings that point at the person's own line."""

import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

import anmok
from anmok.tasks._kind import NAMED, tell_set_aside
from anmok.verbs.terminal import Silence, Terminal


@pytest.fixture
def damaged(photographs: Path, tmp_path: Path) -> Path:
    """Photographs, one of which is cut short in the middle."""
    folder = Path(shutil.copytree(photographs, tmp_path / "photos"))
    broken = next(folder.rglob("*.*"))
    broken.write_bytes(broken.read_bytes()[:300])
    return folder


def test_in_python_a_picture_set_aside_is_warned_of_at_the_persons_own_line(damaged: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning) as told:
        run = anmok.train(damaged, project=tmp_path / "runs", imgsz=32, epochs=1, batch=8)
    assert run.card["data"]["account"]["files"]["quarantined"] == 1
    (warning,) = [one for one in told if ". Try: " in str(one.message)]
    assert warning.filename == __file__


def test_the_command_says_it_and_quiet_says_nothing(damaged: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "anmok", "train", str(damaged), "--project", str(tmp_path / "runs")]
    command += ["--imgsz", "32", "--epochs", "1", "--batch", "8"]
    said, quiet = (subprocess.run([*command, *more], capture_output=True, text=True) for more in ([], ["--quiet"]))
    assert said.returncode == quiet.returncode == 0, said.stderr + quiet.stderr
    assert said.stderr.count("note: ") == 1 and "UserWarning" not in said.stderr
    assert quiet.stderr == ""


def test_what_happens_inside_is_warned_of_outside_and_once() -> None:
    with pytest.warns(UserWarning) as told, pytest.raises(KeyError), Terminal(quiet=True).hearing_warnings():
        for word in ("once", "twice", "once"):
            warnings.warn(word, stacklevel=1)
        raise KeyError
    assert [str(one.message) for one in told] == ["once", "twice"]
    assert {one.filename for one in told} == {__file__}


def test_what_was_said_before_is_not_said_again() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Silence().warn("again")
        with pytest.raises(UserWarning, match="first"):
            Terminal(quiet=True).warn("first")


def test_of_many_pictures_set_aside_the_first_are_named() -> None:
    items = [SimpleNamespace(path=f"{i}.png", reason="it is empty", fix="remove it") for i in range(NAMED + 1_500)]
    before, after = SimpleNamespace(quarantined=items[:5]), SimpleNamespace(quarantined=items)
    said: list[str] = []
    voice = SimpleNamespace(warn=said.append)
    tell_set_aside(before, after, voice)  # type: ignore[arg-type]
    assert said[0] == "5.png: it is empty. Try: remove it." and len(said) == NAMED + 1
    assert said[-1] == "and 1,495 more were set aside; the report lists all"
