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
from anmok.anatomy.drawing import draw
from anmok.anatomy.enlarging import enlarging_figure, explain_enlarging
from anmok.anatomy.figures import save
from anmok.anatomy.filters import KERNELS, apply_kernel, as_picture, kernels_figure
from anmok.anatomy.maps import feature_maps, filters_figure, filters_of, maps_figure
from anmok.anatomy.structure import Anatomy, Extent, Layer
from anmok.anatomy.text import render
from anmok.anatomy.windows import window_figure
from anmok.anatomy.worked import (
    explain_1x1,
    explain_conv_output,
    explain_cost,
    explain_pool_output,
    explain_same_padding,
    explain_transposed_output,
    explain_two_3x3,
)

__all__ = [
    "KERNELS",
    "Anatomy",
    "Extent",
    "Layer",
    "Padding",
    "anatomy",
    "apply_kernel",
    "as_picture",
    "conv_macs",
    "conv_output",
    "conv_parameters",
    "draw",
    "enlarging_figure",
    "explain_1x1",
    "explain_conv_output",
    "explain_cost",
    "explain_enlarging",
    "explain_pool_output",
    "explain_same_padding",
    "explain_transposed_output",
    "explain_two_3x3",
    "feature_maps",
    "filters_figure",
    "filters_of",
    "kernels_figure",
    "linear_parameters",
    "maps_figure",
    "pool_output",
    "receptive_field",
    "render",
    "same_padding",
    "save",
    "tensorflow_same",
    "tensorflow_valid",
    "transposed_output",
    "window_figure",
]


class _CallableRoom(types.ModuleType):
    """Lets `anmok.anatomy(net, shape)` and `anmok.anatomy.conv_output(…)` be the same name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Anatomy:
        """See `anmok.anatomy.dissect.anatomy`."""
        return anatomy(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableRoom
