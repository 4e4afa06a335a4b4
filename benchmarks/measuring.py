"""What benchmarks share: whole processes with their cost, sides in turn, medians with spread, where it was measured."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_EVERY = 0.2  # seconds between two looks at the memory


def whole_process(command: Sequence[str], **environment: str) -> tuple[dict[str, float], str]:
    """What one command took with all its child processes, and its standard output.

    `process_s` is taken from outside, start and imports included; `cpu_s` counts processes that were waited for;
    `peak_mib` is the largest sum over the command and its children, memory that several share counted once.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, env={**os.environ, **environment})
        memory = _Memory(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        peak = max(memory.stop(), usage.ru_maxrss / 1024)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0), errors.seek(0)
        text, trouble = output.read(), errors.read()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{text}\n{trouble}")
    cost = {"process_s": seconds, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mib": peak}
    return {name: round(value, 3) for name, value in cost.items()}, text


class _Memory(threading.Thread):
    """Looks at a process tree's memory now and then (Linux; elsewhere it sees nothing)."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self._root, self._peak, self._ended = root, 0.0, threading.Event()
        self.start()

    def run(self) -> None:
        while not self._ended.wait(_EVERY):
            self._peak = max(self._peak, sum(map(_proportional_mib, _tree(self._root))))

    def stop(self) -> float:
        self._ended.set()
        self.join()
        return self._peak


def _tree(root: int) -> list[int]:
    found = [root]
    for process in found:
        with suppress(OSError):
            for thread in Path(f"/proc/{process}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
    return found


def _proportional_mib(process: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def in_turn(
    rounds: int, sides: Mapping[str, Callable[[int], dict[str, Any]]], kept: Path | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Each side once a round, A B A B, told as they come. A side is called with the round's number.

    Args:
        kept: results whose rounds come first, so that a long benchmark can be measured in parts; None: a new one.
    """
    before = {} if kept is None else json.loads(kept.read_text())
    found: dict[str, list[dict[str, Any]]] = {name: list(before.get(name, ())) for name in sides}
    first = min(map(len, found.values()))
    for number in range(first, first + rounds):
        for name, side in sides.items():
            found[name].append(side(number))
            figures = {key: value for key, value in found[name][-1].items() if isinstance(value, (int, float))}
            print(name, {key: round(value, 4) for key, value in figures.items()}, flush=True)
    return found


def median_and_spread(values: Sequence[float]) -> str:
    """In words."""
    return f"{statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g}, n={len(values)})"


def tell(found: Mapping[str, Sequence[Mapping[str, Any]]], *figures: str) -> None:
    """Every side's figures, a line each."""
    for name, runs in found.items():
        for figure in figures:
            values = [run[figure] for run in runs if figure in run]
            if values:
                print(f"{name:12} {figure:12} {median_and_spread(values)}")


def ratios(found: Mapping[str, Sequence[Mapping[str, Any]]], slow: str, fast: str, figure: str) -> list[float]:
    """slow / fast, round by round."""
    return [a[figure] / b[figure] for a, b in zip(found[slow], found[fast], strict=True)]


def last_json(text: str) -> Any:
    """The last line of a program's output."""
    return json.loads(text.strip().splitlines()[-1])


def anmok_program() -> str:
    """The command beside this interpreter."""
    return str(Path(sys.executable).with_name("anmok"))


def machine(*packages: str) -> dict[str, Any]:
    """Where, when and with what figures were taken."""
    versions = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return {"date": time.strftime("%Y-%m-%d"), "system": platform.platform(), "processor": _processor(),
            "cores": os.cpu_count(), "load_before": os.getloadavg()[0], "python": platform.python_version(),
            "versions": versions}  # fmt: skip


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """A benchmark's results."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")
