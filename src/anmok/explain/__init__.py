"""Why a network answered what it answered, and whether the explanation itself can be trusted."""

from anmok.core.registry import Registry
from anmok.explain._explanation import Explainer, Explanation

__all__ = ["EXPLAINERS", "Explainer", "Explanation"]

EXPLAINERS: Registry[Explainer] = Registry("anmok.explain", "explainer")
