"""Curves for TensorBoard, where a person has it: an optional listener, and no dependency of anmok."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anmok.core.errors import UsageError
from anmok.engine.callbacks import Quiet

if TYPE_CHECKING:
    from anmok.engine.session import Outcome

_PLACES = {"stage", "epoch", "step"}  # of a row: where it stands, not what was measured


def tensorboard_is_here() -> None:
    """Raises `UsageError` with the command that installs it where TensorBoard is missing."""
    if find_spec("tensorboard") is None:
        raise UsageError("TensorBoard is not installed", fix="pip install 'anmok[tensorboard]'")


class TensorBoard(Quiet):
    """Writes every figure of every epoch as an event file into `folder`; look with `tensorboard --logdir`."""

    def __init__(self, folder: Path) -> None:
        tensorboard_is_here()
        from torch.utils.tensorboard import SummaryWriter  # only who asks for it pays for it

        self._writer = SummaryWriter(str(folder))

    def on_epoch(self, row: Mapping[str, Any]) -> None:
        """One point on every curve."""
        for name, value in row.items():
            if name not in _PLACES and isinstance(value, (int, float)):
                self._writer.add_scalar(f"{row['stage']}/{name}", value, int(row["epoch"]))
        self._writer.flush()

    def on_end(self, outcome: Outcome | None) -> None:
        """Close the file."""
        self._writer.close()
