"""What `anmok.train` returns and `anmok.load` opens: a run that can be asked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import nn

from anmok.core.errors import CheckpointError
from anmok.core.types import Prediction, Report
from anmok.engine.runfolder import RunFolder
from anmok.networks import build
from anmok.verbs import card as cards
from anmok.verbs.evaluate import evaluate
from anmok.verbs.explain import Explained, explain
from anmok.verbs.opened import OpenedRun, load_weights
from anmok.verbs.predict import predict


class Run(OpenedRun):
    """An opened run with the verbs that need nothing else."""

    def predict(self, pictures: str | Path | Iterable[str | Path], top: int = 1, **settings: Any) -> list[Prediction]:
        """Answers for files, folders and globs, see `anmok.predict`."""
        return predict(self, pictures, top=top, **settings)

    def evaluate(self, data: str | Path | None = None, **settings: Any) -> Report:
        """Figures on the run's test split, or on other data, see `anmok.evaluate`."""
        return evaluate(self, data, **settings)

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
    folder = RunFolder.open(path)
    card = cards.read(folder)
    own = card["network"]["name"] not in cards.known_networks()
    if own and network is None:
        raise CheckpointError(
            "this run was trained with a network of your own",
            path=folder.path,
            got=card["network"]["name"],
            fix="anmok.load(path, network=YourNetwork(…))",
        )
    network = network if network is not None else build(
        card["network"]["name"], num_classes=len(card["classes"]), in_channels=card["preparation"]["channels"],
        **card["network"]["arguments"],
    )  # fmt: skip
    load_weights(network, folder)
    return Run(folder, card, network, device)
