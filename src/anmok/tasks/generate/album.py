"""What the same seeds became, epoch after epoch: the pictures a report shows of a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

MOST = 16  # epochs kept; of more, every second one goes
EACH = 10  # pictures an epoch


@dataclass
class Album:
    """Pages by epoch, each uint8 (`each`, S, S, C). Of long runs it keeps the first, the last, and some between."""

    pages: dict[int, np.ndarray] = field(default_factory=dict)
    every: int = 1
    each: int = EACH

    def add(self, epoch: int, pictures: np.ndarray) -> None:
        """Keep a page; one that lies between two kept ones goes as soon as a later one comes."""
        last = max(self.pages, default=0)
        if last > 1 and last % self.every:
            del self.pages[last]
        self.pages[epoch] = pictures
        if len(self.pages) > MOST:
            self.every *= 2
            self.pages = {k: page for k, page in self.pages.items() if k in (1, epoch) or k % self.every == 0}

    def state(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"every": self.every, "pages": {str(k): torch.from_numpy(page) for k, page in self.pages.items()}}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Album:
        """The inverse of `state`."""
        return cls({int(k): np.asarray(page) for k, page in state["pages"].items()}, state["every"])
