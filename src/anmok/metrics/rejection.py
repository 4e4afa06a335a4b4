"""The right to say "I don't know": answer only where the certainty is high enough.

The threshold is chosen on validation pictures, and stated with what it buys there: accuracy among the answered, and
the share answered (coverage). Chow (1970); risk–coverage curve after El-Yaniv & Wiener (2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.errors import UsageError
from anmok.metrics._figure import Floats, checked, metric
from anmok.metrics.proportion import mid_p_bounds

LEEWAY = 0.001  # that a threshold lies below the certainty that it lets pass


@dataclass(frozen=True)
class RiskCoverage:
    """What each threshold buys, from the strictest to the laxest; ties in certainty are answered together.

    `threshold` (K,) answer where certainty ≥ this; `coverage` (K,) share answered; `accuracy` (K,) among the answered;
    `answered` (K,) pictures.
    """

    threshold: Floats
    coverage: Floats
    accuracy: Floats
    answered: Floats

    @property
    def area(self) -> float:
        """Mean error among the answered over all coverages; 0 is best."""
        return float(((1 - self.accuracy) * np.diff(self.coverage, prepend=0.0)).sum())


@dataclass(frozen=True)
class Threshold:
    """A chosen threshold and what it bought on the pictures it was chosen on. `reached`: whether the wish was met."""

    threshold: float
    coverage: float
    accuracy: float
    reached: bool


def risk_coverage(targets: ArrayLike, scores: ArrayLike) -> RiskCoverage:
    """Accuracy against coverage for every threshold on the largest probability.

    >>> curve = risk_coverage([0, 0, 1], [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])   # right, right, wrong
    >>> curve.accuracy.round(3), curve.coverage.round(3)
    (array([1.   , 1.   , 0.667]), array([0.333, 0.667, 1.   ]))
    """
    truths, answers = checked(targets, scores)
    certainty, right = answers.max(axis=1), answers.argmax(axis=1) == truths
    order = np.argsort(-certainty, kind="stable")
    certainty, hits = certainty[order], np.cumsum(right[order])
    last = np.flatnonzero(np.append(certainty[1:] != certainty[:-1], True))
    answered = (last + 1).astype(np.float64)
    return RiskCoverage(certainty[last], answered / len(order), hits[last] / answered, answered)


def threshold_for_accuracy(targets: ArrayLike, scores: ArrayLike, wanted: float, sure: bool = True) -> Threshold:
    """The threshold that answers most pictures while accuracy among them is at least `wanted`.

    Args:
        targets: class ids (N,) of validation pictures.
        scores: their probabilities (N, C).
        wanted: e.g. 0.99.
        sure: ask that the lower end of the accuracy's 90 % interval reaches `wanted`, so that on new pictures the
            wish is met about 19 times in 20 and not every other time.

    Where no threshold reaches it, the strictest promising one comes back with `reached` false.

    >>> threshold_for_accuracy([0, 0, 1], [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]], wanted=1.0, sure=False)
    Threshold(threshold=0.799, coverage=0.6666666666666666, accuracy=1.0, reached=True)
    """
    if not 0 < wanted <= 1:
        raise UsageError("the wanted accuracy is a share", got=wanted, allowed="above 0, at most 1")
    curve = risk_coverage(targets, scores)
    promise = curve.accuracy
    if sure:
        promise, _ = mid_p_bounds(np.round(curve.accuracy * curve.answered), curve.answered, confidence=0.9)
    good = np.flatnonzero(promise >= wanted)
    place = int(good[-1]) if len(good) else int(np.argmax(promise))
    return _chosen(curve, place, reached=bool(len(good)))


def threshold_for_coverage(targets: ArrayLike, scores: ArrayLike, wanted: float) -> Threshold:
    """The strictest threshold that still answers at least the share `wanted` of the pictures.

    >>> threshold_for_coverage([0, 0, 1], [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]], wanted=0.5).threshold
    0.799
    """
    if not 0 < wanted <= 1:
        raise UsageError("the wanted coverage is a share", got=wanted, allowed="above 0, at most 1")
    curve = risk_coverage(targets, scores)
    return _chosen(curve, int(np.argmax(curve.coverage >= wanted - 1e-12)), reached=True)


@metric("min")
def risk_coverage_area(targets: ArrayLike, scores: ArrayLike) -> float:
    """Mean error among the answered over all coverages: small where wrong answers are the uncertain ones.

    >>> round(risk_coverage_area([0, 0, 1], [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]]), 4)   # (0 + 0 + 1/3) / 3
    0.1111
    """
    return risk_coverage(targets, scores).area


def _chosen(curve: RiskCoverage, place: int, reached: bool) -> Threshold:
    # A little below: the last bits of a certainty must not decide. But not as low as the next one.
    here = float(curve.threshold[place])
    gap = here - float(curve.threshold[place + 1]) if place + 1 < len(curve.threshold) else here
    threshold = round(here - min(LEEWAY, gap / 2), 12)
    return Threshold(threshold, float(curve.coverage[place]), float(curve.accuracy[place]), reached)
