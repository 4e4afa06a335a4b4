"""Two classifiers on the same pictures: is one better, or may the difference be chance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anmok.metrics.calibration import expected_calibration_error
from anmok.metrics.compare import Comparison, compare, paired_bootstrap
from anmok.metrics.log_loss import log_loss
from anmok.metrics.precision_recall import macro_f1
from anmok.metrics.proportion import Interval
from anmok.tasks.classify.measuring import Measured

FIGURES = {  # beside accuracy: name → metric, whether more is better
    "macro_f1": (macro_f1, True),
    "log_loss": (log_loss, False),
    "expected_calibration_error": (expected_calibration_error, False),
}


@dataclass(frozen=True)
class Duel:
    """What came of it. `accuracy`: McNemar's test and the paired interval, with the verdict in words.

    `figures`: of each further figure the values of both runs and the interval of their difference, first minus second.
    """

    names: tuple[str, str]
    pictures: int
    accuracy: Comparison
    figures: Mapping[str, tuple[float, float, Interval]]

    @property
    def rows(self) -> Mapping[str, tuple[float, float, Interval]]:
        """Accuracy first, then `figures`."""
        test = self.accuracy
        return {"accuracy": (test.accuracy_a, test.accuracy_b, test.difference), **self.figures}

    @property
    def notes(self) -> Sequence[str]:
        """Pictures that only one of them answers rightly."""
        first, second = self.names
        return [f"only {first} is right: {self.accuracy.only_a:,} pictures; only {second}: {self.accuracy.only_b:,}"]

    @property
    def verdict(self) -> str:
        """The accuracy's verdict, then every other figure that certainly differs."""
        told = [self.accuracy.verdict]
        for name, (first, second, difference) in self.figures.items():
            if difference.low > 0 or difference.high < 0:
                better = self.names[int((first > second) != FIGURES[name][1])]
                told.append(f"{better} has the better {name.replace('_', ' ')} ({first:.3f} against {second:.3f}).")
        return " ".join(told)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        figures = {
            name: {"values": [first, second], "difference": asdict(difference)}
            for name, (first, second, difference) in self.figures.items()
        }
        return {
            "runs": list(self.names),
            "pictures": self.pictures,
            "accuracy": asdict(self.accuracy),
            "figures": figures,
            "verdict": self.verdict,
        }


def judged(names: tuple[str, str], first: Measured, second: Measured) -> Duel:
    """Compare two runs' answers; `second` may list the pictures in another order."""
    place = {name: i for i, name in enumerate(second.ids)}
    order = np.array([place[name] for name in first.ids])
    targets, scores = first.targets, (first.scores, second.scores[order])
    figures = {
        name: (metric(targets, scores[0]), metric(targets, scores[1]), paired_bootstrap(metric, targets, *scores))
        for name, (metric, _) in FIGURES.items()
    }
    return Duel(names, len(targets), compare(first.right, second.right[order], names=names), figures)
