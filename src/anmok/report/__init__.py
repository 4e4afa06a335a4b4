"""One file that a person would rather look at than read, and tables that other programs read."""

from anmok.report.content import ReportContent
from anmok.report.page import render, write_report

__all__ = ["ReportContent", "render", "write_report"]
