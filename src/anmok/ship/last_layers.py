"""OpenVINO's graph of a network that draws maps, in two: all but the last convolutions, and these.

bf16 keeps eight bits of a number, and nothing after the last convolution can make good what it lost: rounded there,
half as many pixels again change their class (measured on scenes, U-Net on ResNet-18). It is a fiftieth of the work, so
it stays in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_DENSE = "MatMul"  # behind it answers are no maps: rounding is averaged away, and there is little to gain


def in_two(read: Callable[[], Any]) -> tuple[Any, Any] | None:
    """The graph up to what its last convolutions read, and all the rest; the first's outputs are the second's inputs.

    Args:
        read: gives the graph (`openvino.Model`), each time another copy.

    Returns:
        None where the answers do not come from convolutions alone.
    """
    from openvino import Model
    from openvino.opset13 import parameter

    body, rest = read(), read()
    cuts, others = _last_inputs(body), _last_inputs(rest)
    if not cuts or others is None:
        return None
    entries = []
    for cut in others:
        entry = parameter(cut.get_partial_shape(), np.float32)
        for reader in cut.get_target_inputs():
            if reader.get_node().get_type_name() == "Convolution":
                reader.replace_source_output(entry.output(0))
        entries.append(entry)
    return Model(cuts, body.get_parameters(), "body"), Model(rest.get_results(), entries, "last layers")


def _last_inputs(model: Any) -> list[Any] | None:
    """What the convolutions read that lie last on the ways to the results; None where a way has none."""
    waiting, seen, found = list(model.get_results()), set(), {}
    while waiting:
        node = waiting.pop()
        name = node.get_friendly_name()
        if name in seen:
            continue
        seen.add(name)
        kind = node.get_type_name()
        if kind == "Convolution":
            source = node.input_value(0)
            found[source.get_node().get_friendly_name(), source.get_index()] = source
        elif kind in ("Parameter", _DENSE):
            return None
        else:
            waiting += [value.get_node() for value in node.input_values()]
    return [found[place] for place in sorted(found)]
