"""The network as a figure for the wall: every layer's output as a slab drawn to size, branches and skips visible.

A slab's height is the root of its map's side, its width the root of its channels; both scales are stated in the figure
and are the same from the first slab to the last. Below stand the stages (what shares one resolution) with their shapes
and their shares of parameters and of multiply-adds.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from anmok.anatomy.figures import COLOURS, FAINT, INK
from anmok.anatomy.graph import Block, Graph, graph_of
from anmok.anatomy.layout import Box, Sizes, place
from anmok.anatomy.shapes import Circle, Sheet, Text, Way
from anmok.anatomy.shares import draw_shares
from anmok.anatomy.structure import Anatomy
from anmok.anatomy.text import sees, short

_LABELS = {"conv": "convolution", "linear": "fully connected", "attention": "attention", "product": "product",
           "pool": "pooling", "upsample": "upsampling", "join": "concatenation", "other": "other"}  # fmt: skip
WIDTH, LEFT, BAND = 18.0, 0.45, 2.1  # inches: whole figure, margins, the band below the drawing
SKIP = "#2f7d4f"
TALLEST = 3.4  # inches a map of the picture's size stands high


def draw(anatomy: Anatomy, path: str | Path | None = None, *, title: str | None = None) -> Sheet:
    """Draw a network, and write it to `path` (.svg or .png) if one is given.

    Args:
        anatomy: as `anmok.anatomy(net, shape)` gives it.
        path: where to write.
        title: instead of the network's class.

    Returns:
        The drawing; its `figure()` is matplotlib's.
    """
    graph = graph_of(anatomy)
    sizes = _sizes(graph)
    box = place(range(len(graph.blocks)), graph.edges, sizes)
    arcs = _arc_heights(graph, box, sizes)
    above = max([box.above, *arcs.values()]) + 0.25
    height = above + box.below + BAND + 1.0
    sheet = Sheet(WIDTH, height)
    canvas = _Canvas(sheet, graph, box, sizes, scale=(WIDTH - 2 * LEFT) / box.width, middle=BAND + box.below)
    canvas.draw_edges()
    canvas.draw_skips(arcs)
    canvas.draw_blocks()
    draw_shares(sheet, graph, canvas.spans(), BAND - 0.15)
    _headline(sheet, anatomy, title or anatomy.name, height)
    _legend(sheet, graph, height)
    if path is not None:
        sheet.save(path)
    return sheet


def _sizes(graph: Graph) -> Sizes:
    """Widths in roots of channels, heights in inches. Gaps grow with the network's slabs, so that none drowns."""
    tallest = max(block.size for block in graph.blocks)
    unit = TALLEST / math.sqrt(tallest)
    blocks = graph.blocks
    mean = sum(math.sqrt(block.channels) for block in blocks) / len(blocks)

    def width(i: int) -> float:
        return 0.55 * mean if is_sum(blocks[i]) else math.sqrt(blocks[i].channels)

    def height(i: int) -> float:
        return 0.16 if is_sum(blocks[i]) else max(unit * math.sqrt(blocks[i].size), 0.06)

    return Sizes(width, height, gap=0.6 * mean, lane=0.18)


def is_sum(block: Block) -> bool:
    """Joins that keep their shape (additions, products) are drawn as small circles, concatenations as slabs."""
    return block.family == "join" and block.kind not in ("cat", "stack")


def _arc_heights(graph: Graph, box: Box, sizes: Sizes) -> dict[tuple[int, int], float]:
    """How high each skip must rise to clear what it jumps over, in inches above the middle line."""
    heights = {}
    tops = {i: middle + sizes.height(i) / 2 for i, (_, middle) in box.places.items()}
    for source, target in graph.skips:
        left, right = box.places[source][0], box.places[target][0]
        under = [tops[i] for i, (x, _) in box.places.items() if left <= x <= right and i not in (0, target)]
        clear = max(under, default=tops[target])
        heights[source, target] = clear + 0.12 + 0.55 * math.sqrt((right - left) / box.width)
    return heights


class _Canvas:
    """Draws one placed graph: x in roots of channels times `scale`, y in inches around `middle`."""

    def __init__(self, sheet: Sheet, graph: Graph, box: Box, sizes: Sizes, scale: float, middle: float) -> None:
        self.sheet, self.graph, self.box, self.sizes = sheet, graph, box, sizes
        self.scale, self.middle = scale, middle

    def left(self, i: int) -> float:
        """Left edge of a block, in inches."""
        return LEFT + self.scale * self.box.places[i][0]

    def right(self, i: int) -> float:
        """Right edge of a block, in inches."""
        return self.left(i) + self.scale * self.sizes.width(i)

    def y(self, i: int) -> float:
        """Middle of a block, in inches from the figure's foot."""
        return self.middle + self.box.places[i][1]

    def draw_edges(self) -> None:
        """Straight along a branch, in a soft curve where branches part and where they meet."""
        parting = Counter(source for source, _ in self.graph.edges)
        for source, target in self.graph.edges:
            (x0, y0), (x1, y1) = (self.right(source), self.y(source)), (self.left(target), self.y(target))
            bend = min(self.sizes.gap * self.scale, x1 - x0)
            start, end = (x0, x0 + bend) if parting[source] > 1 else (x1 - bend, x1)
            half = (start + end) / 2
            points = [(x0, y0), (start, y0), (half, y0), (half, y1), (end, y1), (x1, y1)]
            self.sheet.add(Way(points, "MLCCCL", edge=FAINT, line=0.8))

    def draw_skips(self, heights: dict[tuple[int, int], float]) -> None:
        """Arcs above the blocks they jump over; many of them are drawn fainter."""
        alpha = max(0.06, min(0.85, 60 / max(len(heights), 1)))
        for (source, target), height in sorted(heights.items()):
            x0, x1 = (self.left(source) + self.right(source)) / 2, (self.left(target) + self.right(target)) / 2
            y0, y1 = (
                self.y(i) + (0 if is_sum(self.graph.blocks[i]) else self.sizes.height(i) / 2) for i in (source, target)
            )
            top = self.middle + height
            base = max(min(y0, top), min(y1, top), top - 0.5)
            reach = min((x1 - x0) / 2, 1.2)
            points = [(x0, y0), (x0, base), (x0, top), (x0 + reach * 0.45, top), (x0 + reach, top), (x1 - reach, top),
                      (x1 - reach * 0.45, top), (x1, top), (x1, base), (x1, y1)]  # fmt: skip
            self.sheet.add(Way(points, "MLCCCLCCCL", edge=SKIP, line=1.1, alpha=alpha))

    def draw_blocks(self) -> None:
        """Slabs with a lit top and a shaded side, as far as they are wide enough to show one."""
        for i, block in enumerate(self.graph.blocks):
            x, w, h = self.left(i), self.right(i) - self.left(i), self.sizes.height(i)
            y = self.y(i) - h / 2
            if is_sum(block):
                self._sum(x + w / 2, self.y(i), min(0.075, 0.9 * w), block.kind)
                continue
            colour = "#ffffff" if block.family == "picture" else COLOURS.get(block.family, COLOURS["other"])
            edge = 0.25 if w < 0.05 else 0.5
            lift = min(0.09, 0.35 * w, 0.3 * h)
            if lift > 0.015:
                top = [(x, y + h), (x + lift, y + h + lift), (x + w + lift, y + h + lift), (x + w, y + h)]
                side = [(x + w, y), (x + w + lift, y + lift), (x + w + lift, y + h + lift), (x + w, y + h)]
                self.sheet.polygon(top, mix(colour, "#ffffff", 0.45), INK, edge)
                self.sheet.polygon(side, mix(colour, "#000000", 0.25), INK, edge)
            self.sheet.rectangle(x, y, w, h, colour, INK, edge)

    def _sum(self, x: float, y: float, radius: float, kind: str) -> None:
        """A circle, and where there is room for it the sign of what is done there."""
        roomy = radius > 0.05
        self.sheet.add(Circle(x, y, radius, "#ffffff", INK, 0.9 if roomy else 0.5))
        if roomy:
            sign = {"add": "+", "multiply": "×", "mul": "×", "sub": "−"}.get(kind, "∘")
            self.sheet.add(Text(x, y, sign, 7, INK, "middle", "middle"))

    def spans(self) -> list[tuple[float, float]]:
        """Left and right edge of every block, in inches."""
        return [(self.left(i), self.right(i)) for i in range(len(self.graph.blocks))]


def mix(colour: str, other: str, share: float) -> str:
    """`colour` with a share of `other` stirred in."""
    parts = [(int(colour[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in parts)


def _headline(sheet: Sheet, anatomy: Anatomy, title: str, height: float) -> None:
    sheet.add(Text(LEFT, height - 0.22, title, 22, INK, up="top", bold=True))
    facts = [f"{short(anatomy.parameters)} parameters", f"{short(anatomy.macs + anatomy.product_macs)} multiply-adds"]
    if anatomy.receptive_field:
        facts.append(f"features see {sees(anatomy.receptive_field)} pixels")
    facts.append(f"on {'×'.join(map(str, anatomy.input_shape))}")
    sheet.add(Text(LEFT, height - 0.66, "\u2003·\u2003".join(facts), 11, INK, up="top"))


def _legend(sheet: Sheet, graph: Graph, height: float) -> None:
    """Colours that occur, and the scales."""
    x = WIDTH - LEFT
    entries = [(label, COLOURS[family]) for family, label in _LABELS.items()
               if any(block.family == family and not is_sum(block) for block in graph.blocks)]  # fmt: skip
    for label, colour in reversed(entries):
        x -= 0.085 * len(label) + 0.1
        sheet.add(Text(x, height - 0.33, label, 9, INK, up="middle"))
        sheet.rectangle(x - 0.2, height - 0.4, 0.14, 0.14, colour, INK, 0.4)
        x -= 0.3
    scale = "height ∝ √(side of the map), width ∝ √channels" + (", green: skips" if graph.skips else "")
    sheet.add(Text(WIDTH - LEFT, height - 0.66, scale, 9, INK, "right", "top"))
