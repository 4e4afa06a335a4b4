"""Killed at any moment and resumed: the same weights, optimizer, random numbers and order of pictures, to the bit."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import anmok
from anmok.core.errors import DataError, UsageError

TRAIN = """
import sys, torch
torch.set_num_threads(1)
import anmok
settings = eval(sys.argv[2])
anmok.train(sys.argv[1] or None, **settings)
"""
SETTINGS = {
    "epochs": 12,
    "imgsz": 32,
    "val": 0.2,
    "test": 0.2,
    "batch": 8,
    "sample_log": True,
    "save_every": 0.05,
    "focus": True,
}


def start(data: str, **settings: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", TRAIN, data, repr(settings)], stderr=subprocess.PIPE)


def outcome(folder: Path) -> dict[str, str]:
    """Digests of everything that must be equal: both weights, the newest checkpoint, the order of pictures."""
    newest = max(folder.glob("state/checkpoint-*.safetensors"))
    files = [
        folder / "weights/best.safetensors",
        folder / "weights/last.safetensors",
        newest,
        folder / "state/samples.log",
    ]
    return {path.suffix + path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def uninterrupted(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    project = tmp_path_factory.mktemp("whole")
    assert start(str(photographs), project=str(project), name="run", **SETTINGS).wait(300) == 0
    return outcome(project / "classify/run")


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_again_and_again(photographs: Path, tmp_path: Path, uninterrupted, workers: int) -> None:
    folder = tmp_path / "classify/run"
    generator = random.Random(workers)
    process = start(str(photographs), project=str(tmp_path), name="run", workers=workers, **SETTINGS)
    kills = 0
    while kills < 3:
        deadline = time.monotonic() + 60
        while not list(folder.glob("state/*.manifest")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(generator.uniform(0, 0.4))
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        process = start("", resume=str(folder), workers=workers)
    assert process.wait(300) == 0, process.stderr.read().decode()  # type: ignore[union-attr]
    assert kills >= 1
    assert outcome(folder) == uninterrupted


def test_changed_data_is_refused_with_the_difference(tmp_path: Path) -> None:
    from tests.verbs.photographs import write_photographs

    data = write_photographs(tmp_path / "photos", each=8)
    run = anmok.train(data, project=tmp_path / "runs", epochs=1, imgsz=32)
    (data / "cat" / "사진 00.png").write_bytes((data / "cat" / "사진 02.png").read_bytes() + b" ")
    with pytest.raises(DataError, match="사진 00"):
        anmok.train(resume=run.path)


def test_other_settings_are_refused_on_resume(run: anmok.Run) -> None:
    with pytest.raises(UsageError, match="epochs"):
        anmok.train(resume=run.path, epochs=5)
    with pytest.raises(UsageError, match="data"):
        anmok.train("samples", resume=run.path)


def test_a_finished_run_resumes_to_itself(run: anmok.Run) -> None:
    before = hashlib.sha256(run.folder.best.read_bytes()).hexdigest()
    again = anmok.train(resume=run.path)
    assert hashlib.sha256(again.folder.best.read_bytes()).hexdigest() == before
    assert again.metrics["test"] == run.metrics["test"]
