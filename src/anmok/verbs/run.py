"""What `anmok.train` returns and `anmok.load` opens: a run that can be asked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import nn

from anmok.core.types import Prediction, Report
from anmok.verbs.evaluate import evaluate
from anmok.verbs.explain import Explained, explain
from anmok.verbs.generate import Generated, generate
from anmok.verbs.opened import OpenedRun, read_run
from anmok.verbs.predict import predict


class Run(OpenedRun):
    """An opened run with the verbs that need nothing else."""

    def predict(self, pictures: str | Path | Iterable[str | Path], top: int = 1, **settings: Any) -> list[Prediction]:
        """Answers for files, folders and globs, see `anmok.predict`."""
        return predict(self, pictures, top=top, **settings)

    def evaluate(self, data: str | Path | None = None, **settings: Any) -> Report:
        """Figures on the run's test split, or on other data, see `anmok.evaluate`."""
        return evaluate(self, data, **settings)

    def generate(self, seeds: str | Iterable[int] = "0-15", **settings: Any) -> Generated:
        """Pictures by seed, see `anmok.generate`."""
        return generate(self, seeds=seeds if isinstance(seeds, str) else list(seeds), **settings)

    def explain(self, picture: str | Path, **settings: Any) -> Explained:
        """Why this answer, see `anmok.explain`."""
        return explain(self, picture, **settings)


def load(path: str | Path, network: nn.Module | None = None, device: str = "auto") -> Run:
    """Open a run.

    Args:
        path: the run's folder, or any file in it.
        network: an instance of the network, where the run was trained with one of your own.
        device: as in `anmok.train`.

    Raises:
        UsageError: there is no run.
        CheckpointError: the run is unfinished without a checkpoint, from a newer version, damaged, or does not fit.
    """
    return Run(*read_run(path, network, device))
