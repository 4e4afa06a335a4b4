"""COCO's figures of a detector, computed by faster-coco-eval (https://github.com/MiXaiLL76/faster_coco_eval).

Lin et al.: Microsoft COCO, ECCV 2014; the evaluation of cocodataset.org. Mean average precision here is the mean over
classes, over ten least overlaps from 0.5 to 0.95, and over 101 recalls; sizes are areas below 32², up to 96², and
beyond. Difficult objects (VOC's) are treated as crowds: an answer that lies on one is not judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anmok.core.errors import UsageError
from anmok.core.targets import Objects
from anmok.metrics._detections import Answer, check_pictures, ignored
from anmok.metrics._figure import Floats

THRESHOLDS = np.linspace(0.5, 0.95, 10)
MOST = (1, 10, 100)  # answers of a picture that recall is measured with
SIZES = ("all", "small", "medium", "large")


@dataclass(frozen=True)
class CocoFigures:
    """What COCO's evaluation finds.

    Args:
        figures: `map`, `map50`, `map75`; `map_small`, `map_medium`, `map_large`; recalls `mar_1`, `mar_10`, `mar_100`,
            `mar_small` … NaN where there is nothing to judge.
        class_map: of each class (C,).
        class_map50: at a least overlap of 0.5 (C,).
        precision: raised precision at 101 recalls for each least overlap and class (10, 101, C).
    """

    figures: Mapping[str, float]
    class_map: Floats
    class_map50: Floats
    precision: Floats


def coco_figures(
    truths: Sequence[Objects],
    answers: Sequence[Answer],
    classes: Sequence[str],
    sizes: Sequence[tuple[int, int]] | None = None,
    masks: bool = False,
) -> CocoFigures:
    """COCO's figures over pictures.

    Args:
        truths: objects of each picture, pixels of the original.
        answers: of the same pictures.
        classes: names.
        sizes: height and width of each picture; only masks need it.
        masks: compare masks instead of boxes.

    Raises:
        UsageError: answers do not fit the pictures or the class list, or there are no masks to compare.
    """
    check_pictures(truths, answers, len(classes))
    evaluation = _evaluate(truths, answers, classes, sizes, masks)
    precision = np.where(evaluation["precision"] < 0, np.nan, evaluation["precision"])  # T, R, C, sizes, most
    recall = np.where(evaluation["recall"] < 0, np.nan, evaluation["recall"])  #           T, C, sizes, most
    best = precision[..., -1]
    figures = {"map": _mean(best[..., 0]), "map50": _mean(best[0, ..., 0]), "map75": _mean(best[5, ..., 0])}
    figures |= {f"map_{size}": _mean(best[..., place]) for place, size in enumerate(SIZES) if place}
    figures |= {f"mar_{most}": _mean(recall[:, :, 0, place]) for place, most in enumerate(MOST)}
    figures |= {f"mar_{size}": _mean(recall[:, :, place, -1]) for place, size in enumerate(SIZES) if place}
    return CocoFigures(
        figures,
        np.array([_mean(best[:, :, place, 0]) for place in range(len(classes))]),
        np.array([_mean(best[0, :, place, 0]) for place in range(len(classes))]),
        best[..., 0],
    )


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _evaluate(
    truths: Sequence[Objects],
    answers: Sequence[Answer],
    classes: Sequence[str],
    sizes: Sequence[tuple[int, int]] | None,
    masks: bool,
) -> Mapping[str, Any]:
    from faster_coco_eval import COCO, COCOeval_faster

    shared = {
        "images": [{"id": i + 1, **_size(sizes, i)} for i in range(len(truths))],
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(classes)],
    }
    sets = []
    for rows in (_true_rows(truths, sizes, masks), _answered_rows(answers, masks)):
        one = COCO()
        for number, row in enumerate(rows, start=1):
            row["id"] = number
        one.dataset = {**shared, "annotations": rows}
        one.createIndex()
        sets.append(one)
    evaluation = COCOeval_faster(*sets, "segm" if masks else "bbox", print_function=_silent)
    evaluation.params.maxDets = list(MOST)
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation.eval


def _silent(*_: object) -> None:
    """Nothing is printed: figures are handed back."""


def _size(sizes: Sequence[tuple[int, int]] | None, number: int) -> dict[str, int]:
    return {} if sizes is None else {"height": sizes[number][0], "width": sizes[number][1]}


def _true_rows(truths: Sequence[Objects], sizes: Sequence[tuple[int, int]] | None, masks: bool) -> list[dict[str, Any]]:
    rows = []
    for number, truth in enumerate(truths):
        boxes = _xywh(truth.boxes)
        areas = boxes[:, 2] * boxes[:, 3] if truth.areas is None else truth.areas
        kinds = zip(boxes.tolist(), truth.labels.tolist(), areas.tolist(), ignored(truth).tolist(), strict=True)
        for place, (box, label, area, unjudged) in enumerate(kinds):
            row = {"image_id": number + 1, "category_id": label + 1, "bbox": box, "area": area,
                   "iscrowd": int(unjudged)}  # fmt: skip
            if masks:
                row |= _drawn(truth, place, sizes, number)
            rows.append(row)
    return rows


def _drawn(truth: Objects, place: int, sizes: Sequence[tuple[int, int]] | None, number: int) -> dict[str, Any]:
    region = truth.regions[place] if truth.regions is not None else None
    if region is None or sizes is None:
        missing = "object without a mask" if region is None else "pictures without sizes"
        raise UsageError("masks can only be compared where there are some", got=missing, fix="masks=False")
    pixels = region.draw(sizes[number])
    return {"segmentation": _encoded(pixels)} | ({} if truth.areas is not None else {"area": float(pixels.sum())})


def _answered_rows(answers: Sequence[Answer], masks: bool) -> list[dict[str, Any]]:
    rows = []
    for number, answer in enumerate(answers):
        boxes = _xywh(answer.boxes)
        for place, (box, label, score) in enumerate(
            zip(boxes.tolist(), answer.labels.tolist(), answer.scores.tolist(), strict=True)
        ):
            row = {"image_id": number + 1, "category_id": label + 1, "bbox": box, "area": box[2] * box[3],
                   "score": score, "iscrowd": 0}  # fmt: skip
            if masks:
                if answer.masks is None:
                    raise UsageError("masks can only be compared where there are some", got="an answer without masks")
                row |= _mask_row(answer.masks[place])
            rows.append(row)
    return rows


def _xywh(boxes: Any) -> Floats:
    """A box turned inside out becomes one without area: a wrong answer, where a negative area would be passed over."""
    wide = np.asarray(boxes, np.float64)
    return np.concatenate([wide[:, :2], np.maximum(wide[:, 2:] - wide[:, :2], 0)], axis=1)


def run_lengths(masks: Any) -> NDArray[np.object_]:
    """Masks bool (K, H, W) in a fraction of the memory: K dictionaries as COCO has them."""
    found = np.empty(len(masks), object)
    for place, mask in enumerate(masks):
        found[place] = _encoded(mask)
    return found


def _mask_row(mask: Any) -> dict[str, Any]:
    """An answered mask, bool (H, W) or its run lengths, and its area."""
    from faster_coco_eval import mask as mask_utils

    encoded = mask if isinstance(mask, dict) else _encoded(mask)
    return {"segmentation": encoded, "area": float(mask_utils.area(encoded))}


def _encoded(mask: Any) -> dict[str, Any]:
    from faster_coco_eval import mask as mask_utils

    return mask_utils.encode(np.asfortranarray(mask, np.uint8))
