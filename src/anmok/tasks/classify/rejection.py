"""When a run should say "I don't know": a threshold on its certainty, chosen on validation pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anmok.core.errors import DataError, UsageError
from anmok.metrics.auroc import binary_auroc_interval
from anmok.metrics.proportion import share
from anmok.metrics.rejection import threshold_for_accuracy, threshold_for_coverage
from anmok.tasks.classify.measuring import Measured, spread_out

DEFAULT_COVERAGE = 0.95  # of validation pictures are answered where the person wished nothing: always within reach


@dataclass(frozen=True)
class Rejection:
    """Answers whose calibrated certainty lies below `threshold` are "I don't know".

    `wish`: what was asked for, `accuracy` among the answered or `coverage`, the share answered; `wanted`: how much.
    `coverage`, `accuracy`: what came of it on the `pictures` validation pictures. `reached`: whether the wish was met.
    """

    threshold: float
    wish: str
    wanted: float
    coverage: float
    accuracy: float
    pictures: int
    reached: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values, as the card stores them."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Rejection:
        """The inverse of `to_json`."""
        return cls(**values)

    @property
    def sentence(self) -> str:
        """The threshold in words."""
        bought = (
            f"of {self.pictures:,} validation pictures {self.coverage:.1%} are answered, {self.accuracy:.1%} of these "
            "rightly"
        )
        if not self.reached:
            return (
                f"no threshold promises an accuracy of {self.wanted:.1%}: too few validation pictures, or too many "
                f"mistakes; the strictest useful one is {self.threshold:.1%}, where {bought}"
            )
        return f'"I don\'t know" below a certainty of {self.threshold:.1%}: {bought}'


def choose_rejection(found: Measured, accuracy: float | None = None, coverage: float | None = None) -> Rejection:
    """The threshold that meets a wish on validation pictures; by default most pictures are answered.

    An accuracy counts as reached where the lower end of its 90 % interval is: on new pictures it will then hold too.

    Raises:
        UsageError: both wishes at once.
    """
    if accuracy is not None and coverage is not None:
        raise UsageError(
            "a threshold meets one wish", got="an accuracy and a coverage", fix="--reject-accuracy or --reject-coverage"
        )
    if accuracy is not None:
        chosen, wish, wanted = threshold_for_accuracy(found.targets, found.scores, accuracy), "accuracy", accuracy
    else:
        wish, wanted = "coverage", DEFAULT_COVERAGE if coverage is None else coverage
        chosen = threshold_for_coverage(found.targets, found.scores, wanted)
    return Rejection(
        chosen.threshold, wish, wanted, chosen.coverage, chosen.accuracy, len(found.targets), chosen.reached
    )


def rejection_row(found: Measured, rejection: Rejection) -> dict[str, Any]:
    """What the threshold buys on other pictures: share answered, and accuracy among them, with intervals."""
    answered = found.scores.max(1) >= rejection.threshold
    right = int((found.right & answered).sum())
    return {
        "threshold": rejection.threshold,
        "wish": rejection.wish,
        "wanted": rejection.wanted,
        "pictures": len(answered),
        "answered": int(answered.sum()),
        **spread_out("coverage", share(int(answered.sum()), len(answered))),
        **spread_out("accuracy", share(right, int(answered.sum()))),
        "sentence": rejection.sentence,
    }


def unseen_row(found: Measured, strange: np.ndarray, threshold: float | None) -> dict[str, Any]:
    """How well certainty tells pictures of known classes (`found`) from those of classes never learned.

    Args:
        strange: the certainty (largest calibrated probability) of each picture of an unseen class, (M,).
        threshold: the run's, to count how many of them are answered all the same.
    """
    if not len(strange) or not len(found.targets):
        raise DataError("known and unseen pictures are both needed", got=f"{len(found.targets)} and {len(strange)}")
    certainty = np.concatenate([found.scores.max(1), strange])
    kind = np.arange(len(certainty)) < len(found.targets)
    row: dict[str, Any] = {"pictures": len(strange), **spread_out("auroc", binary_auroc_interval(kind, certainty))}
    if threshold is not None:
        row |= spread_out("answered", share(int((strange >= threshold).sum()), len(strange)))
    return row
