"""Two runs that reconstruct the same pictures: is one better, or may the difference be chance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anmok.core.errors import DataError
from anmok.metrics.bootstrap import mean_interval
from anmok.metrics.proportion import Interval
from anmok.tasks.reconstruct.measuring import Measured

DECIDES = "psnr"


@dataclass(frozen=True)
class Duel:
    """What came of it. `rows`: of each figure both means and the interval of their difference, first minus second."""

    names: tuple[str, str]
    pictures: int
    rows: Mapping[str, tuple[float, float, Interval]]
    notes: Sequence[str]

    @property
    def verdict(self) -> str:
        """By the PSNR: which is better, or that nothing tells them apart."""
        first, second, gap = self.rows[DECIDES]
        told = f"{first:.2f} dB against {second:.2f} dB, difference {gap.low:+.2f} to {gap.high:+.2f}"
        if not (gap.low > 0 or gap.high < 0):
            one, other = self.names
            return f"On these {self.pictures:,} pictures nothing tells {one} and {other} apart: {told}."
        better, other = self.names if gap.low > 0 else self.names[::-1]
        return f"{better} repairs better than {other}: {told}."

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        figures = {name: {"values": [first, second], "difference": asdict(gap)}
                   for name, (first, second, gap) in self.rows.items()}  # fmt: skip
        return {"runs": list(self.names), "pictures": self.pictures, "figures": figures, "verdict": self.verdict}


def judged(names: tuple[str, str], first: Measured, second: Measured) -> Duel:
    """Compare two runs' answers to the same pictures; `second` may list them in another order.

    Raises:
        DataError: they answered other pictures.
    """
    place = {name: i for i, name in enumerate(second.ids)}
    if set(place) != set(first.ids):
        raise DataError(
            "these runs were not measured on the same pictures", got=f"{len(first.ids)} and {len(second.ids)}"
        )
    order = np.array([place[name] for name in first.ids])
    rows = {}
    for name in first.values.keys() & second.values.keys():
        a, b = first.values[name], second.values[name][order]
        rows[name] = (float(a.mean()), float(b.mean()), mean_interval(a - b))
    a, b = first.values[DECIDES], second.values[DECIDES][order]
    note = f"better on more pictures: {names[0]} on {int((a > b).sum()):,}, {names[1]} on {int((b > a).sum()):,}"
    return Duel(names, len(a), {name: rows[name] for name in first.values if name in rows}, [note])
