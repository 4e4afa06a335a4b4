"""A network as a graph to draw: blocks for what changes shape, edges for what flows, skips for what jumps over.

Normalisation, activation and dropout belong to the block before them. An edge is a *skip* where the same block is also
reached on a longer way; without skips, plain, residual and densely connected networks are all chains, and only
parallel branches remain.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from anmok.anatomy.structure import Anatomy, Layer

_MERGED = {"norm", "activation", "dropout", "view", "other"}


@dataclass
class Block:
    """One slab of the drawing: a layer's output, `channels` deep and `size` a side (the root of height × width)."""

    name: str
    kind: str
    family: str
    channels: int
    size: float
    shape: tuple[int, ...]
    parameters: int = 0
    macs: int = 0


@dataclass(frozen=True)
class Graph:
    """Blocks in the order they ran (0 is the picture), by index: edges of the flow, and skips beside it."""

    blocks: Sequence[Block]
    edges: frozenset[tuple[int, int]]
    skips: frozenset[tuple[int, int]]


def graph_of(anatomy: Anatomy, most: int = 420) -> Graph:
    """The graph of an anatomy, unfolded as far as at most so many blocks allow."""
    depth = 0
    while anatomy.fold(depth) != anatomy.layers:
        depth += 1
    graph = _graph(anatomy, list(_rows(anatomy.root)))
    while len(graph.blocks) > most and depth > 1:
        depth -= 1
        graph = _graph(anatomy, anatomy.fold(depth))
    return graph


def _rows(layer: Layer) -> Iterator[Layer]:
    """The unfolded rows, except that attention stays one."""
    if not layer.children or layer.family == "attention":
        yield layer
        return
    for child in layer.children:
        yield from _rows(child)


def _graph(anatomy: Anatomy, rows: Sequence[Layer]) -> Graph:
    picture = Block("picture", "picture", "picture", *_extent(anatomy.input_shape, anatomy), anatomy.input_shape)
    blocks, block_of_step, edges = [picture], {-1: 0}, set()
    for layer in rows:
        if not layer.steps or layer.output is None:
            blocks[-1].parameters += layer.parameters if layer.family != "idle" else 0
            continue
        own = set(layer.steps)
        sources = {s for step in layer.steps for s in anatomy.flow[step]} - own
        before = sorted({block_of_step[s] for s in sources if s in block_of_step})
        if len(before) == 1 and (layer.family in _MERGED or _does_nothing(layer)):
            index = before[0]
        else:
            index = len(blocks)
            blocks.append(_block(layer, anatomy))
            edges |= {(source, index) for source in before}
        blocks[index].parameters += layer.parameters
        blocks[index].macs += layer.macs + layer.product_macs
        block_of_step.update(dict.fromkeys(own, index))
    skips = _skips(len(blocks), edges)
    return Graph(blocks, frozenset(edges - skips), frozenset(skips))


def _does_nothing(layer: Layer) -> bool:
    """Adaptive pooling to the size that is there already."""
    return layer.family == "pool" and layer.window is None and layer.input == layer.output


def _block(layer: Layer, anatomy: Anatomy) -> Block:
    assert layer.output is not None
    main = max(layer.leaves(), key=lambda leaf: (leaf.macs, leaf.parameters))
    family = main.family if layer.family == "block" else layer.family
    return Block(layer.name, layer.kind, family, *_extent(layer.output, anatomy), layer.output)


def _extent(shape: tuple[int, ...], anatomy: Anatomy) -> tuple[int, float]:
    """Channels, and side of the map: (C, H, W), a vector (F,), or tokens (N, D)."""
    if len(shape) == 3 == len(anatomy.input_shape) and shape[0] == shape[1] != shape[2]:
        return shape[2], float(shape[0])  # channels last, as in Swin
    if len(shape) == len(anatomy.input_shape):
        return shape[0], math.prod(shape[1:]) ** (1 / max(len(shape) - 1, 1))
    if len(shape) <= 1:
        return (shape[0] if shape else 1), 1.0
    return shape[-1], math.sqrt(math.prod(shape[:-1]))


def _skips(count: int, edges: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Edges whose end is also reached on a longer way (what a transitive reduction drops)."""
    before: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        before[target].append(source)
    reach = [0] * count  # one bit for every block from which this one is reached
    skips = set()
    for target in range(count):
        through = {source: reach[source] for source in before[target]}
        for source in before[target]:
            if any(bits >> source & 1 for other, bits in through.items() if other != source):
                skips.add((source, target))
            reach[target] |= reach[source] | 1 << source
    return skips
