"""OpenVINO's graph of a network that draws maps, in three: its first convolution, what lies between, its last one.

bf16 keeps eight bits of a number. Rounded at the first convolution, a picture's own values are off all the way through;
at the last one, nothing after it can make good what it lost. Together they cost two thirds of the pixels that change
their class, and are a twentieth of the work (decision 0011 has the figures), so both stay in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

_NO_MAPS = ("MatMul", "ReduceMean")  # behind them answers are no maps: rounding is averaged away, little is to gain
_FUSED = ("Add", "Multiply", "Relu", "PRelu", "Clamp", "Swish")  # computed with the convolution before


def in_three(read: Callable[[], Any]) -> tuple[Any, Any, Any] | None:
    """The graph in three, each part's outputs being the next one's inputs.

    Args:
        read: gives the graph (`openvino.Model`), each time another copy.

    Returns:
        None where the answers do not come from convolutions alone, or there is nothing between the two.
    """

    def another() -> Any:
        return _folded(read())

    if _last_inputs(another()) is None:
        return None
    try:
        first = _before(another(), _first_outputs)
        body = _before(_after(another(), _first_outputs), _last_inputs)
        last = _after(_after(another(), _first_outputs), _last_inputs)
    except RuntimeError:  # a way around the cuts: a part would need inputs that the one before does not give
        return None
    return (first, body, last) if any(map(_convolves, body.get_ops())) else None


def _folded(model: Any) -> Any:
    """The same graph without the arithmetic on sizes that are known: it would lead around the cuts."""
    from openvino.passes import ConstantFolding, Manager

    manager = Manager()
    manager.register_pass(ConstantFolding())
    manager.run_passes(model)
    return model


def _before(model: Any, places: Callable[[Any], list[Any] | None]) -> Any:
    from openvino import Model

    return Model(places(model), model.get_parameters(), "before")


def _after(model: Any, places: Callable[[Any], list[Any] | None]) -> Any:
    from openvino import Model
    from openvino.opset13 import parameter

    entries = []
    for cut in places(model) or ():
        entry = parameter(cut.get_partial_shape(), np.float32)
        for reader in cut.get_target_inputs():
            reader.replace_source_output(entry.output(0))
        entries.append(entry)
    return Model(model.get_results(), entries, "after")


def _first_outputs(model: Any) -> list[Any]:
    """What the convolutions answer that have none before them, with what is computed together with each."""
    behind: set[str] = set()  # of a convolution
    found = []
    for node in model.get_ordered_ops():
        fed = any(source.get_friendly_name() in behind for source in _sources(node))
        if _convolves(node) and not fed:
            found.append(_with_fused(node.output(0)))
        if _convolves(node) or fed:
            behind.add(node.get_friendly_name())
    return found


def _with_fused(value: Any) -> Any:
    while True:
        readers = [reader.get_node() for reader in value.get_target_inputs()]
        if len(readers) != 1 or readers[0].get_type_name() not in _FUSED:
            return value
        own = value.get_node().get_friendly_name()  # nodes themselves cannot be compared: == makes another node
        others = [one for one in _sources(readers[0]) if one.get_friendly_name() != own]
        if any(other.get_type_name() != "Constant" for other in others):
            return value
        value = readers[0].output(0)


def _last_inputs(model: Any) -> list[Any] | None:
    """What the convolutions read that lie last on the ways to the results; None where a way has none."""
    waiting, seen, found = list(model.get_results()), set(), {}
    while waiting:
        node = waiting.pop()
        name = node.get_friendly_name()
        if name in seen:
            continue
        seen.add(name)
        if _convolves(node):
            source = node.input_value(0)
            found[source.get_node().get_friendly_name(), source.get_index()] = source
        elif node.get_type_name() in ("Parameter", *_NO_MAPS):
            return None
        else:
            waiting += _sources(node)
    return [found[place] for place in sorted(found)] or None


def _sources(node: Any) -> Iterable[Any]:
    return (value.get_node() for value in node.input_values())


def _convolves(node: Any) -> bool:
    return str(node.get_type_name()) in ("Convolution", "GroupConvolution")
