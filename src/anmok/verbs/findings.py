"""What is wrong with the pictures of a run, as `anmok check` would say it, for its terminal and its reports."""

from __future__ import annotations

from typing import Any

from anmok.core.errors import sentence
from anmok.data.problems import Problem, all_problems, copy_problems
from anmok.tasks._kind import Billing, Kind, Measured
from anmok.tasks.copies import Copies

_ELSEWHERE = {"quarantined"}  # told item by item


def findings(copies: Copies) -> list[Problem]:
    """Those that spoil training, or the belief in its scores, first."""
    return [problem for problem in all_problems(copies.dataset, copies.found) if problem.kind not in _ELSEWHERE]


def told(problem: Problem) -> str:
    """What is wrong and what to do."""
    return f"{sentence(problem.sentence)} {sentence(problem.fix)}"


def leaks(copies: Copies) -> list[str]:
    """Copies of pictures learned from among those that judge, in words."""
    return [told(found) for found in copy_problems(copies.dataset, copies.found) if found.kind == "leak"]


def bill(kind: Kind, decoded: Any, measured: Measured | None, copies: Copies) -> list[str]:
    """What the score owes to leaks, where there are some and the kind can tell."""
    if measured is None or not isinstance(kind, Billing):
        return []
    owed = kind.bill(decoded, measured, copies.found)
    return [owed] if owed else []
