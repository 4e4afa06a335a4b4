"""Mean average precision of 5,000 pictures: anmok's evaluation against faster-coco-eval alone, in turn.

    python benchmarks/map_evaluation.py [--pictures 5000] [--classes 80] [--answers 40] [--rounds 5]

Both begin with the same boxes as arrays in memory and end with COCO's twelve figures, which must be equal. Alone means
as its documentation has it: annotations and results as dictionaries, `COCO`, `loadRes`, `COCOeval_faster`. Truths are
drawn at random; answers are truths moved a little, some of another class, and boxes where nothing is.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measuring import HERE, machine, median_and_spread, write_record

from anmok.core.targets import Objects
from anmok.metrics.coco import coco_figures
from anmok.metrics.detection import Answer

SIDE = 640
Boxes = list[tuple[np.ndarray, np.ndarray]]  # boxes (M, 4), labels (M,)
Answers = list[tuple[np.ndarray, np.ndarray, np.ndarray]]  # and scores


def draw(pictures: int, classes: int, answers: int, seed: int = 0) -> tuple[Boxes, Answers]:
    """Truths and answers of so many pictures."""
    rng = np.random.default_rng(seed)
    truths, found = [], []
    for _ in range(pictures):
        count = int(rng.poisson(7))
        corner, size = rng.uniform(0, 0.8 * SIDE, (count, 2)), np.exp(rng.uniform(2, 5, (count, 2)))
        boxes = np.concatenate([corner, np.minimum(corner + size, SIDE)], 1).astype(np.float32)
        labels = rng.integers(0, classes, count)
        near = boxes + rng.normal(0, 4, boxes.shape)
        other = np.where(rng.random(count) < 0.15, rng.integers(0, classes, count), labels)
        stray = rng.uniform(0, 0.8 * SIDE, (max(0, answers - count), 2))
        strays = np.concatenate([stray, stray + np.exp(rng.uniform(2, 5, stray.shape))], 1)
        every = np.concatenate([near, strays]).astype(np.float32)
        every[:, 2:] = np.maximum(every[:, 2:], every[:, :2] + 1)
        names = np.concatenate([other, rng.integers(0, classes, len(stray))])
        scores = np.concatenate([rng.uniform(0.3, 1, count), rng.uniform(0, 0.5, len(stray))]).astype(np.float32)
        truths.append((boxes, labels))
        found.append((every, names, scores))
    return truths, found


def by_anmok(truths: Boxes, found: Answers, classes: int) -> dict[str, float]:
    """As `anmok eval` computes them."""
    figures = coco_figures(
        [Objects(*one) for one in truths], [Answer(*one) for one in found], [str(k) for k in range(classes)]
    ).figures
    return {name: float(value) for name, value in figures.items()}


def alone(truths: Boxes, found: Answers, classes: int) -> dict[str, float]:
    """As faster-coco-eval's documentation has it."""
    from faster_coco_eval import COCO, COCOeval_faster

    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for number, ((boxes, labels), (answered, names, scores)) in enumerate(zip(truths, found, strict=True), start=1):
        for (x, y, right, bottom), label in zip(boxes.tolist(), labels.tolist(), strict=True):
            wide, high = right - x, bottom - y
            annotations.append({"id": len(annotations) + 1, "image_id": number, "category_id": label + 1, "iscrowd": 0,
                                "bbox": [x, y, wide, high], "area": wide * high})  # fmt: skip
        for (x, y, right, bottom), label, score in zip(answered.tolist(), names.tolist(), scores.tolist(), strict=True):
            results.append({"image_id": number, "category_id": label + 1, "bbox": [x, y, right - x, bottom - y],
                            "score": score})  # fmt: skip
    truth = COCO({"images": [{"id": k + 1, "width": SIDE, "height": SIDE} for k in range(len(truths))],
                  "categories": [{"id": k + 1, "name": str(k)} for k in range(classes)],
                  "annotations": annotations})  # fmt: skip
    evaluation = COCOeval_faster(truth, truth.loadRes(results), "bbox", print_function=lambda *_: None)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    names_ = ("map", "map50", "map75", "map_small", "map_medium", "map_large", "mar_1", "mar_10", "mar_100",
              "mar_small", "mar_medium", "mar_large")  # fmt: skip
    return dict(zip(names_, map(float, evaluation.stats), strict=False))


def timed(judge: Callable[[], dict[str, float]]) -> tuple[float, dict[str, float]]:
    """Seconds and figures."""
    begin = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        figures = judge()
    return time.perf_counter() - begin, figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--classes", type=int, default=80)
    parser.add_argument("--answers", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=HERE / "results/map_evaluation.json")
    asked = parser.parse_args()
    data = (*draw(asked.pictures, asked.classes, asked.answers), asked.classes)
    seconds: dict[str, list[float]] = {"anmok": [], "alone": []}
    apart = 0.0
    for number in range(asked.rounds + 1):  # the first round warms up
        ours, mine = timed(lambda: by_anmok(*data))
        theirs, told = timed(lambda: alone(*data))
        apart = max(apart, *(abs(mine[name] - told[name]) for name in told))
        if number:
            seconds["anmok"].append(ours)
            seconds["alone"].append(theirs)
            print(f"anmok {ours:.2f} s, alone {theirs:.2f} s", flush=True)
    ratios = [ours / theirs for ours, theirs in zip(*seconds.values(), strict=True)]
    for name, values in seconds.items():
        print(f"{name:6} seconds {median_and_spread(values)}")
    print(f"anmok / alone: {median_and_spread(ratios)}; figures differ by at most {apart:.2g}")
    settings = {name: getattr(asked, name) for name in ("pictures", "classes", "answers", "rounds")}
    found = {"settings": settings, "seconds": seconds, "ratio": statistics.median(ratios), "largest_difference": apart}
    write_record(asked.out, machine("anmok", "faster-coco-eval", "numpy") | found)


if __name__ == "__main__":
    main()
