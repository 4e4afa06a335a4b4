"""Segmentation: probabilities of every pixel (N, K, S, S) → class maps in the originals' own size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from anmok.core.classmaps import ClassMap, Mapper
from anmok.core.preparation import Preparation
from anmok.core.registry import register
from anmok.core.types import Prediction
from anmok.ship.answers import Asked

try:
    from anmok.core.instances import objects_of
except ModuleNotFoundError:  # anmok-runtime has no SciPy: class maps are answered, objects are not numbered
    objects_of = None  # type: ignore[assignment]

TILES = 64  # looked at together, at most
COUNTED = 1 << 22  # pixels counted at once
ALIKE = (
    0.8e-3  # of all pixels may be of another class than in exact numbers: a fifth less than `anmok.ship.gate` allows
)
MANY = 0.01  # of a picture's pixels, if in doubt, make the picture one to be asked about again
EVERY = 4  # rows of which one is looked at to tell how many pixels are in doubt


@register("answers", name="segment")
class ClassMapAnswers:
    """The likeliest class of each pixel; objects told apart where the network learned the seams between them.

    Reads `classes` (names in the order of the scores), `background` (the class that is no object, or None), `seams`
    (whether one more score is that of seams) and `preparation` (where in the square each picture lay). With its fit
    "window" pictures are looked at tile by tile, at their own size; the graph then takes tiles.
    """

    outputs = ("probabilities",)

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.classes, self.seams = tuple(map(str, settings["classes"])), bool(settings["seams"])
        self.background = None if settings["background"] is None else int(settings["background"])
        self.preparation = Preparation.from_json(settings["preparation"])
        if not 1 <= len(self.classes) <= 255:
            raise ValueError("a segmentation has 1 to 255 classes")

    def __call__(
        self, outputs: Mapping[str, np.ndarray], pictures: Sequence[Asked], top: int | None = None
    ) -> Iterator[Prediction]:
        """See `anmok.ship.answers.Answers`."""
        values = self._checked(outputs["probabilities"], len(pictures))
        maps = self._mapper(lambda _: values).fitted(values, [picture.size for picture in pictures])
        for picture, found in zip(pictures, maps, strict=True):
            yield answer(picture.id, found, self.classes, self.background, top)

    def whole(self, ask: Any, pixels: np.ndarray, picture: Asked, top: int | None = None) -> Prediction:
        """The answer to a picture uint8 (H, W, C) of any size, tile by tile.

        Args:
            ask: tiles uint8 (n, side, side, C) → the graph's outputs by name.
            pixels: the picture, upright, as it was decoded.
            picture: its name and size.
            top: see `Answers`.
        """
        found = self._mapper(lambda tiles: self._checked(ask(tiles)["probabilities"], len(tiles))).tiled(pixels, TILES)
        return answer(picture.id, found, self.classes, self.background, top)

    def slack(self, fast: Mapping[str, np.ndarray], exact: Mapping[str, np.ndarray]) -> float:
        """Below which margin between a pixel's first two probabilities it is in doubt, whatever computed `fast`.

        The least that keeps `ALIKE`: with the pictures asked again that `doubtful` names, so few of all pixels are of
        another class than in exact numbers; 0 where that needs no picture.
        """
        own, exactly = (found["probabilities"][:, :, ::EVERY] for found in (fast, exact))
        otherwise = (own.argmax(1) != exactly.argmax(1)).reshape(len(own), -1).mean(1)
        margins = _margins(own).reshape(len(own), -1)
        place = int(MANY * margins.shape[1])
        entering = np.partition(margins, place, axis=1)[:, place]  # from this slack on, each picture is in doubt
        left, slack = float(otherwise.sum()), 0.0
        for picture in np.argsort(entering, kind="stable").tolist():
            if left <= ALIKE * len(own):
                break
            left, slack = left - float(otherwise[picture]), float(entering[picture])
        return slack

    def doubtful(self, outputs: Mapping[str, np.ndarray], slack: float) -> np.ndarray:
        """Of each picture, whether more than `MANY` of its pixels are in doubt: bool (N,)."""
        margins = _margins(outputs["probabilities"][:, :, ::EVERY])
        return (margins <= slack).mean((1, 2)) > MANY if slack > 0 else np.zeros(len(margins), bool)

    def _mapper(self, ask: Any) -> Mapper:
        return Mapper(ask, self.preparation, len(self.classes), self.seams)

    def _checked(self, values: np.ndarray, pictures: int) -> np.ndarray:
        if values.ndim != 4 or values.shape[:2] != (pictures, len(self.classes) + self.seams):
            raise ValueError(f"probabilities {values.shape} for {pictures} pictures of {len(self.classes)} classes")
        return values


def _margins(probabilities: np.ndarray) -> np.ndarray:
    """By how much each pixel's first class is likelier than its second: (N, K, h, w) → (N, h, w)."""
    if probabilities.shape[1] < 2:
        return np.full((len(probabilities), *probabilities.shape[2:]), np.inf, np.float32)
    first = np.maximum(probabilities[:, 0], probabilities[:, 1])
    second = np.minimum(probabilities[:, 0], probabilities[:, 1])
    for one in probabilities[:, 2:].swapaxes(0, 1):
        second = np.maximum(second, np.minimum(first, one))
        first = np.maximum(first, one)
    return first - second


def answer(
    name: str, found: ClassMap, classes: Sequence[str], background: int | None, top: int | None = None
) -> Prediction:
    """A class map as a prediction: classes by their share of the pixels, the map itself, and its objects."""
    shares = class_shares(found.mask, len(classes))
    order = by_share(shares)[:top]
    return Prediction(
        name,
        tuple(classes[number] for number in order),
        tuple(float(shares[number]) for number in order),
        mask=found.mask,
        classes=tuple(classes),
        objects=None if objects_of is None else objects_of(found.mask, background, found.inside),
    )


def class_shares(mask: np.ndarray, classes: int) -> np.ndarray:
    """Each class's share of a picture's pixels, float (classes,).

    Some rows at a time: counting makes eight bytes of each pixel's one.
    """
    counts, step = np.zeros(classes, np.int64), max(1, COUNTED // max(1, mask.shape[1]))
    for start in range(0, len(mask), step):
        counts += np.bincount(mask[start : start + step].ravel(), minlength=classes)[:classes]
    return counts / max(1, mask.size)


def by_share(shares: np.ndarray) -> list[int]:
    """The classes that there are, the largest share first.

    >>> by_share(np.array([0.2, 0.0, 0.8]))
    [2, 0]
    """
    return [int(number) for number in np.argsort(-shares, kind="stable") if shares[number] > 0]
