"""One file that a person would rather look at than read, and tables that other programs read.

Pages are imported when they are asked for: a shipped model writes tables and needs none of what draws.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anmok.report.content import ReportContent
    from anmok.report.page import render, write_report

__all__ = ["ReportContent", "render", "write_report"]

_PLACES = {"ReportContent": "anmok.report.content", "render": "anmok.report.page", "write_report": "anmok.report.page"}


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'anmok.report' has no attribute {name!r}")
