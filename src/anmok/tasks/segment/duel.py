"""Two segmentations of the same pictures: is one better, or may the difference be chance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from anmok.core.errors import DataError
from anmok.metrics.proportion import Interval
from anmok.metrics.segmentation import paired_differences
from anmok.tasks.segment.measuring import Measured

DECIDES = "mean_iou"


@dataclass(frozen=True)
class Duel:
    """What came of it. `rows`: of each figure both values and the interval of their difference, first minus second."""

    names: tuple[str, str]
    pictures: int
    rows: Mapping[str, tuple[float, float, Interval]]
    notes: Sequence[str]

    @property
    def verdict(self) -> str:
        """By the mean IoU: which is better, or that nothing tells them apart."""
        first, second, gap = self.rows[DECIDES]
        told = f"mean IoU {first:.1%} against {second:.1%}, difference {100 * gap.low:+.1f} to {100 * gap.high:+.1f}"
        if not (gap.low > 0 or gap.high < 0):
            pair = " and ".join(self.names)
            return f"On these {self.pictures:,} pictures nothing tells {pair} apart: {told} points."
        better, other = self.names if gap.low > 0 else self.names[::-1]
        return f"{better} is better than {other}: {told} points."

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        figures = {name: {"values": [first, second], "difference": asdict(gap)}
                   for name, (first, second, gap) in self.rows.items()}  # fmt: skip
        return {"runs": list(self.names), "pictures": self.pictures, "figures": figures, "verdict": self.verdict}


def judged(names: tuple[str, str], first: Measured, second: Measured) -> Duel:
    """Compare two runs' answers to the same pictures.

    Raises:
        DataError: they answered other pictures, or in another order.
    """
    if list(first.ids) != list(second.ids):
        raise DataError(
            "these runs were not measured on the same pictures", got=f"{len(first.ids)} and {len(second.ids)}"
        )
    gaps = paired_differences(first.tally, second.tally)
    rows = {name: (first.figures[name].value, second.figures[name].value, gap) for name, gap in gaps.items()}
    a, b = first.summary.pictures, second.summary.pictures
    note = f"better on more pictures: {names[0]} on {int((a > b).sum()):,}, {names[1]} on {int((b > a).sum()):,}"
    return Duel(names, len(first.ids), rows, [note])
