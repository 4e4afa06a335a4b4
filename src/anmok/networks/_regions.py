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


def pyramid_pool_regions(x: Tensor, regions: Regions, stride: int, levels: Sequence[int] = LEVELS) -> Tensor:
    """`pyramid_pool` of every region of maps (N, C, H, W): (R, C · 50).

    A region covers every cell it touches, at least one. All bins of all regions are looked up at once: the largest
    value in a window is that of the four windows in its corners whose sides are the largest powers of two that fit.
    """
    boxes = numbered(regions).to(x.device)
    number, corners = boxes[:, 0].long(), boxes[:, 1:]
    cells = corners.new_tensor([int(x.shape[3]), int(x.shape[2])])
    first = torch.minimum((corners[:, :2] / stride).floor().clamp(min=0), cells - 1).long()
    last = torch.minimum((corners[:, 2:] / stride).ceil(), cells).long()
    extent = torch.maximum(last - first, torch.ones_like(first))  # columns, rows of cells
    maxima = _maxima(x)
    pooled = [_bin_maxima(maxima, number, first, extent, level) for level in sorted(levels)]
    return torch.cat([bins.movedim(3, 1).flatten(1) for bins in pooled], 1)


def _maxima(x: Tensor) -> Tensor:
    """Maps (N, C, h, w) → (a, b, N, h, w, C): at (a, b), the largest value in the window of 2^a × 2^b cells from each
    cell on; of windows that reach outside, nothing is promised."""
    rows, columns = int(x.shape[2]), int(x.shape[3])

    def doubled(table: Tensor, step: int, dim: int, length: int) -> Tensor:
        beyond = (torch.arange(length, device=x.device) + step).clamp(max=length - 1)
        return torch.maximum(table, table.index_select(dim, beyond))

    down = [x.permute(0, 2, 3, 1)]
    for a in range(rows.bit_length() - 1):
        down.append(doubled(down[-1], 2**a, 1, rows))
    found = []
    for table in down:
        across = [table]
        for b in range(columns.bit_length() - 1):
            across.append(doubled(across[-1], 2**b, 2, columns))
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
    _, count, _, rows, columns, channels = map(int, maxima.shape)
    maps = maxima.shape[2]  # any number of them, in a graph too
    place = torch.arange(level, device=maxima.device)
    start = first[:, :, None] + place * extent[:, :, None] // level  # R, 2, level
    stop = first[:, :, None] + ((place + 1) * extent[:, :, None] + level - 1) // level
    # Looked up, since a logarithm would round as each runtime likes: the powers of two that fit into so many cells,
    powers = [max(1, cells).bit_length() - 1 for cells in range(max(rows, columns) + 1)]
    power = torch.tensor(powers, device=maxima.device)[stop - start]
    # and where the window of that side starts that ends with the bin.
    other = stop - torch.tensor([2**power for power in powers], device=maxima.device)[stop - start]
    (x1, y1), (x2, y2) = start.unbind(1), other.unbind(1)
    b, a = power.unbind(1)
    table = maxima.reshape(-1, channels)
    best = None
    for y in (y1, y2):
        for x in (x1, x2):
            at = (a[:, :, None] * count + b[:, None, :]) * maps + number[:, None, None]
            at = (at * rows + y[:, :, None]) * columns + x[:, None, :]  # R, level, level
            value = table.index_select(0, at.flatten())
            best = value if best is None else torch.maximum(best, value)
    assert best is not None
    return best.view(-1, level, level, channels)


def context_windows(
    boxes: Tensor, picture: tuple[int, int], size: int = 227, context: int = 16
) -> tuple[Tensor, Tensor]:
    """R-CNN's crops (Girshick et al. 2014, appendix A): where to cut, and where to paste what was cut.

    A region is enlarged so that, warped to `size`, it is surrounded by `context` pixels of its surroundings; what lies
    outside the picture stays empty.

    Args:
        boxes: float32 (R, 4), xyxy, half-open pixels.
        picture: height and width.
        size: side of the warped crop.
        context: pixels of it around the region.

    Returns:
        The windows in the picture (R, 4), xyxy, half-open whole pixels; and their places in the crops, likewise.

    >>> boxes = torch.tensor([[100.0, 50, 300, 150], [0, 0, 100, 100]])
    >>> windows, places = context_windows(boxes, (375, 500))
    >>> windows[0].tolist(), places[0].tolist()   # [101, 51, 300, 150] counted from 1, the last included
    ([84.0, 42.0, 317.0, 159.0], [0.0, 0.0, 227.0, 227.0])
    >>> windows[1].tolist(), places[1].tolist()   # reaches 8 pixels outside: 211 × 211 pasted at 16
    ([0.0, 0.0, 109.0, 109.0], [16.0, 16.0, 227.0, 227.0])
    """
    low, high, end = boxes[:, :2], boxes[:, 2:], boxes.new_tensor([int(picture[1]), int(picture[0])])
    inner = size - 2 * context
    # Counted from 1, as the authors' program rounds. Over one denominator, whole corners' halves are halves exactly.
    centre, reach = inner * (low + high + 2), size * (high - low)
    start, stop = _round((centre - reach) / (2 * inner)), _round((centre + reach) / (2 * inner))
    first, last, whole = start.clamp(min=1), torch.minimum(end, stop), stop - start + 1
    pad = _round((1 - start).clamp(min=0) * size / whole)
    length = torch.minimum(_round((last - first + 1) * size / whole), size - pad).clamp(min=1)
    return torch.cat([first - 1, last], 1), torch.cat([pad, pad + length], 1)


def _round(values: Tensor) -> Tensor:
    """To the nearest whole numbers, halves away from zero."""
    return values.sign() * (values.abs() + 0.5).floor()


def warp(pictures: Tensor, regions: Regions, size: int = 227, context: int = 16) -> Tensor:
    """Every region cut out with its context and warped to a square: (N, C, H, W) → (R, C, size, size).

    Bilinear within the window. What lies outside the picture is 0, the mean of normalised pictures.
    """
    boxes = numbered(regions)
    shape = int(pictures.shape[2]), int(pictures.shape[3])
    windows, places = context_windows(boxes[:, 1:], shape, size, context)
    if torch.jit.is_tracing() or boxes.is_meta:  # `anmok inspect` computes shapes without values
        return _looked_up(pictures, boxes[:, 0].long(), windows, places, size)
    crops = pictures.new_zeros(len(boxes), pictures.shape[1], size, size)
    corners = torch.cat([boxes[:, :1], windows, places.clamp(max=size)], 1).long().tolist()
    for crop, (number, left, top, right, bottom, x1, y1, x2, y2) in zip(crops, corners, strict=True):
        if left < right and top < bottom and x1 < x2 and y1 < y2:  # some of it lies in the picture
            window = pictures[number, None, :, top:bottom, left:right]
            crop[:, y1:y2, x1:x2] = F.interpolate(window, (y2 - y1, x2 - x1), mode="bilinear")[0]
    return crops


def _looked_up(pictures: Tensor, number: Tensor, windows: Tensor, places: Tensor, size: int) -> Tensor:
    """`warp` for graphs, which cannot go from region to region: every pixel of every crop is looked up at once.

    Windows one by one take half of the time, where torch can do that.
    """
    rows, columns = int(pictures.shape[2]), int(pictures.shape[3])
    left, right, across, in_columns = _between(windows[:, 0::2], places[:, 0::2], size, columns)
    upper, lower, down, in_rows = _between(windows[:, 1::2], places[:, 1::2], size, rows)
    table = pictures.permute(0, 2, 3, 1).flatten(0, 2)  # N · H · W, C

    def at(row: Tensor, column: Tensor) -> Tensor:  # R, size, size, C
        place = (number[:, None] * rows + row)[:, :, None] * columns + column[:, None, :]
        return table.index_select(0, place.flatten()).view(-1, size, size, pictures.shape[1])

    across, down = across[:, None, :, None], down[:, :, None, None]
    above = (1 - across) * at(upper, left) + across * at(upper, right)
    below = (1 - across) * at(lower, left) + across * at(lower, right)
    inside = in_rows[:, :, None, None] & in_columns[:, None, :, None]
    return (((1 - down) * above + down * below) * inside).permute(0, 3, 1, 2)


def _between(windows: Tensor, places: Tensor, size: int, end: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Along one side, between which two pixels of a picture each of a crop's pixels lies.

    Args:
        windows, places: first and end (R, 2), see `context_windows`.
        size: pixels of the crop.
        end: pixels of the picture.

    Returns:
        The two pixels, int64 (R, size); the second one's share; and whether there is something to be seen at all.
    """
    (first, last), (start, stop) = windows.split(1, 1), places.split(1, 1)
    at = torch.arange(size, device=windows.device, dtype=windows.dtype)
    place = (at - start + 0.5) * ((last - first) / (stop - start)) - 0.5
    place = torch.minimum(place.clamp(min=0), last - first - 1)
    low = place.floor()
    near, far = first + low, torch.minimum(first + low + 1, last - 1)
    inside = (at >= start) & (at < stop) & (last > first)
    return near.clamp(0, end - 1).long(), far.clamp(0, end - 1).long(), place - low, inside
