"""Several losses at once: each with its weight, and each logged beside the sum.

parts = parse_sum("cross_entropy + 0.5 dice")          # {"cross_entropy": 1.0, "dice": 0.5}
losses = weighted_sum(parts, logits, targets, ignore=255)
losses["loss"].backward()
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from anmok.core.errors import UsageError
from anmok.losses import LOSSES

_PART = re.compile(r"(?:(\d+\.?\d*|\.\d+)\s*\*?\s*)?([a-z]\w*)")


def weighted_sum(parts: Mapping[str, float], *outputs_and_targets: Any, **keywords: Any) -> dict[str, Tensor]:
    """Every loss of `parts`, by name, and under `"loss"` their sum by weights.

    Args:
        parts: weights of registered losses, all called alike.
        outputs_and_targets: what each of them takes, such as logits and targets.
        keywords: of each of them, such as `ignore`.

    Raises:
        UsageError: no parts, or a name that is no loss.
    """
    if not parts:
        raise UsageError("a sum of losses needs one", allowed=", ".join(LOSSES), fix='{"cross_entropy": 1.0}')
    values = {name: LOSSES[name](*outputs_and_targets, **keywords) for name in parts}
    return {"loss": torch.stack([parts[name] * value for name, value in values.items()]).sum(), **values}


def parse_sum(text: str) -> dict[str, float]:
    """Weights by name from words like `cross_entropy + 0.5 dice`.

    Raises:
        UsageError: it does not read so, or names no known loss, or one twice.

    >>> parse_sum("cross_entropy + 0.5*dice")
    {'cross_entropy': 1.0, 'dice': 0.5}
    """
    parts: dict[str, float] = {}
    for piece in text.split("+"):
        found = _PART.fullmatch(piece.strip())
        if found is None:
            raise UsageError("a sum of losses is names with weights before them", got=repr(text),
                             allowed=", ".join(LOSSES), fix="'cross_entropy + 0.5 dice'")  # fmt: skip
        number, name = found.groups()
        if name in parts:
            raise UsageError("a loss stands twice in the sum", got=repr(text), fix="one weight for it")
        LOSSES[name]  # an unknown name is said here, with what was probably meant
        parts[name] = float(number or 1)
    return parts
