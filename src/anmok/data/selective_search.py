"""Selective search: where things might be, found without learning, by merging what looks alike.

Uijlings, van de Sande, Gevers, Smeulders: Selective Search for Object Recognition, IJCV 2013. The proposals of R-CNN,
SPPnet and Fast R-CNN, computed by OpenCV's contributed module. Its program numbers proposals at random; the set is the
same each time, and here so is the order.
"""

from __future__ import annotations

import numpy as np

from anmok.core.errors import AnmokError, UsageError
from anmok.core.seeds import numpy_generator

WIDTH = 500  # pixels that a picture is brought to first, as R-CNN does
SMALLEST = 20  # pixels of that; narrower or lower proposals are dropped


def selective_search(
    picture: np.ndarray,
    *,
    fast: bool = True,
    width: int | None = WIDTH,
    smallest: float = SMALLEST,
    most: int | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Proposals for one picture.

    Args:
        picture: uint8 (H, W, 1 or 3).
        fast: the paper's fast setting (two colour spaces, two starting segmentations); else its quality setting, which
            finds nearly twice as many in four times the time.
        width: the picture is scaled to it first; None: taken as it is. On one core 500 pixels cost about 3 s, 300
            pixels about 1 s.
        smallest: width and height of a proposal, in pixels of the scaled picture.
        most: proposals at most; which ones is drawn by `seed`.

    Returns:
        float32 (R, 4): xyxy, pixels of the picture, half-open, in an order drawn by `seed`.

    Raises:
        AnmokError: OpenCV's contributed modules are not installed.
        UsageError: for anything but a uint8 picture.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (1, 3) or 0 in picture.shape:
        raise UsageError("proposals are found in pictures", got=f"{picture.dtype} {picture.shape}",
                         allowed="uint8 (height, width, 1 or 3)")  # fmt: skip
    search, resized, factor = _prepared(picture, width)
    search.setBaseImage(resized)
    search.switchToSelectiveSearchFast() if fast else search.switchToSelectiveSearchQuality()
    found = search.process().astype(np.float32).reshape(-1, 4)
    found = found[(found[:, 2:] >= smallest).all(1)]
    boxes = np.unique(np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1), axis=0)
    order = numpy_generator(seed, "selective search", len(boxes)).permutation(len(boxes))[:most]
    return (boxes[order] / factor).astype(np.float32)


def _prepared(picture: np.ndarray, width: int | None) -> tuple:
    """OpenCV's object, the scaled picture in its order of colours, and (right, down, right, down) factors."""
    try:
        import cv2

        search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    except (ImportError, AttributeError) as error:
        raise AnmokError(
            "selective search needs OpenCV's contributed modules",
            got=str(error),
            fix="pip install anmok[detect] (and uninstall other builds of opencv: they hide each other)",
        ) from error
    colours = np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture[:, :, ::-1]
    resized = np.ascontiguousarray(colours)
    if width is not None and width != picture.shape[1]:
        height = max(1, round(picture.shape[0] * width / picture.shape[1]))
        resized = cv2.resize(resized, (width, height), interpolation=cv2.INTER_LINEAR)
    down, right = resized.shape[0] / picture.shape[0], resized.shape[1] / picture.shape[1]
    return search, resized, np.array([right, down, right, down], np.float32)
