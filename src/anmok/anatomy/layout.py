"""Where each block of a drawing stands: chains from left to right, parallel branches one above the other.

The flow is taken apart at its bottlenecks, the blocks that every way passes through. What lies between two of them
falls into branches that touch nowhere; each branch is taken apart in the same way. What cannot be taken apart (rare)
stands in columns by its distance from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

Edges = frozenset[tuple[int, int]]


@dataclass(frozen=True)
class Sizes:
    """Width and height of a block by its number, and the free space between blocks and between branches."""

    width: Callable[[int], float]
    height: Callable[[int], float]
    gap: float
    lane: float


@dataclass
class Box:
    """A placed group: width, how far it reaches above and below its middle line, and (left, middle) of each block."""

    width: float = 0.0
    above: float = 0.0
    below: float = 0.0
    places: dict[int, tuple[float, float]] = field(default_factory=dict)

    def put(self, other: Box, x: float, y: float) -> None:
        """Take another box in, its left edge at x and its middle line at y (upwards)."""
        self.places.update({block: (x + left, y + middle) for block, (left, middle) in other.places.items()})
        self.width = max(self.width, x + other.width)
        self.above, self.below = max(self.above, y + other.above), max(self.below, other.below - y)


def place(blocks: Iterable[int], edges: Edges, sizes: Sizes) -> Box:
    """Place `blocks`, which are numbered in an order that the flow permits."""
    return _series(sorted(blocks), edges, sizes)


def _series(blocks: Sequence[int], edges: Edges, sizes: Sizes) -> Box:
    inner = _within(blocks, edges)
    necks = _bottlenecks(blocks, inner)
    if not necks:
        branches = _branches(blocks, inner)
        return _columns(blocks, inner, sizes) if len(branches) == 1 else _parallel(branches, edges, sizes)
    box, between = Box(), list[int]()
    for block in blocks:
        if block not in necks:
            between.append(block)
            continue
        if between:
            _append(box, _parallel(_branches(between, _within(between, edges)), edges, sizes), sizes)
            between = []
        _append(box, _one(block, sizes), sizes)
    if between:
        _append(box, _parallel(_branches(between, _within(between, edges)), edges, sizes), sizes)
    return box


def _parallel(branches: Sequence[Sequence[int]], edges: Edges, sizes: Sizes) -> Box:
    """Branches above one another, in the order they ran; a short detour stands above a long way on the middle line."""
    boxes = [_series(branch, edges, sizes) for branch in branches]
    if len(boxes) == 1:
        return boxes[0]
    box = Box()
    width = max(one.width for one in boxes)
    order = sorted(range(len(boxes)), key=lambda i: -len(branches[i]))
    if len(boxes) == 2 and len(branches[order[1]]) == 1:
        way, detour = boxes[order[0]], boxes[order[1]]
        box.put(way, (width - way.width) / 2, 0)
        box.put(detour, (width - detour.width) / 2, way.above + sizes.lane + detour.below)
        return box
    height = sum(one.above + one.below for one in boxes) + sizes.lane * (len(boxes) - 1)
    top = height / 2
    for one in boxes:
        box.put(one, (width - one.width) / 2, top - one.above)
        top -= one.above + one.below + sizes.lane
    return box


def _columns(blocks: Sequence[int], edges: Edges, sizes: Sizes) -> Box:
    depth = dict.fromkeys(blocks, 0)
    for source, target in sorted(edges, key=lambda edge: edge[1]):
        depth[target] = max(depth[target], depth[source] + 1)
    box = Box()
    for column in range(max(depth.values()) + 1):
        standing = [block for block in blocks if depth[block] == column]
        stack = Box()
        top = (sum(sizes.height(b) for b in standing) + sizes.lane * (len(standing) - 1)) / 2
        for block in standing:
            one = _one(block, sizes)
            stack.put(one, 0, top - one.above)
            top -= one.above + one.below + sizes.lane
        _append(box, stack, sizes)
    return box


def _one(block: int, sizes: Sizes) -> Box:
    half = sizes.height(block) / 2
    return Box(sizes.width(block), half, half, {block: (0.0, 0.0)})


def _append(box: Box, other: Box, sizes: Sizes) -> None:
    box.put(other, box.width + sizes.gap if box.places else 0.0, 0.0)


def _within(blocks: Iterable[int], edges: Edges) -> Edges:
    inside = set(blocks)
    return frozenset(edge for edge in edges if edge[0] in inside and edge[1] in inside)


def _bottlenecks(blocks: Sequence[int], edges: Edges) -> set[int]:
    """Blocks that every way through `blocks` passes: no edge leads over them, nothing starts later or ends earlier."""
    starts = set(blocks) - {target for _, target in edges}
    ends = set(blocks) - {source for source, _ in edges}
    farthest: dict[int, int] = {}
    for source, target in edges:
        farthest[source] = max(farthest.get(source, -1), target)
    last_start, first_end = max(starts), min(ends)
    necks, reached = set(), -1
    for block in blocks:
        if reached <= block and last_start <= block <= first_end:
            necks.add(block)
        reached = max(reached, farthest.get(block, -1))
    return necks


def _branches(blocks: Sequence[int], edges: Edges) -> list[list[int]]:
    """Groups of blocks without an edge between them, in order."""
    group = {block: block for block in blocks}

    def find(block: int) -> int:
        while group[block] != block:
            group[block] = group[group[block]]
            block = group[block]
        return block

    for source, target in edges:
        group[find(target)] = find(source)
    found: dict[int, list[int]] = {}
    for block in blocks:
        found.setdefault(find(block), []).append(block)
    return list(found.values())
