"""The run folder: one place, one layout, for everything a run makes.

runs/<task>/<name>/
  settings.yaml  card.json  results.csv  report.html
  weights/best.safetensors  weights/last.safetensors
  state/                    checkpoints, the ordered sample log, the lock
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from anmok.core import files
from anmok.core.errors import CheckpointError, UsageError
from anmok.engine.lock import Lock

_MAX_JSON = 64 << 20  # bytes


class RunFolder:
    """A run's folder. Make one with `create` (a new run) or `open` (one that exists)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = path / "settings.yaml"  # what the run was started with
        self.card = path / "card.json"  # what the model is, needs and can
        self.results = path / "results.csv"  # one row an epoch
        self.report = path / "report.html"  # the page for people
        self.best = path / "weights" / "best.safetensors"  # the weights to use
        self.last = path / "weights" / "last.safetensors"  # the weights after the last epoch
        self.state = path / "state"  # what resuming needs
        self._lock = Lock(self.state / "lock.json")

    @classmethod
    def create(cls, base: str | os.PathLike[str], name: str = "run") -> RunFolder:
        """Make `base/name`, or `base/name2`, `base/name3` … where that is taken. Two processes never get the same.

        Raises:
            UsageError: `name` is no plain folder name.
            UnwrittenError: the folder cannot be made.
        """
        if not name or name in {".", ".."} or any(sign in name for sign in "/\\\0"):
            raise UsageError("this cannot name a run", got=repr(name), allowed="one folder name, e.g. 'flowers'")
        base, number = Path(base), 1
        with files.naming_the_cause(base / name):
            base.mkdir(parents=True, exist_ok=True)
            while True:
                path = base / (name if number == 1 else f"{name}{number}")
                try:
                    path.mkdir()
                    break
                except FileExistsError:
                    number += 1
            (path / "weights").mkdir()
            (path / "state").mkdir()
            for folder in (path, base):
                files.fsync_folder(folder)
        return cls(path)

    @staticmethod
    def check(base: str | os.PathLike[str]) -> None:
        """Refuse a place where no run can be made; for before the work that goes into one.

        Raises:
            UsageError: a file is in the way, or this user must not write there.
        """
        if why := files.unwritable(Path(base, "run")):
            raise UsageError(f"runs cannot be kept here: {why}", path=Path(base), fix="another place")

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunFolder:
        """The run at `path`: its folder, or any file or folder inside it.

        Raises:
            UsageError: there is no run.
        """
        given = Path(path)
        for folder in (given, *given.parents[:2]):
            if (folder / "weights").is_dir() and ((folder / "state").is_dir() or (folder / "card.json").is_file()):
                return cls(folder)
        found = "nothing" if not given.exists() else "a file" if given.is_file() else "a folder without a run"
        raise UsageError(
            "there is no run here", path=given, got=found, allowed="a folder such as runs/classify/run that train made"
        )

    def lock(self) -> Lock:
        """The folder's lock, for `with`. Raises `RunBusyError` naming the owner's process id and host."""
        return self._lock

    def write_text(self, name: str, text: str) -> Path:
        """Publish a text file of this name in the folder. Raises `UnwrittenError`."""
        files.write_text(self.path / name, text)
        return self.path / name

    def write_json(self, name: str, value: Any) -> Path:
        """Publish a JSON file of this name in the folder. Raises `UnwrittenError`."""
        files.write_json(self.path / name, value)
        return self.path / name

    def read_json(self, name: str) -> Any:
        """A JSON file of the folder. Raises `CheckpointError` if it is missing, damaged or absurdly large."""
        path = self.path / name
        try:
            if path.stat().st_size > _MAX_JSON:
                raise ValueError(f"{path.stat().st_size} bytes")
            return json.loads(path.read_bytes())
        except FileNotFoundError:
            raise CheckpointError("this run has no such file", path=path) from None
        except (OSError, ValueError, RecursionError) as error:
            raise CheckpointError("this file cannot be read", path=path, got=error) from error

    def devices(self) -> dict[str, str] | None:
        """How the run computes, as arguments for `devices.choose`, or None before its first step."""
        if not (self.state / "devices.json").exists():
            return None
        record = self.read_json("state/devices.json")
        return {"device": str(record["device"]), "precision": str(record["precision"])}
