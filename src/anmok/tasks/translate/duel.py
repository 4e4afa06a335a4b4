"""Two runs that translate the same pictures, compared by the error against partners, or there and back."""

from __future__ import annotations

from anmok.core.errors import DataError
from anmok.metrics.proportion import Interval
from anmok.tasks.duel import Duel, Wording, in_order_of, paired_means
from anmok.tasks.translate.measuring import Measured

DECIDES = ("error", "cycle")  # the first that both were measured by, on the first way
NEARER = Wording(".4f", "+.4f", 1, "", "translates nearer than", smaller_is_better=True)


def judged(names: tuple[str, str], first: Measured, second: Measured) -> Duel:
    """Compare two runs' answers to the same pictures; `second` may list them in another order.

    Raises:
        DataError: they answered other pictures, or by nothing that both were measured by.
    """
    others = {way.way: way for way in second.ways}
    rows: dict[str, tuple[float, float, Interval]] = {}
    for one in first.ways:
        if (other := others.get(one.way)) is not None:
            found = paired_means(one.values, other.values, in_order_of(one.ids, other.ids))
            rows |= {f"{name}_{one.way}": row for name, row in found.items()}
    decides = next((name for wish in DECIDES for name in rows if name.startswith(wish)), None)
    if decides is None:
        raise DataError("nothing was measured of both runs", got=f"{len(first.ids)} and {len(second.ids)} pictures")
    return Duel(names, len(first.ids), decides, decides.replace("_", " "), rows, [], NEARER)
