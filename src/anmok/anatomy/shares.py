"""The band below a drawing: stages with their shapes and their shares of parameters and multiply-adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anmok.anatomy.figures import COLOURS, FAINT, INK
from anmok.anatomy.graph import Block, Graph
from anmok.anatomy.shapes import Sheet, Text

_BAR = 0.85  # inches of a share of 100 %
PARAMETERS, MACS = COLOURS["linear"], COLOURS["conv"]


@dataclass
class Stage:
    """What stands above one bracket: blocks along the longest way through the network that share one resolution."""

    left: float
    right: float
    shape: tuple[int, ...]
    parameters: int = 0
    macs: int = 0


def stages_of(graph: Graph, spans: Sequence[tuple[float, float]]) -> list[Stage]:
    """Runs of one resolution along the longest way; blocks beside it count where they stand.

    Args:
        graph: the network.
        spans: left and right edge of every block.
    """
    way = longest_way(graph)
    stages: list[Stage] = []
    for run in _runs([graph.blocks[i] for i in way]):
        members = [way[i] for i in run]
        stages.append(Stage(spans[members[0]][0], spans[members[-1]][1], graph.blocks[members[-1]].shape))
    home = [_standing_over(stages, (left + right) / 2) for left, right in spans]
    widest = [0] * len(stages)
    for block, at in zip(graph.blocks, home, strict=True):
        stages[at].parameters += block.parameters
        stages[at].macs += block.macs
    for source, target in sorted(graph.edges):  # a stage is labelled with the most it hands on
        at, channels = home[source], graph.blocks[source].channels
        if home[target] > at and channels > widest[at]:
            widest[at], stages[at].shape = channels, graph.blocks[source].shape
    return stages


def _runs(way: Sequence[Block]) -> list[range]:
    """Where along the way the resolution changes; a gate (pooled to 1×1 and multiplied back) changes nothing."""
    runs: list[range] = []
    for i, block in enumerate(way):
        if runs and _alike(way[runs[-1].stop - 1], block):
            runs[-1] = range(runs[-1].start, i + 1)
        elif len(runs) > 1 and way[i - 1].size == 1 and _alike(way[runs[-2].stop - 1], block):
            runs[-2:] = [range(runs[-2].start, i + 1)]
        else:
            runs.append(range(i, i + 1))
    return runs


def _alike(one: Block, other: Block) -> bool:
    """The same resolution, give or take what unpadded convolutions trim."""
    if (len(one.shape) == 1) != (len(other.shape) == 1):
        return False
    return max(one.size, other.size) <= 1.2 * min(one.size, other.size)


def _standing_over(stages: Sequence[Stage], middle: float) -> int:
    return min(range(len(stages)), key=lambda i: max(stages[i].left - middle, middle - stages[i].right))


def longest_way(graph: Graph) -> list[int]:
    """The blocks of the longest chain from the picture on, in order."""
    before: dict[int, list[int]] = {}
    for source, target in graph.edges:
        before.setdefault(target, []).append(source)
    length = [0] * len(graph.blocks)
    for i in range(len(graph.blocks)):
        length[i] = 1 + max((length[source] for source in before.get(i, [])), default=0)
    way = [length.index(max(length))]
    while sources := before.get(way[-1]):
        way.append(max(sources, key=lambda source: length[source]))
    return way[::-1]


def draw_shares(sheet: Sheet, graph: Graph, spans: Sequence[tuple[float, float]], top: float) -> None:
    """Draw the stages of `graph` below `top` inches: a bracket, the shape, two bars."""
    stages = stages_of(graph, spans)
    total = max(sum(block.parameters for block in graph.blocks), 1)
    work = max(sum(block.macs for block in graph.blocks), 1)
    foot = 0.3
    edge = -1.0
    for stage in stages:
        middle, width = (stage.left + stage.right) / 2, stage.right - stage.left
        sheet.line((stage.left, top), (stage.right, top), FAINT, 1.2)
        text = "×".join(map(str, stage.shape))
        half = 0.04 * len(text)
        upright = width < 2 * half  # too narrow to write along
        at = max(middle, edge + (0.085 if upright else half))
        edge = at + (0.085 if upright else half)
        sheet.add(Text(at, top - 0.06, text, 8.5, INK, "middle", "top", upright=upright))
        bar = min(0.22, max(width * 0.4, 0.04))
        for share, colour, side in ((stage.parameters / total, PARAMETERS, -1), (stage.macs / work, MACS, 0)):
            sheet.rectangle(middle + side * bar, foot, bar, _BAR * share, colour)
            if share >= 0.01:
                where = (middle + (side + 0.5) * bar, foot + _BAR * share + 0.02)
                sheet.add(Text(*where, f"{share:.0%}", 7, colour, "right" if side else "left"))
    left = spans[0][0]
    sheet.line((left, foot), (max(right for _, right in spans), foot), FAINT, 0.6)
    sheet.add(Text(left, 0.08, "share of parameters", 8.5, PARAMETERS))
    sheet.add(Text(left + 1.5, 0.08, "share of multiply-adds", 8.5, MACS))
