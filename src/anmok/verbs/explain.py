"""Explain: why a network answered as it did, drawn over the picture, with a verdict on the explanation itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anmok.core.errors import unknown_name
from anmok.core.registry import Registry
from anmok.explain._explanation import Explainer, Explanation
from anmok.explain.overlay import explanation_png
from anmok.explain.verdict import Verdict, judge
from anmok.verbs.opened import OpenedRun
from anmok.verbs.predict import prepared_picture
from anmok.verbs.settings import ExplainSettings

EXPLAINERS: Registry[Explainer] = Registry("anmok.explain", "explainer")


@dataclass(frozen=True)
class Explained:
    """An explanation, whose picture it is, what it says, and the PNG that shows it."""

    picture: Path
    answer: str
    score: float
    explanation: Explanation
    verdict: Verdict | None
    png: Path


def explain(run: OpenedRun, picture: str | Path, **settings: Any) -> Explained:
    """Draw what a run looked at in one picture, and write it as a PNG.

    Args:
        run: what `anmok.load` or `anmok.train` returned.
        picture: a file.
        settings: see `anmok.verbs.settings.ExplainSettings`.

    Raises:
        UsageError: no such method, class or layer.
        PictureError: the file cannot be read.
    """
    asked: ExplainSettings = ExplainSettings.of(**settings)
    method = EXPLAINERS[asked.method]
    if asked.target is not None and asked.target not in run.classes:
        raise unknown_name("class", asked.target, run.classes)
    target = None if asked.target is None else run.classes.index(asked.target)
    options: dict[str, Any] = {} if asked.layer is None else {"layer": asked.layer}
    pixels = prepared_picture(picture, run.preparation)
    x = run.model.normalise(torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None])[0]
    found = method(run.network, x, target, **options)
    verdict = judge(run.network, x, method, found, **options) if asked.verdict else None
    answer = run.classes[found.target]
    out = asked.out or run.path / f"explain-{Path(picture).stem}-{asked.method}.png"
    out.write_bytes(explanation_png(pixels, found, run.classes, verdict.sentence if verdict else None))
    return Explained(Path(picture), answer, found.score, found, verdict, out)
