"""Two runs on the same pictures: is one better, or may the difference be chance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anmok.metrics.compare import Comparison, compare, paired_bootstrap
from anmok.metrics.multilabel import mean_average_precision, micro_f1
from anmok.metrics.proportion import Interval
from anmok.tasks.multilabel.measuring import Measured

RESAMPLES = 400


@dataclass(frozen=True)
class Duel:
    """What came of it. `exact`: McNemar's test on pictures whose answer names exactly what they show; `rows`: of each
    figure both values and the interval of their difference, first minus second.
    """

    names: tuple[str, str]
    pictures: int
    exact: Comparison
    rows: Mapping[str, tuple[float, float, Interval]]

    @property
    def notes(self) -> Sequence[str]:
        """Pictures of which only one of them names all."""
        first, second = self.names
        return [f"only {first} names all: {self.exact.only_a:,} pictures; only {second}: {self.exact.only_b:,}"]

    @property
    def verdict(self) -> str:
        """By mean average precision; then what else certainly differs."""
        first, second, gap = self.rows["map"]
        told = f"mAP {first:.1%} against {second:.1%}, difference {100 * gap.low:+.1f} to {100 * gap.high:+.1f} points"
        if gap.low > 0 or gap.high < 0:
            better, other = self.names if gap.low > 0 else self.names[::-1]
            return f"{better} is better than {other}: {told}."
        return f"On these {self.pictures:,} pictures nothing tells {' and '.join(self.names)} apart: {told}."

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        figures = {name: {"values": [a, b], "difference": asdict(gap)} for name, (a, b, gap) in self.rows.items()}
        return {"runs": list(self.names), "pictures": self.pictures, "exact": asdict(self.exact), "figures": figures,
                "verdict": self.verdict}  # fmt: skip


def judged(names: tuple[str, str], first: Measured, second: Measured) -> Duel:
    """Compare two runs' answers; `second` may list the pictures in another order."""
    place = {name: i for i, name in enumerate(second.ids)}
    order = np.array([place[name] for name in first.ids])
    truths, test = first.targets, compare(first.right, second.right[order], names=names)
    pairs = {
        "map": (mean_average_precision, first.scores, second.scores[order]),
        "micro_f1": (micro_f1, first.answered, second.answered[order]),
    }
    rows = {
        name: (figure(truths, a), figure(truths, b), paired_bootstrap(figure, truths, a, b, RESAMPLES))
        for name, (figure, a, b) in pairs.items()
    }
    rows["subset_accuracy"] = (test.accuracy_a, test.accuracy_b, test.difference)
    return Duel(names, len(truths), test, rows)
