"""Two runs on the same pictures, compared by a figure that is a share: which is better, or may it be chance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anmok.core.errors import DataError
from anmok.metrics.proportion import Interval


@dataclass(frozen=True)
class ShareDuel:
    """What came of it (`anmok.tasks._kind.Duel`).

    Attributes:
        names: the runs'.
        pictures: on how many they were compared.
        decides: the figure that the verdict follows, the larger the better.
        called: what it is called in the verdict.
        rows: of each figure both values and the interval of their difference, first minus second.
        notes: what else was counted, a sentence each.
    """

    names: tuple[str, str]
    pictures: int
    decides: str
    called: str
    rows: Mapping[str, tuple[float, float, Interval]]
    notes: Sequence[str] = ()

    @property
    def verdict(self) -> str:
        """Which is better, or that nothing tells them apart."""
        first, second, gap = self.rows[self.decides]
        told = (
            f"{self.called} {first:.1%} against {second:.1%}, difference {100 * gap.low:+.1f} to {100 * gap.high:+.1f}"
        )
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


def check_order(first: Sequence[str], second: Sequence[str]) -> None:
    """Raise `DataError` where two runs answered other pictures, or the same in another order."""
    if list(first) != list(second):
        raise DataError("these runs were not measured on the same pictures", got=f"{len(first)} and {len(second)}")


def better_on(names: tuple[str, str], first: np.ndarray, second: np.ndarray) -> str:
    """On how many pictures each is better, by a figure of every picture (n,) each; NaN: of neither."""
    more, fewer = int((first > second).sum()), int((second > first).sum())
    return f"better on more pictures: {names[0]} on {more:,}, {names[1]} on {fewer:,}"
