"""What a network is: shapes, convolution arithmetic, parameters, multiply-adds, memory, receptive field, drawing.

>>> import anmok.anatomy
>>> anmok.anatomy.conv_output(224, kernel=11, stride=4, padding=2)
55
>>> anmok.anatomy(net, (3, 224, 224)).macs        # the room answers to its own name # doctest: +SKIP
"""

from __future__ import annotations

import sys
import types
from typing import Any

from anmok.anatomy.arithmetic import (
    Padding,
    conv_macs,
    conv_output,
    conv_parameters,
    linear_parameters,
    pool_output,
    receptive_field,
    same_padding,
    tensorflow_same,
    tensorflow_valid,
    transposed_output,
)
from anmok.anatomy.dissect import anatomy
from anmok.anatomy.structure import Anatomy, Extent, Layer

__all__ = [
    "Anatomy",
    "Extent",
    "Layer",
    "Padding",
    "anatomy",
    "conv_macs",
    "conv_output",
    "conv_parameters",
    "linear_parameters",
    "pool_output",
    "receptive_field",
    "same_padding",
    "tensorflow_same",
    "tensorflow_valid",
    "transposed_output",
]


class _CallableRoom(types.ModuleType):
    """Lets `anmok.anatomy(net, shape)` and `anmok.anatomy.conv_output(…)` be the same name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Anatomy:
        """See `anmok.anatomy.dissect.anatomy`."""
        return anatomy(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableRoom
