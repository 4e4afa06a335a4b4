"""The card of a network: what its paper wanted, what it gave, what it costs, and when to reach for it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from anmok.core.weights import Weights

F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True)
class Paper:
    """Where a network was published. `arxiv` is the identifier, None where the paper is not there."""

    title: str
    authors: str
    year: int
    where: str
    arxiv: str | None = None

    def __str__(self) -> str:
        found = f" arXiv:{self.arxiv}" if self.arxiv else ""
        return f"{self.authors}: {self.title}. {self.where}, {self.year}.{found}"


@dataclass(frozen=True)
class Card:
    """What a learner should know before reaching for a network.

    Args:
        title: the network's name as people write it.
        paper: where it comes from.
        idea: the one idea.
        fixed: what was wrong before, and is not any more.
        cost: what it asks of memory, time or data.
        reach_for: when it is the right knife.
        avoid: when it is not, and what is.
        differences: where this code departs from the paper.
        natural: height and width it was designed for.
        smallest: smallest height and width it accepts.
    """

    title: str
    paper: Paper
    idea: str
    fixed: str
    cost: str
    reach_for: str
    avoid: str
    differences: tuple[str, ...]
    natural: int
    smallest: int

    def text(self, width: int = 88) -> str:
        """The card as paragraphs for a terminal of `width` columns."""
        parts = [
            ("", str(self.paper)),
            ("The idea", self.idea),
            ("What it fixed", self.fixed),
            ("What it costs", self.cost),
            ("Reach for it", self.reach_for),
            ("Leave it", self.avoid),
            *(("Not as in the paper", difference) for difference in self.differences),
            ("Input", f"{self.natural} × {self.natural} by design, {self.smallest} × {self.smallest} at least."),
        ]
        lines = [self.title, "=" * len(self.title)]
        for head, body in parts:
            lines.append(textwrap.fill(f"{head}: {body}" if head else body, width, subsequent_indent="  "))
        return "\n".join(lines)

    __str__ = text


def about(card: Card, weights: Mapping[str, Weights] | None = None) -> Callable[[F], F]:
    """Give a network's function its `card` and its published `weights`, oldest first, by the names users write."""

    def attach(function: F) -> F:
        function.card = card  # type: ignore[attr-defined]
        function.weights = dict(weights or {})  # type: ignore[attr-defined]
        return function

    return attach


def of_encoder(files: Mapping[str, Weights]) -> dict[str, Weights]:
    """A classifier's published files as they serve the network that stands on it: their accuracy is not its own."""
    return {key: replace(file, top1=None, top5=None) for key, file in files.items()}
