"""Numbers from answers: NumPy only, no network in sight. Count first, then the formula.

`METRICS`: of `targets` (N,) and `scores` (N, C), one float. `PICTURE_METRICS`: of pictures and what they should be, one
value a picture. `SET_METRICS`: of drawn and real pictures' features, one float. `mode` says which way is better.
"""

from typing import Any

from anmok.core.registry import Registry
from anmok.metrics._figure import Metric

__all__ = ["METRICS", "PICTURE_METRICS", "SET_METRICS", "Metric"]

METRICS: Registry[Metric] = Registry("anmok.metrics", "metric")
PICTURE_METRICS: Registry[Any] = Registry("anmok.metrics", "picture metric")
SET_METRICS: Registry[Any] = Registry("anmok.metrics", "set metric")
