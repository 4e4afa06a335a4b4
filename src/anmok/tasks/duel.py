"""Two runs on the same pictures, compared figure by figure: which is better, or may it be chance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anmok.core.errors import DataError
from anmok.metrics.bootstrap import mean_interval
from anmok.metrics.proportion import Interval


@dataclass(frozen=True)
class Wording:
    """How a figure is told. `value` and `gap`: formats of it and of differences, which are multiplied by `times`;
    `unit`: what follows the difference; `better`: what the winner does."""

    value: str = ".1%"
    gap: str = "+.1f"
    times: float = 100
    unit: str = " points"
    better: str = "is better than"
    smaller_is_better: bool = False


SHARE = Wording()


@dataclass(frozen=True)
class Duel:
    """What came of it (`anmok.tasks._kind.Duel`).

    Attributes:
        names: the runs'.
        pictures: on how many they were compared.
        decides: the figure that the verdict follows.
        called: what it is called in the verdict.
        rows: of each figure both values and the interval of their difference, first minus second.
        notes: what else was counted, a sentence each.
        wording: how the figure that decides is told.
    """

    names: tuple[str, str]
    pictures: int
    decides: str
    called: str
    rows: Mapping[str, tuple[float, float, Interval]]
    notes: Sequence[str] = ()
    wording: Wording = SHARE

    @property
    def verdict(self) -> str:
        """Which is better, or that nothing tells them apart."""
        first, second, gap = self.rows[self.decides]
        told = (
            f"{self.called} {self._value(first)} against {self._value(second)}, difference {self._gap(gap.low)} to "
            f"{self._gap(gap.high)}{self.wording.unit}"
        )
        if not (gap.low > 0 or gap.high < 0):
            return f"On these {self.pictures:,} pictures nothing tells {' and '.join(self.names)} apart: {told}."
        first_wins = (gap.low > 0) != self.wording.smaller_is_better
        better, other = self.names if first_wins else self.names[::-1]
        return f"{better} {self.wording.better} {other}: {told}."

    def _value(self, value: float) -> str:
        return format(value, self.wording.value)

    def _gap(self, value: float) -> str:
        return format(self.wording.times * value, self.wording.gap)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        figures = {name: {"values": [first, second], "difference": asdict(gap)}
                   for name, (first, second, gap) in self.rows.items()}  # fmt: skip
        return {"runs": list(self.names), "pictures": self.pictures, "figures": figures, "verdict": self.verdict}


def in_order_of(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """Where each id of `first` stands in `second`. Raises `DataError` where they are not the same pictures."""
    place = {name: k for k, name in enumerate(second)}
    if set(place) != set(first):
        raise DataError("these runs were not measured on the same pictures", got=f"{len(first)} and {len(second)}")
    return np.array([place[name] for name in first], int)


def paired_means(
    first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray], order: np.ndarray
) -> dict[str, tuple[float, float, Interval]]:
    """Rows of a duel from figures of every picture (n,), of `second` in another order."""
    rows = {}
    for name, values in first.items():
        if name in second:
            others = second[name][order]
            rows[name] = (float(values.mean()), float(others.mean()), mean_interval(values - others))
    return rows


def check_order(first: Sequence[str], second: Sequence[str]) -> None:
    """Raise `DataError` where two runs answered other pictures, or the same in another order."""
    if list(first) != list(second):
        raise DataError("these runs were not measured on the same pictures", got=f"{len(first)} and {len(second)}")


def better_on(names: tuple[str, str], first: np.ndarray, second: np.ndarray) -> str:
    """On how many pictures each is better, by a figure of every picture (n,) each; NaN: of neither."""
    more, fewer = int((first > second).sum()), int((second > first).sum())
    return f"better on more pictures: {names[0]} on {more:,}, {names[1]} on {fewer:,}"
