"""What all forms of YOLO v1 share: answers of a grid of cells, its loss, its boxes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anmok.core.errors import UsageError
from anmok.networks._detector import Found, Overlap, Sizes, Target, check_targets, select_all
from anmok.networks._interface import Accepts
from anmok.networks._one_size import OneSize
from anmok.networks._yolo_loss import Grid, corners, on_grid, yolo_loss


class YoloV1(nn.Module):
    """Convolutions, a head that answers for every cell, YOLO's loss.

    Args:
        accepts: the input.
        convolutions: (N, C, H, W) → (N, D, H / stride, W / stride).
        head: that map → (N, numbers), or (N, numbers, R, S) where it is a convolution.
        layout: the head's answer → `Grid`.
        num_classes: without background.
        stride: pixels from one cell to the next.
        descended: share of the paper's loss that is descended: darknet's steps follow half of it.
        shuffle: see `on_grid`.
    """

    takes_regions = False
    heads: tuple[str, ...] = ()

    def __init__(
        self,
        accepts: Accepts,
        convolutions: nn.Module,
        head: nn.Module,
        layout: CellMajor | PlaneMajor,
        num_classes: int,
        stride: int,
        *,
        descended: float = 1.0,
        shuffle: bool = False,
    ) -> None:
        super().__init__()
        self.accepts, self.num_classes, self.stride = accepts, num_classes, stride
        self.convolutions, self.head, self.layout = convolutions, head, layout
        self.descended, self.shuffle = descended, shuffle

    def forward(self, pictures: Tensor, targets: Sequence[Target] | None = None) -> Grid:
        """(N, C, H, W) → what every cell answers. Targets are not looked at."""
        self.accepts.check(pictures)
        maps = self.convolutions(pictures)  #   N, 1024, 7, 7 in the paper
        return self.layout(self.head(maps))  #  N, 1470

    def losses(self, outputs: Grid, targets: Sequence[Target]) -> dict[str, Tensor]:
        """The five parts of the paper's sum."""
        check_targets(targets, len(outputs.boxes), self.num_classes)
        truth = on_grid(targets, tuple(outputs.boxes.shape[1:3]), self.stride, shuffle=self.shuffle)  # type: ignore
        return {name: self.descended * part for name, part in yolo_loss(outputs, truth).items()}

    def candidates(self, outputs: Grid) -> tuple[Tensor, Tensor]:
        """Boxes (N, R·S·B, 4) and scores (N, R·S·B, C): confidence times class probability."""
        boxes, confidences, classes = (part.float() for part in outputs)
        height, width = (cells * self.stride for cells in boxes.shape[1:3])
        left, top, right, bottom = corners(boxes, rooted=True).unbind(-1)
        pixels = torch.stack([left * width, top * height, right * width, bottom * height], -1)
        scores = confidences[..., None].clamp(0, 1) * classes[..., None, :].clamp(0, 1)
        return pixels.flatten(1, 3), scores.flatten(1, 3)

    @torch.no_grad()
    def detect(
        self, outputs: Grid, sizes: Sizes | None = None, *, score: float = 0.05, nms: Overlap = 0.5, limit: int = 100
    ) -> list[Found]:
        """See `Detector.detect`."""
        return select_all(self.candidates(outputs), sizes, score=score, nms=nms, limit=limit)


class CellMajor:
    """The paper's order: each cell's B boxes (x, y, √w, √h, confidence), then its classes."""

    def __init__(self, cells: tuple[int, int] | None, boxes: int) -> None:
        self.cells, self.boxes = cells, boxes

    def __call__(self, x: Tensor) -> Grid:
        """(N, R·S·(5B + C)), or (N, 5B + C, R, S) of a convolution → `Grid`."""
        x = x.unflatten(1, (*self.cells, -1)) if self.cells else x.permute(0, 2, 3, 1)
        boxes, classes = x.tensor_split([5 * self.boxes], dim=-1)
        boxes = boxes.unflatten(-1, (self.boxes, 5))
        return Grid(boxes[..., :4], boxes[..., 4], classes)


class PlaneMajor:
    """darknet's order: all cells' classes, then all confidences, then all boxes."""

    def __init__(self, cells: tuple[int, int], boxes: int, num_classes: int) -> None:
        self.cells, self.boxes, self.num_classes = cells, boxes, num_classes

    def __call__(self, x: Tensor) -> Grid:
        """(N, R·S·(C + B + 4B)) → `Grid`."""
        count = self.cells[0] * self.cells[1]
        ends = [count * self.num_classes, count * (self.num_classes + self.boxes)]
        classes, confidences, boxes = x.tensor_split(ends, dim=1)
        return Grid(
            boxes.unflatten(1, (*self.cells, self.boxes, 4)),
            confidences.unflatten(1, (*self.cells, self.boxes)),
            classes.unflatten(1, (*self.cells, self.num_classes)),
        )


def one_size(name: str, in_channels: int, input_size: int, stride: int) -> tuple[OneSize, tuple[int, int]]:
    """The input of a YOLO with dense layers, and its cells.

    Raises:
        UsageError: the size is no multiple of the stride.
    """
    if input_size < stride or input_size % stride:
        raise UsageError(
            f"{name} divides its picture into cells of {stride} pixels",
            got=f"input_size={input_size}",
            allowed=f"a multiple of {stride}",
            fix=f"input_size={max(1, round(input_size / stride)) * stride}",
        )
    cells = input_size // stride
    return OneSize(name, in_channels, input_size, input_size), (cells, cells)
