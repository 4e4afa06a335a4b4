"""Numbers from answers: NumPy only, no network in sight. Count first, then the formula.

Every registered metric takes `targets` (N,) and `scores` (N, C) and gives one float; `mode` says which way is better.
"""

from anmok.core.registry import Registry
from anmok.metrics._figure import Metric

__all__ = ["METRICS", "Metric"]

METRICS: Registry[Metric] = Registry("anmok.metrics", "metric")
