"""The colours and the classes of Pascal VOC (Everingham et al. 2010), which many other data sets have taken over."""

from __future__ import annotations

Colour = tuple[int, int, int]

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
VOID = (224, 224, 192)


def voc_colour(number: int) -> Colour:
    """The colour of a class: its bits are dealt in turn to red, green and blue, from their highest bit down.

    >>> voc_colour(0), voc_colour(1), voc_colour(15), voc_colour(255)
    ((0, 0, 0), (128, 0, 0), (192, 128, 128), (224, 224, 192))
    """
    channels = [0, 0, 0]
    for turn in range(8):
        for channel in range(3):
            channels[channel] |= (number >> 3 * turn + channel & 1) << 7 - turn
    return channels[0], channels[1], channels[2]
