"""Detectors in the form that suits the data: nothing pretrained, small pictures, few minutes.

The papers' detectors stand on AlexNet or VGG-16 trained on a million photographs. From nothing these learn little from
a few hundred pictures, and on a processor not within a day. So a detector asked for by its bare name stands on a small
network; who names what it shall stand on (`rcnn:alexnet_2012`, `fast_rcnn:vgg16`) gets that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SMALL = "small_resnet"
HIDDEN = 256  # numbers in each of two dense layers
WIDTH = 64  # channels of a feature pyramid, and of what draws masks
REGIONS = [200, 64]  # of a picture, where a pyramid is: proposed, and learning
CROP, SMALLEST_CROP = 64, 32  # pixels: largest and smallest side of warped regions
CROPPED = 0.9  # crops, in sides of the objects: larger ones say little more, and fewer of them are seen in the time
QUANTILES = (0.15, 0.5, 0.85)  # of the objects' sides, where anchors are put
DESCENT = ("muon", 0.03)  # of small forms
LARGE_DESCENT = ("adamw", 2e-3)  # of a named encoder, whose dense layers may be too large for Muon
STRIDE = 8  # pixels of the small network's coarsest map: smaller anchors would fall between its cells


@dataclass(frozen=True)
class Form:
    """How a detector is built and trained for given data.

    Args:
        arguments: of the network, beside classes and channels.
        pace: share of the usual epochs that it needs.
        nms: overlap above which the lower score of two answered boxes is dropped, where the paper says so; else None.
        optimizer, learning_rate: where they are not the usual ones; else None.
        batch: pictures a step at most; None: as many as usual.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    pace: float = 1.0
    nms: float | None = None
    optimizer: str | None = None
    learning_rate: float | None = None
    batch: int | None = None

    @property
    def told(self) -> str:
        """The arguments in words; empty where there are none."""
        return ", ".join(f"{name} {value}" for name, value in self.arguments.items())


def form_of(name: str, sides_of: Callable[[], np.ndarray]) -> Form:
    """The form of the detector `name`. An encoder named after a colon stays: only what follows from sizes is chosen.

    `sides_of`: measures the objects' sides (the roots of their areas), in pixels that the network sees.
    """
    own, _, encoder = name.partition(":")
    if own not in _BY_SIZE:
        return Form()
    measured, pace = _BY_SIZE[own](sides_of()), _PACE.get(own, TWO_STAGES)
    nms, batch = _NMS.get(own), _BATCH.get(own, FEW)
    if encoder:
        return Form({key: value for key, value in measured.items() if key == "sizes"}, pace, nms, *LARGE_DESCENT, batch)
    return Form({"encoder": SMALL, **measured}, pace, nms, *DESCENT, batch)


def _crop(sides: np.ndarray) -> dict[str, Any]:
    """R-CNN's crops: about as large as the objects are."""
    typical = float(np.median(sides)) if len(sides) else CROP
    return {"crop": int(np.clip(8 * round(CROPPED * typical / 8), SMALLEST_CROP, CROP))}


def _dense(sides: np.ndarray) -> dict[str, Any]:
    return {"hidden": HIDDEN}


def _anchors(sides: np.ndarray) -> dict[str, Any]:
    """Faster R-CNN's anchors: as large as the objects are."""
    found = np.quantile(sides, QUANTILES) if len(sides) else np.array([16, 32, 64])
    return {"hidden": HIDDEN, "sizes": [float(max(STRIDE, 4 * round(side / 4))) for side in found]}


def _pyramid(sides: np.ndarray) -> dict[str, Any]:
    """The same with a pyramid no wider than the small network, and as many regions as few objects need."""
    return {**_anchors(sides), "width": WIDTH, "regions": REGIONS}


_BY_SIZE: Mapping[str, Callable[[np.ndarray], dict[str, Any]]] = {
    "rcnn": _crop,
    "sppnet": _dense,
    "fast_rcnn": _dense,
    "faster_rcnn": _anchors,
    "fasterrcnn_resnet50_fpn": _pyramid,
    "maskrcnn_resnet50_fpn": _pyramid,
}
# Each of a picture's regions is a lesson: fewer epochs than one-stage detectors need. R-CNN's are the dearest.
_PACE = {"rcnn": 0.08, "sppnet": 0.15, "fast_rcnn": 0.15}
TWO_STAGES = 0.3  # the same of those that propose themselves
FEW = 4  # pictures a step: each brings up to 64 regions, and the papers took two
_BATCH = {"rcnn": 8}
_NMS = {"rcnn": 0.3, "sppnet": 0.3, "fast_rcnn": 0.3}
