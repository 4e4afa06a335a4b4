"""Two runs that reconstruct the same pictures, compared by the PSNR."""

from __future__ import annotations

from anmok.tasks.duel import Duel, Wording, better_on, in_order_of, paired_means
from anmok.tasks.reconstruct.measuring import Measured

DECIBELS = Wording(value=".2f", gap="+.2f", times=1, unit=" dB", better="repairs better than")


def judged(names: tuple[str, str], first: Measured, second: Measured) -> Duel:
    """Compare two runs' answers to the same pictures; `second` may list them in another order.

    Raises:
        DataError: they answered other pictures.
    """
    order = in_order_of(first.ids, second.ids)
    note = better_on(names, first.values["psnr"], second.values["psnr"][order])
    rows = paired_means(first.values, second.values, order)
    return Duel(names, len(first.ids), "psnr", "PSNR", rows, [note], DECIBELS)
