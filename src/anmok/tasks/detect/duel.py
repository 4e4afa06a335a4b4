"""Two detectors on the same pictures: is one better, or may the difference be chance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anmok.core.errors import DataError
from anmok.metrics.bootstrap import bootstrap
from anmok.metrics.proportion import Interval
from anmok.tasks.detect.measuring import Measured


@dataclass(frozen=True)
class Duel:
    """What came of it. `rows`: of each figure both values and the interval of their difference, first minus second."""

    names: tuple[str, str]
    pictures: int
    rows: Mapping[str, tuple[float, float, Interval]]
    notes: Sequence[str] = ()

    @property
    def verdict(self) -> str:
        """By the mean F1 of a picture: which is better, or that nothing tells them apart."""
        first, second, gap = self.rows["f1_by_picture"]
        told = f"mean F1 {first:.1%} against {second:.1%}, difference {100 * gap.low:+.1f} to {100 * gap.high:+.1f}"
        if not (gap.low > 0 or gap.high < 0):
            return f"On these {self.pictures:,} pictures nothing tells {' and '.join(self.names)} apart: {told}."
        better, other = self.names if gap.low > 0 else self.names[::-1]
        return f"{better} is better than {other}: {told} points."

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        figures = {name: {"values": [first, second], "difference": asdict(gap)}
                   for name, (first, second, gap) in self.rows.items()}  # fmt: skip
        return {"runs": list(self.names), "pictures": self.pictures, "figures": figures, "verdict": self.verdict}


def judged(names: tuple[str, str], first: Measured, second: Measured) -> Duel:
    """Compare two runs' answers to the same pictures, each at its own threshold, picture by picture.

    Raises:
        DataError: they answered other pictures, or in another order.
    """
    if list(first.ids) != list(second.ids):
        raise DataError(
            "these runs were not measured on the same pictures", got=f"{len(first.ids)} and {len(second.ids)}"
        )
    a, b = (np.nan_to_num(one.summary.pictures, nan=1.0) for one in (first, second))  # nothing there, nothing said
    gap = bootstrap(np.mean, a - b)  # type: ignore[arg-type]
    note = f"better on more pictures: {names[0]} on {int((a > b).sum()):,}, {names[1]} on {int((b > a).sum()):,}"
    return Duel(names, len(a), {"f1_by_picture": (float(a.mean()), float(b.mean()), gap)}, [note])
