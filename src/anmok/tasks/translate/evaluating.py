"""Everything `anmok eval` says about a run that translates."""

from __future__ import annotations

from typing import Any

from anmok.core.types import Prediction, Report
from anmok.data.prepare_pictures import PreparedPictures
from anmok.metrics.proportion import Interval
from anmok.tasks._kind import Inquiry
from anmok.tasks.translate.measuring import NEARER, Measured, measure


def evaluate(inquiry: Inquiry, decoded: PreparedPictures, split: str | None) -> tuple[Measured, Report]:
    """Every figure with its interval; the table `ways` says in words what each way came to."""
    model = inquiry.model
    found = measure(model, decoded, split)
    figures: dict[str, float] = {}
    for name, figure in found.figures.items():
        figures |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
    return found, Report(figures, {"ways": sentences(model, found)}, [Prediction(name) for name in found.ids])


def sentences(model: Any, found: Measured) -> list[dict[str, Any]]:
    """A row a way: `way`, `pictures`, and `sentence`."""
    return [
        {"way": model.told(way.way), "pictures": len(way.ids), "sentence": _sentence(model.told(way.way), way.figures)}
        for way in found.ways
    ]


def _sentence(told: str, figures: Any) -> str:
    known: dict[str, Interval] = dict(figures)
    parts = []
    if "error" in known:
        error, untouched, nearer = known["error"], known["untouched"], known[NEARER]
        parts.append(
            f"translations lie {error.value:.4f} from their partners (mean absolute difference of intensities), "
            f"untouched pictures {untouched.value:.4f}: {nearer.value:.2f} times nearer "
            f"(95 % interval {nearer.low:.2f} to {nearer.high:.2f}), PSNR {known['psnr'].value:.2f} dB"
        )
    if "cycle" in known:
        parts.append(f"there and back again, pictures change by {known['cycle'].value:.4f}")
    count = next(iter(known.values())).n
    return f"{told}, {count:,} pictures: {'; '.join(parts)}."
