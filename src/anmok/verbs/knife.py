"""One network of a comparison."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from anmok.anatomy.cost import Cost
from anmok.metrics.proportion import Interval


@dataclass(frozen=True)
class Knife:
    """One network: what it is, what it was worth on ImageNet, what it costs here.

    `top1`, `top5`: published ImageNet accuracy in per cent with its `source`, or None. `pretrained`: there are
    published weights. `field`: receptive field in pixels (height, width) of its features, None where it is the whole
    picture or unknown. `cells`: how many of its last map's cells lie along a side of the picture, None where unknown.
    `year`: of the paper. `probe`: accuracy of a line on its frozen features on the person's own pictures, or None.
    """

    name: str
    year: int
    idea: str
    parameters: int
    macs: int
    activation_bytes: int
    field: tuple[int, int] | None
    cells: float | None
    pretrained: bool
    top1: float | None
    top5: float | None
    source: str
    cost: Cost | None
    probe: Interval | None = None

    def as_row(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)
