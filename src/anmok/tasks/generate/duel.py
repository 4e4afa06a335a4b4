"""Two generators judged by the same real pictures: is one better, or may the difference be chance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anmok.core.errors import DataError
from anmok.metrics.proportion import Interval
from anmok.tasks.generate.measuring import Measured

DECIDES = "kernel_distance"


@dataclass(frozen=True)
class Duel:
    """What came of it. `rows`: of each figure both values and the interval of their difference, first minus second."""

    names: tuple[str, str]
    pictures: int
    rows: Mapping[str, tuple[float, float, Interval]]
    notes: Sequence[str]

    @property
    def verdict(self) -> str:
        """By the kernel distance: which is better, or that nothing tells them apart."""
        first, second, gap = self.rows[DECIDES]
        told = f"kernel distance {first:.4f} against {second:.4f}, difference {gap.low:+.4f} to {gap.high:+.4f}"
        if not (gap.low > 0 or gap.high < 0):
            one, other = self.names
            return f"By these {self.pictures:,} pictures nothing tells {one} and {other} apart: {told}."
        better = self.names[0] if gap.high < 0 else self.names[1]
        return f"{better} draws nearer to the real pictures: {told}."

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        figures = {name: {"values": [first, second], "difference": asdict(gap)}
                   for name, (first, second, gap) in self.rows.items()}  # fmt: skip
        return {"runs": list(self.names), "pictures": self.pictures, "figures": figures, "verdict": self.verdict}


def judged(names: tuple[str, str], first: Measured, second: Measured) -> Duel:
    """Compare two runs by the same real pictures.

    The intervals take both figures as independent, which is careful: they share their real pictures.

    Raises:
        DataError: they were judged by other pictures, or in other features.
    """
    if set(first.ids) != set(second.ids):
        raise DataError("these runs were not judged by the same pictures", got=f"{len(first.ids)}, {len(second.ids)}")
    if first.title != second.title:
        raise DataError("distances in different features say nothing of each other", 
                        got=f"{first.title}, {second.title}", fix="training both with the same --features")  # fmt: skip
    rows = {name: _row(first.figures[name], second.figures[name]) for name in first.figures if name in second.figures}
    return Duel(names, len(first.ids), rows, [f"features: {first.title}"])


def _row(one: Interval, other: Interval) -> tuple[float, float, Interval]:
    gap = one.value - other.value
    low = gap - float(np.hypot(one.value - one.low, other.high - other.value))
    high = gap + float(np.hypot(one.high - one.value, other.value - other.low))
    return one.value, other.value, Interval(gap, low, high, one.n, "independent")
