"""Two segmentations of the same pictures, compared by the mean IoU."""

from __future__ import annotations

from anmok.metrics.segmentation import paired_differences
from anmok.tasks.duel import Duel, better_on, check_order
from anmok.tasks.segment.measuring import Measured


def judged(names: tuple[str, str], first: Measured, second: Measured) -> Duel:
    """Compare two runs' answers to the same pictures.

    Raises:
        DataError: they answered other pictures, or in another order.
    """
    check_order(first.ids, second.ids)
    gaps = paired_differences(first.tally, second.tally)
    rows = {name: (first.figures[name].value, second.figures[name].value, gap) for name, gap in gaps.items()}
    note = better_on(names, first.summary.pictures, second.summary.pictures)
    return Duel(names, len(first.ids), "mean_iou", "mean IoU", rows, [note])
