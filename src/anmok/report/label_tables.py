"""Predictions that may name several classes as tables.

Columns of files: `id`; `labels`, those found with bars between, `[]` where none is (a table that anmok reads again);
`score_<class>`, each class's own probability; `error`. JSON lines hold `labels` as a list and `scores` by class.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from anmok.core.types import Prediction

NONE = "none of the classes"
Row = dict[str, Any]


def nested_row(prediction: Prediction) -> Row:
    """One prediction as JSON holds it.

    >>> nested_row(Prediction("a.jpg", ("cat", "dog"), (0.9, 0.1), found=("cat",)))
    {'id': 'a.jpg', 'labels': ['cat'], 'scores': {'cat': 0.9, 'dog': 0.1}, 'error': None}
    """
    known = prediction.found is not None
    return {
        "id": prediction.id,
        "labels": list(prediction.found or ()) if known else None,
        "scores": _scores(prediction) if known else None,
        "error": prediction.error,
    }


def flat_rows(predictions: Iterable[Prediction]) -> tuple[list[str], Iterator[Row]]:
    """Names of the columns, told by the first answer, and a row a prediction; `labels` is a list or None."""
    waiting: list[Prediction] = []
    rest = iter(predictions)
    for prediction in rest:
        waiting.append(prediction)
        if prediction.found is not None:
            break
    classes = sorted(waiting[-1].labels or ()) if waiting else []
    columns = ["id", "labels", *(f"score_{name}" for name in classes), "error"]

    def rows() -> Iterator[Row]:
        for prediction in itertools.chain(waiting, rest):
            row: Row = dict.fromkeys(columns)
            row |= {f"score_{name}": score for name, score in _scores(prediction).items()}
            labels = None if prediction.found is None else list(prediction.found)
            yield row | {"id": prediction.id, "labels": labels, "error": prediction.error}

    return columns, rows()


def joined(labels: list[str] | None) -> str | None:
    """As a CSV cell holds them.

    >>> joined(["cat", "dog"]), joined([])
    ('cat|dog', '[]')
    """
    return None if labels is None else "|".join(labels) or "[]"


def told(prediction: Prediction) -> str:
    """For the screen: what was found, the likeliest first, or the likeliest of what was not.

    >>> told(Prediction("a.jpg", ("cat", "dog"), (0.12, 0.1), found=()))
    'none of the classes (cat 12.0 %)'
    """
    scores = _scores(prediction)
    found = [f"{name} {100 * scores[name]:.1f} %" for name in prediction.found or ()]
    likeliest = next((f"{name} {100 * score:.1f} %" for name, score in scores.items()), "")
    return ", ".join(found) or f"{NONE} ({likeliest})"


def _scores(prediction: Prediction) -> dict[str, float]:
    pairs = zip(prediction.labels or (), prediction.scores or (), strict=True)
    return {name: float(score) for name, score in pairs}
