"""A colour for every class, the same in masks, overlays and tables."""

from __future__ import annotations

import colorsys
from functools import cache

import numpy as np

from anmok.core.targets import IGNORE

# Okabe & Ito (2008), "Color Universal Design": told apart by colour-blind readers too. Black stands for class 0, which
# is the background in most data and must not outshine what is looked for.
FIRST = ("#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
GOLDEN = 0.381966  # of the colour circle: each further hue falls into the largest gap left
WRONG, RIGHT, UNJUDGED = (213, 40, 40), (60, 60, 60), (128, 128, 128)


@cache
def palette() -> np.ndarray:
    """uint8 (256, 3), by class id; 255, which is ignored, is grey. Read-only."""
    colours = [tuple(bytes.fromhex(text[1:])) for text in FIRST]
    for place in range(len(colours), IGNORE):
        hue, light = (place * GOLDEN) % 1, (0.45, 0.62, 0.78)[place % 3]
        colours.append(tuple(round(255 * part) for part in colorsys.hls_to_rgb(hue, light, 0.7)))
    table = np.array([*colours, UNJUDGED], np.uint8)
    table.flags.writeable = False
    return table


def painted(mask: np.ndarray) -> np.ndarray:
    """A class map (H, W) in its colours: uint8 (H, W, 3)."""
    return palette()[mask]


def overlaid(
    picture: np.ndarray, mask: np.ndarray, strength: float = 0.55, objects: np.ndarray | None = None
) -> np.ndarray:
    """The picture uint8 (H, W, 1 or 3) in grey under the colours of its class map, outlines in full: uint8 (H, W, 3).

    Class 0 shows the picture itself, untinted. `objects` (H, W): whose outlines are drawn; None: the classes'.
    """
    grey = picture.mean(2, keepdims=True) if picture.shape[2] == 3 else picture
    cover = np.where(mask == 0, 0.0, np.where(outlines(mask if objects is None else objects), 1.0, strength))[..., None]
    return np.clip((1 - cover) * grey + cover * painted(mask), 0, 255).round().astype(np.uint8)


def errors(picture: np.ndarray, truth: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """Where the answer is wrong, in red over the darkened picture; what is not judged, in grey: uint8 (H, W, 3)."""
    grey = picture.mean(2, keepdims=True) if picture.shape[2] == 3 else picture
    shown = np.repeat((grey * 0.45).round().astype(np.uint8), 3, axis=2)
    shown[(truth != answer) & (truth != IGNORE)] = WRONG
    shown[truth == IGNORE] = UNJUDGED
    return shown


def outlines(mask: np.ndarray) -> np.ndarray:
    """Pixels (H, W) of which a neighbour above, below, left or right is of another class: bool."""
    edge = np.zeros(mask.shape, bool)
    down, across = mask[:-1] != mask[1:], mask[:, :-1] != mask[:, 1:]
    edge[:-1] |= down
    edge[1:] |= down
    edge[:, :-1] |= across
    edge[:, 1:] |= across
    return edge
