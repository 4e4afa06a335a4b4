"""The same promises seen from outside: the system calls of a real training process."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .fake_task import fingerprint, train

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")]

CALLS = "openat,write,fsync,rename,renameat,renameat2,close"


def traced(path: Path, *options: str) -> tuple[int, str]:
    log = path.with_suffix(".strace")
    script = (
        "import sys, torch; torch.set_num_threads(1); from pathlib import Path; from engine.fake_task import train; "
    )
    script += "train(Path(sys.argv[1]), resume=True)"
    command = ["strace", "-f", "-y", "-o", str(log), "-e", f"trace={CALLS}", *options]
    done = subprocess.run(
        [*command, sys.executable, "-c", script, str(path)],
        cwd=Path(__file__).parents[1],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        timeout=300,
        check=False,
    )
    return done.returncode, log.read_text(errors="replace")


def test_every_published_file_is_synced_before_and_its_folder_after(tmp_path: Path) -> None:
    """RELIABILITY G3: a killed process cannot show a power cut; the order of calls can."""
    path = tmp_path / "run"
    status, log = traced(path)
    assert status == 0
    synced: set[str] = set()  # files whose last write was followed by an fsync
    waiting: dict[str, int] = {}  # folders in which a rename is not durable yet
    published = 0
    for line in log.splitlines():
        call = re.search(r"(\w+)\((.*)", line)
        if call is None or str(path) not in line:
            continue
        name, rest = call[1], call[2]
        described = re.search(r"^\d+<(.*?)>", rest)
        if name == "fsync" and described:
            synced.add(described[1])
            waiting.pop(described[1], None)
        elif name == "write" and described:
            synced.discard(described[1])
        elif name.startswith("rename"):
            old, new = (Path(part) for part in re.findall(r'"(.*?)"', rest)[:2])
            assert old.parent == new.parent and str(old) in synced, line
            waiting[str(new.parent)] = waiting.get(str(new.parent), 0) + 1
            published += 1
    assert published > 20 and not waiting


@pytest.mark.parametrize("call", [2, 9, 17, 24])
def test_killed_exactly_before_a_rename(tmp_path: Path, call: int) -> None:
    train(tmp_path / "reference")
    path = tmp_path / "run"
    status, _ = traced(path, "-e", f"inject=rename:signal=SIGKILL:when={call}")
    assert status == -9 or status == 137
    assert traced(path)[0] == 0
    assert fingerprint(path) == fingerprint(tmp_path / "reference")


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EACCES", "EROFS"])
def test_refused_by_the_system(tmp_path: Path, error: str) -> None:
    path = tmp_path / "run"
    status, _ = traced(path, "-e", f"inject=rename:error={error}:when=12")
    assert status == 1
    assert traced(path)[0] == 0
    train(tmp_path / "reference")
    assert fingerprint(path) == fingerprint(tmp_path / "reference")
