"""What a verb says while it works: on standard error, so that standard output holds results only."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Terminal:
    """Plain lines and progress bars. Where `quiet`, neither; what is worth noticing is then a Python warning, which
    points at the person's own line."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.console = Console(stderr=True, highlight=False, quiet=quiet)

    def say(self, text: str) -> None:
        """One line."""
        self.console.print(text, markup=False, soft_wrap=True)

    def warn(self, text: str, kind: type[Warning] = UserWarning) -> None:
        """One line worth noticing."""
        if self.quiet:
            warnings.warn(text, kind, stacklevel=_levels_inside())
        self.console.print(f"note: {text}", style="yellow", markup=False, soft_wrap=True)

    @contextmanager
    def bar(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """A bar for work that reports (done, total); gone when the work is done."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        shown = self.console.is_terminal and not self.quiet
        with Progress(*columns, console=self.console, transient=True, disable=not shown) as progress:
            task = progress.add_task(what, total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)

    @contextmanager
    def hearing_warnings(self) -> Iterator[None]:
        """Python's warnings as notes, each once; where `quiet`, they come when the verb is done."""
        told: dict[str, type[Warning]] = {}

        def hear(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
            text = str(message)
            if text not in told and not self.quiet:
                self.warn(text)
            told[text] = category

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("default", UserWarning)
                warnings.showwarning = hear  # type: ignore[assignment]
                yield
        finally:
            for text, kind in told.items() if self.quiet else ():
                self.warn(text, kind)


class Silence(Terminal):
    """For what was said before, or concerns nobody."""

    def __init__(self) -> None:
        super().__init__(quiet=True)

    def warn(self, text: str, kind: type[Warning] = UserWarning) -> None:
        """Nothing."""


def _levels_inside() -> int:
    """How many frames above the caller's the first one is that is not anmok's own, or a `with` of its."""
    frame, levels = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in ("anmok", "contextlib"):
        frame, levels = frame.f_back, levels + 1
    return levels


def figures_line(figures: Mapping[str, Any]) -> str:
    """Figures with their intervals on one line: `accuracy 93.4 % (92.9 to 93.9)`; what is no share, as it is."""
    parts = []
    for name, figure in figures.items():
        value, low, high = (float(getattr(figure, part)) for part in ("value", "low", "high"))
        told = name.replace("_", " ")
        for plain, written in (("iou", "IoU"), ("f1", "F1"), ("psnr", "PSNR"), ("ssim", "SSIM")):
            told = told.replace(plain, written)
        if is_share(value, name):
            parts.append(f"{told} {100 * value:.1f} % ({100 * low:.1f} to {100 * high:.1f})")
        else:
            parts.append(f"{told} {_number(value)} ({_number(low)} to {_number(high)})")
    return ", ".join(parts)


def _number(value: float) -> str:
    return f"{value:.3f}" if is_share(value) else f"{value:.2f}"


def is_share(value: float, name: str = "") -> bool:
    """Whether a figure can be told in per cent; an SSIM or a distance is no share of anything, however small."""
    return not abs(value) > 1 and not ("ssim" in name.lower() or "distance" in name)
