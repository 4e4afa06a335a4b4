"""Two runs that name several labels of the same pictures, compared by mean average precision."""

from __future__ import annotations

from anmok.metrics.compare import compare, paired_bootstrap
from anmok.metrics.multilabel import mean_average_precision, micro_f1
from anmok.tasks.duel import Duel, in_order_of
from anmok.tasks.multilabel.measuring import Measured

RESAMPLES = 400


def judged(names: tuple[str, str], first: Measured, second: Measured) -> Duel:
    """Compare two runs' answers by mean average precision; `second` may list the pictures in another order.

    Whether an answer names exactly what its picture shows is compared by McNemar's test.

    Raises:
        DataError: they answered other pictures.
    """
    order = in_order_of(first.ids, second.ids)
    truths, test = first.targets, compare(first.right, second.right[order], names=names)
    pairs = {
        "map": (mean_average_precision, first.scores, second.scores[order]),
        "micro_f1": (micro_f1, first.answered, second.answered[order]),
    }
    rows = {
        name: (figure(truths, a), figure(truths, b), paired_bootstrap(figure, truths, a, b, RESAMPLES))
        for name, (figure, a, b) in pairs.items()
    }
    rows["subset_accuracy"] = (test.accuracy_a, test.accuracy_b, test.difference)
    note = f"only {names[0]} names all: {test.only_a:,} pictures; only {names[1]}: {test.only_b:,}"
    return Duel(names, len(truths), "map", "mAP", rows, [note])
