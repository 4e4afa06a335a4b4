"""What a region-based network looks at: regions cut out of the picture or of its maps, brought to one size.

Regions are half-open boxes in pixels of the input: one tensor (R_i, 4) a picture; or (N, R, 4) where all pictures have
as many; or (R, 5), the number of its picture before each box. Results stack them all in order.
torchvision's compiled pooling is imported where it is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Regions = Sequence[Tensor] | Tensor  # see above
LEVELS = (6, 3, 2, 1)  # SPPnet's pyramid: 36 + 9 + 4 + 1 = 50 bins


def roi_pool(x: Tensor, regions: Regions, size: int, stride: int) -> Tensor:
    """RoI max pooling (Girshick: Fast R-CNN, ICCV 2015): (N, C, H, W) and R regions → (R, C, size, size).

    As published: corners are divided by the stride and rounded, halves away from zero; the last cell belongs to the
    region; bins may overlap. Caffe's corners include the last pixel, ours do not, hence the 1.
    """
    from torchvision.ops import roi_pool as compiled

    boxes = numbered(regions)
    return compiled(x.float(), boxes - boxes.new_tensor([0, 0, 0, 1, 1]), size, 1 / stride)


def pool_one(maps: Sequence[Tensor], regions: Regions, size: int, stride: int) -> Tensor:
    """`roi_pool` where there is one map."""
    return roi_pool(maps[0], regions, size, stride)


def roi_align(maps: Sequence[Tensor], regions: Regions, size: int, strides: Sequence[float]) -> Tensor:
    """RoI align (He et al.: Mask R-CNN, ICCV 2017), each region on the map that suits its size: (R, C, size, size).

    A region of 224 × 224 pixels, ImageNet's size, is looked up at stride 16; one of half the side one level finer
    (Lin et al.: Feature Pyramid Networks, CVPR 2017, equation 1).
    """
    from torchvision.ops import roi_align as compiled

    boxes = numbered(regions)
    finest, coarsest = math.log2(strides[0]), math.log2(strides[-1])
    side = (boxes[:, 3:] - boxes[:, 1:3]).prod(1).sqrt()
    level = (4 + (side / 224).log2() + 1e-6).floor().clamp(round(finest), round(coarsest)).long() - round(finest)
    pooled = maps[0].new_zeros((boxes.shape[0], maps[0].shape[1], size, size), dtype=torch.float32)
    for i, (x, stride) in enumerate(zip(maps, strides, strict=True)):
        mine = (level == i).nonzero().flatten()
        pooled = pooled.index_copy(0, mine, compiled(x.float(), boxes[mine], size, 1 / stride, 2))
    return pooled


def numbered(regions: Regions) -> Tensor:
    """All regions under each other, the number of their picture before each: float32 (R, 5)."""
    if isinstance(regions, Tensor) and regions.ndim == 2:
        return regions.float()
    if isinstance(regions, Tensor):  # without a loop over pictures, so that a graph takes any number of them
        number = torch.arange(regions.shape[0], device=regions.device)[:, None, None].expand(-1, regions.shape[1], 1)
        return torch.cat([number.float(), regions.float()], 2).flatten(0, 1)
    number = torch.cat([own.new_full((len(own), 1), i) for i, own in enumerate(regions)])
    return torch.cat([number, torch.cat(list(regions))], 1).float()


def bins(length: int, count: int) -> list[tuple[int, int]]:
    """The windows into which SPPnet divides `length` cells: from ⌊i·a/n⌋ to ⌈(i+1)·a/n⌉, half-open; they may overlap.

    >>> bins(10, 6)
    [(0, 2), (1, 4), (3, 5), (5, 7), (6, 9), (8, 10)]
    """
    return [(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]


def pyramid_pool(x: Tensor, levels: Sequence[int] = LEVELS) -> Tensor:
    """Spatial pyramid pooling (He, Zhang, Ren, Sun: SPPnet, ECCV 2014) of whole maps: (R, C, h, w) → (R, C · 50).

    The largest value in each of `bins`, which is what adaptive pooling computes; coarsest level first, as the authors'
    program has it.
    """
    return torch.cat([F.adaptive_max_pool2d(x, level).flatten(1) for level in sorted(levels)], 1)


def pyramid_pool_regions(x: Tensor, regions: Sequence[Tensor], stride: int, levels: Sequence[int] = LEVELS) -> Tensor:
    """`pyramid_pool` of every region of maps (N, C, H, W): (R, C · 50).

    A region covers every cell it touches, at least one. All bins of all regions are looked up at once: the largest
    value in a window is that of the four windows in its corners whose sides are the largest powers of two that fit.
    """
    rows, columns = x.shape[2:]
    number = torch.cat([torch.full((len(own),), i, device=x.device) for i, own in enumerate(regions)])
    boxes = torch.cat(list(regions)).to(x.device)
    first = (boxes[:, :2] / stride).floor().clamp(min=0)
    first = torch.minimum(first, first.new_tensor([columns - 1, rows - 1])).long()
    last = torch.minimum((boxes[:, 2:] / stride).ceil(), boxes.new_tensor([columns, rows])).long()
    extent = torch.maximum(last - first, torch.ones_like(first))  # columns, rows of cells
    maxima = _maxima(x)
    pooled = [_bin_maxima(maxima, number, first, extent, level) for level in sorted(levels)]
    return torch.cat([bins.movedim(3, 1).flatten(1) for bins in pooled], 1)


def _maxima(x: Tensor) -> Tensor:
    """Maps (N, C, h, w) → (a, b, N, h, w, C): at (a, b), the largest value in the window of 2^a × 2^b cells from each
    cell on; of windows that reach outside, nothing is promised."""

    def doubled(table: Tensor, step: int, dim: int) -> Tensor:
        beyond = (torch.arange(table.shape[dim], device=x.device) + step).clamp(max=table.shape[dim] - 1)
        return torch.maximum(table, table.index_select(dim, beyond))

    down = [x.permute(0, 2, 3, 1)]
    for a in range(x.shape[2].bit_length() - 1):
        down.append(doubled(down[-1], 2**a, 1))
    found = []
    for table in down:
        across = [table]
        for b in range(x.shape[3].bit_length() - 1):
            across.append(doubled(across[-1], 2**b, 2))
        found.append(torch.stack(across))
    return torch.stack(found)


def _bin_maxima(maxima: Tensor, number: Tensor, first: Tensor, extent: Tensor, level: int) -> Tensor:
    """The largest value in each of `bins` of each region: (R, level, level, C).

    Args:
        maxima: of `_maxima`.
        number: int64 (R,): whose map.
        first, extent: int64 (R, 2): column and row of a region's first cell, and its columns and rows.
        level: bins a side.
    """
    place = torch.arange(level, device=maxima.device)
    start = first[:, :, None] + place * extent[:, :, None] // level  # R, 2, level
    stop = first[:, :, None] - (-(place + 1) * extent[:, :, None] // level)
    power = (stop - start).float().log2().floor().long()
    other = stop - 2**power  # where the window of that side starts that ends with the bin
    (x1, y1), (x2, y2) = start.unbind(1), other.unbind(1)
    b, a = power.unbind(1)
    _, count, maps, rows, columns, channels = maxima.shape
    table = maxima.reshape(-1, channels)
    best = None
    for y in (y1, y2):
        for x in (x1, x2):
            at = (a[:, :, None] * count + b[:, None, :]) * maps + number[:, None, None]
            at = (at * rows + y[:, :, None]) * columns + x[:, None, :]  # R, level, level
            value = table.index_select(0, at.flatten())
            best = value if best is None else torch.maximum(best, value)
    assert best is not None
    return best.view(len(first), level, level, channels)


def context_window(
    box: Sequence[float], picture: tuple[int, int], size: int = 227, context: int = 16
) -> tuple[tuple[int, int, int, int], tuple[int, int, int, int]]:
    """R-CNN's crop (Girshick et al. 2014, appendix A): where to cut, and where to paste what was cut.

    The region is enlarged so that, warped to `size`, it is surrounded by `context` pixels of its surroundings; what
    lies outside the picture stays empty.

    Args:
        box: xyxy, half-open pixels.
        picture: height and width.
        size: side of the warped crop.
        context: pixels of it around the region.

    Returns:
        The window in the picture (left, top, right, bottom), half-open; and its place in the crop, likewise.

    >>> context_window((100, 50, 300, 150), (375, 500))   # [101, 51, 300, 150] counted from 1, the last included
    ((84, 42, 317, 159), (0, 0, 227, 227))
    >>> context_window((0, 0, 100, 100), (375, 500))   # reaches 8 pixels outside: 211 × 211 pasted at 16
    ((0, 0, 109, 109), (16, 16, 227, 227))
    """
    scale = size / (size - 2 * context)
    spans = []
    for low, high, end in ((box[0], box[2], picture[1]), (box[1], box[3], picture[0])):
        half = (high - low) / 2
        centre = low + 1 + half  # counted from 1, as the authors' program rounds
        start, stop = _round(centre - half * scale), _round(centre + half * scale)
        cut = max(1, start), min(end, stop)
        zoom = size / (stop - start + 1)
        pad = _round(max(0, 1 - start) * zoom)
        length = max(1, min(_round((cut[1] - cut[0] + 1) * zoom), size - pad))
        spans.append(((cut[0] - 1, cut[1]), (pad, pad + length)))
    (columns, to_columns), (rows, to_rows) = spans
    return (
        (columns[0], rows[0], columns[1], rows[1]),
        (to_columns[0], to_rows[0], to_columns[1], to_rows[1]),
    )


def _round(value: float) -> int:
    """To the nearest whole number, halves away from zero."""
    return int(math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1))


def warp(pictures: Tensor, regions: Sequence[Tensor], size: int = 227, context: int = 16) -> Tensor:
    """Every region cut out with its context and warped to a square: (N, C, H, W) → (R, C, size, size).

    What lies outside the picture is 0, the mean of normalised pictures.
    """
    total = sum(len(own) for own in regions)
    crops = pictures.new_zeros(total, pictures.shape[1], size, size)
    place = 0
    for picture, own in zip(pictures, regions, strict=True):
        for box in own.tolist():
            (left, top, right, bottom), (x1, y1, x2, y2) = context_window(box, tuple(picture.shape[1:]), size, context)
            if left < right and top < bottom and x1 < x2 and y1 < y2:  # some of it lies in the picture
                window = picture[None, :, top:bottom, left:right]
                crops[place, :, y1:y2, x1:x2] = F.interpolate(window, (y2 - y1, x2 - x1), mode="bilinear")[0]
            place += 1
    return crops
