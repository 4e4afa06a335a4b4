"""YOLO v1's cells: which predictor answers for which object, and the sum of squares that teaches it.

Redmon, Divvala, Girshick, Farhadi: You Only Look Once, CVPR 2016 (arXiv:1506.02640), equation 3; and the numbers of
the authors' own program, darknet, where they differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from anmok.core.boxes import paired_iou
from anmok.networks._detector import Target

COORD, NO_OBJECT = 5.0, 0.5  # the paper's λ_coord and λ_noobj
WEIGHTS = {"places": COORD, "sizes": COORD, "objects": 1.0, "background": NO_OBJECT, "classes": 1.0}


class Grid(NamedTuple):
    """What the cells answer: R × S of them, B predictors each."""

    boxes: Tensor  # (N, R, S, B, 4): centre from the cell's corner in cells; √width, √height as shares of the picture
    confidences: Tensor  # (N, R, S, B)
    classes: Tensor  # (N, R, S, C)


class Truth(NamedTuple):
    """What the cells should answer; a cell holds one object, of those whose centre lies in it."""

    present: Tensor  # bool (N, R, S)
    boxes: Tensor  # (N, R, S, 4): centre from the cell's corner in cells; width, height as shares of the picture
    labels: Tensor  # int64 (N, R, S)


def on_grid(targets: Sequence[Target], cells: tuple[int, int], stride: int, *, shuffle: bool = False) -> Truth:
    """Objects put into the cells that hold their centres.

    Args:
        targets: boxes in pixels, labels.
        cells: rows and columns.
        stride: pixels from one cell to the next.
        shuffle: of several objects in a cell, one at random (darknet) instead of the first.
    """
    rows, columns = cells
    device = targets[0]["boxes"].device
    present = torch.zeros(len(targets), rows, columns, dtype=torch.bool, device=device)
    boxes = torch.zeros(len(targets), rows, columns, 4, device=device)
    labels = torch.zeros(len(targets), rows, columns, dtype=torch.int64, device=device)
    extent = boxes.new_tensor([columns * stride, rows * stride])
    for i, target in enumerate(targets):
        order = torch.randperm(len(target["labels"])) if shuffle else torch.arange(len(target["labels"]))
        order = order.flip(0).to(device)  # the last one written stays
        corners, kinds = target["boxes"].float()[order], target["labels"][order]
        centre = (corners[:, :2] + corners[:, 2:]) / 2 / stride
        column = centre[:, 0].long().clamp(0, columns - 1)
        row = centre[:, 1].long().clamp(0, rows - 1)
        inner = centre - torch.stack([column, row], 1)
        share = (corners[:, 2:] - corners[:, :2]) / extent
        for k in range(len(order)):  # one by one: with repeated places, indexing leaves the winner open
            place = (i, row[k], column[k])
            present[place], labels[place] = True, kinds[k]
            boxes[place] = torch.cat([inner[k], share[k]])
    return Truth(present, boxes, labels)


def corners(boxes: Tensor, rooted: bool) -> Tensor:
    """Boxes of the cells (N, R, S, B, 4) as xyxy in shares of the picture; `rooted`: sizes are square roots."""
    rows, columns = boxes.shape[1:3]
    row = torch.arange(rows, device=boxes.device, dtype=boxes.dtype)[:, None, None]
    column = torch.arange(columns, device=boxes.device, dtype=boxes.dtype)[None, :, None]
    centre = torch.stack([(boxes[..., 0] + column) / columns, (boxes[..., 1] + row) / rows], -1)
    half = (boxes[..., 2:].square() if rooted else boxes[..., 2:]) / 2
    return torch.cat([centre - half, centre + half], -1)


@torch.no_grad()
def responsible(boxes: Tensor, truth: Truth) -> tuple[Tensor, Tensor]:
    """Which predictor answers for a cell's object, bool (N, R, S, B), and every predictor's IoU with it, likewise.

    The one that overlaps the object most; where none does, the one that differs least (root of the summed squares, in
    shares of the picture), as darknet decides and the paper leaves open.
    """
    answered, wanted = corners(boxes, rooted=True), corners(truth.boxes[..., None, :], rooted=False)
    overlap = paired_iou(answered, wanted)
    apart = _centre_and_size(answered) - _centre_and_size(wanted)
    nearest = apart.square().sum(-1).argmin(-1)
    best = torch.where(overlap.amax(-1) > 0, overlap.argmax(-1), nearest)
    chosen = torch.nn.functional.one_hot(best, boxes.shape[3]).bool() & truth.present[..., None]
    return chosen, overlap


def _centre_and_size(boxes: Tensor) -> Tensor:
    return torch.cat([(boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]], -1)


def yolo_loss(grid: Grid, truth: Truth, *, rescore: bool = True) -> dict[str, Tensor]:
    """The five sums of equation 3, each weighed, a picture's mean over the batch; float32.

    Args:
        grid: answers.
        truth: of the same cells.
        rescore: an object's confidence should be its predictor's IoU (the paper's definition) instead of 1.
    """
    grid = Grid(*(part.float() for part in grid))
    chosen, overlap = responsible(grid.boxes, truth)
    place, size = grid.boxes[..., :2], grid.boxes[..., 2:]
    true_place, true_size = truth.boxes[..., None, :2], truth.boxes[..., None, 2:].sqrt()
    wanted = overlap if rescore else torch.ones_like(overlap)
    named = torch.nn.functional.one_hot(truth.labels, grid.classes.shape[-1])
    sums = {
        "places": ((place - true_place).square() * chosen[..., None]).sum(),
        "sizes": ((size - true_size).square() * chosen[..., None]).sum(),
        "objects": ((grid.confidences - wanted).square() * chosen).sum(),
        "background": (grid.confidences.square() * ~chosen).sum(),
        "classes": ((grid.classes - named).square() * truth.present[..., None]).sum(),
    }
    return {name: WEIGHTS[name] * value / len(grid.boxes) for name, value in sums.items()}


def darknet_cost(parts: Mapping[str, Tensor]) -> Tensor:
    """The figure that darknet prints for the parts of `yolo_loss`: Σδ², where δ = λ · difference.

    It weighs twice: a part already weighed by λ counts λ times again. What darknet descends is half the paper's sum.
    """
    return torch.stack([WEIGHTS[name] * value for name, value in parts.items()]).sum()
