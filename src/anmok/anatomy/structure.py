"""What an anatomy consists of: layers that fold into blocks, and the totals of the whole network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from anmok.anatomy.operators import Geometry
from anmok.core.errors import unknown_name

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Extent:
    """How a layer's outputs look at the picture, along one picture axis.

    Args:
        size: receptive field in pixels, the largest of all outputs, counted on over the padding.
        smallest: the smallest; differs from `size` where position matters (after a transposed convolution).
        jump: pixels between the fields of two neighbours; None where outputs no longer walk over the picture.
        start: centre of the first output's field; the first pixel's centre is 0. None like `jump`.
        whole: every output sees the whole picture.
    """

    size: int
    smallest: int
    jump: float | None
    start: float | None
    whole: bool

    def __str__(self) -> str:
        text = str(self.size) if self.smallest == self.size else f"{self.smallest}–{self.size}"
        return f"{text} (all)" if self.whole else text


@dataclass(frozen=True)
class Layer:
    """One row: a module's call, an operator that no module stands for (an addition, a concatenation), or a block.

    Args:
        name: dotted path; an operator is named after the module it happens in (`layer1.0.add`).
        kind: the module's class, or the operator.
        family: conv, linear, product, attention, pool, norm, activation, join, upsample, dropout, view, block, idle
            (holds parameters that this forward pass never used), other.
        call: 1 for a module's first call, 2 for its second … Parameters are counted at the first.
        inputs, outputs: shapes without the batch dimension.
        window: kernel, stride, padding, dilation and groups of a convolution or pooling.
        parameters: learned numbers in here that no earlier row has counted.
        macs: multiply-adds of convolutions and linear layers, for one picture.
        product_macs: multiply-adds between activations (attention), for one picture.
        activation_bytes: new memory for what is computed here, for one picture.
        field: one entry a picture axis, None where unknown.
        children: the rows this row folds.
        steps: numbers of the visible operators inside, which `Anatomy.flow` connects.
    """

    name: str
    kind: str
    family: str
    call: int = 1
    inputs: tuple[Shape, ...] = ()
    outputs: tuple[Shape, ...] = ()
    window: Geometry | None = None
    parameters: int = 0
    macs: int = 0
    product_macs: int = 0
    activation_bytes: int = 0
    field: tuple[Extent | None, ...] = ()
    children: tuple[Layer, ...] = ()
    steps: tuple[int, ...] = ()

    @property
    def input(self) -> Shape | None:
        """Shape of the first tensor that comes in."""
        return self.inputs[0] if self.inputs else None

    @property
    def output(self) -> Shape | None:
        """Shape of the first tensor that goes out."""
        return self.outputs[0] if self.outputs else None

    def leaves(self) -> Iterator[Layer]:
        """The unfolded rows below, in the order they ran; the row itself if there is nothing to unfold."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, children included."""
        row = row_of(self)
        if self.children:
            row["children"] = [child.as_dict() for child in self.children]
        return row


@dataclass(frozen=True)
class Anatomy:
    """What a network is: its layers as a tree that folds, and the totals.

    Args:
        name: the network's class.
        input_shape: of one picture, without batch.
        output_shapes: of everything the network returns, in order.
        training: whether it ran as in training (auxiliary heads run, dropout acts).
        root: the whole network as one row; `fold` unfolds it.
        parameters, trainable: learned numbers, each counted once however often it is shared.
        shares: parameters by where they sit: conv, linear, norm, other.
        parameter_bytes, buffer_bytes: memory of weights, and of statistics and other fixed tensors.
        macs, product_macs, activation_bytes: sums over all layers, for one picture.
        peak_bytes: most activation memory held at one time while answering (the picture included), for one picture;
            what kernels need for themselves is not in it.
        receptive_field: of the last layer on the way to the first output that still walks over the picture (before
            global pooling and dense layers), or of the last attention.
        flow: for every visible operator the operators it reads; −1 is the picture.
        notes: what could not be known, and why.
    """

    name: str
    input_shape: Shape
    output_shapes: tuple[Shape, ...]
    training: bool
    root: Layer
    parameters: int
    trainable: int
    shares: Mapping[str, int]
    parameter_bytes: int
    buffer_bytes: int
    macs: int
    product_macs: int
    activation_bytes: int
    peak_bytes: int
    receptive_field: tuple[Extent | None, ...]
    flow: Mapping[int, tuple[int, ...]] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every unfolded row, in the order they ran."""
        return tuple(self.root.leaves())

    def layer(self, name: str, call: int = 1) -> Layer:
        """A row or block by its name, e.g. `layer4.1.conv2`.

        Raises:
            UsageError: where there is none; names the nearest.
        """
        named = {(row.name, row.call): row for row in _walk(self.root)}
        if (name, call) not in named:
            raise unknown_name("layer", name, {n for n, _ in named if n})
        return named[name, call]

    def fold(self, depth: int | None = None) -> tuple[Layer, ...]:
        """The rows at one depth: 1 the network's own children, 2 theirs …, None everything unfolded.

        Their parameters, multiply-adds and activations always sum up to the totals.
        """
        rows: tuple[Layer, ...] = (self.root,)
        level = 0
        while level != depth and any(row.children for row in rows):
            rows = tuple(part for row in rows for part in (row.children or (row,)))
            level += 1
        return rows

    def best_depth(self, rows: int = 8) -> int:
        """The smallest depth that shows at least so many rows, or all there are."""
        depth, everything = 1, len(self.layers)
        while len(self.fold(depth)) < min(rows, everything):
            depth += 1
        return depth

    def table(self, depth: int | None = None) -> list[dict[str, Any]]:
        """`fold(depth)` as plain values, one dictionary a row."""
        return [row_of(layer) for layer in self.fold(depth)]

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values that `json.dumps` takes."""
        return {
            "name": self.name,
            "input_shape": list(self.input_shape),
            "output_shapes": [list(shape) for shape in self.output_shapes],
            "training": self.training,
            "parameters": self.parameters,
            "trainable": self.trainable,
            "shares": dict(self.shares),
            "parameter_bytes": self.parameter_bytes,
            "buffer_bytes": self.buffer_bytes,
            "macs": self.macs,
            "product_macs": self.product_macs,
            "activation_bytes": self.activation_bytes,
            "peak_bytes": self.peak_bytes,
            "receptive_field": [_extent(extent) for extent in self.receptive_field],
            "notes": list(self.notes),
            "layers": [child.as_dict() for child in self.root.children],
        }


def row_of(layer: Layer) -> dict[str, Any]:
    """One row as plain values."""
    window = layer.window
    return {
        "name": layer.name,
        "kind": layer.kind,
        "family": layer.family,
        "call": layer.call,
        "input": list(layer.input) if layer.input is not None else None,
        "output": list(layer.output) if layer.output is not None else None,
        "kernel": list(window.kernel) if window else None,
        "stride": list(window.stride) if window else None,
        "padding": list(window.padding) if window else None,
        "dilation": list(window.dilation) if window else None,
        "groups": window.groups if window else None,
        "transposed": window.transposed if window else None,
        "parameters": layer.parameters,
        "macs": layer.macs,
        "product_macs": layer.product_macs,
        "activation_bytes": layer.activation_bytes,
        "receptive_field": [_extent(extent) for extent in layer.field],
    }


def _extent(extent: Extent | None) -> dict[str, Any] | None:
    if extent is None:
        return None
    return {
        "size": extent.size,
        "smallest": extent.smallest,
        "jump": extent.jump,
        "start": extent.start,
        "whole": extent.whole,
    }


def _walk(layer: Layer) -> Iterator[Layer]:
    yield layer
    for child in layer.children:
        yield from _walk(child)
