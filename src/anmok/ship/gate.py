"""The gate: two ways of answering the same pictures, compared answer by answer.

Nothing is shipped, and no faster way of computing is taken, unless its answers pass here. Answers are compared by
name: a class list in another order is a difference, whatever the numbers say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from anmok.core.errors import ParityError
from anmok.core.types import Prediction

FLOAT32 = 1e-4  # of a probability: two ways of computing float32 differ by a hundredth of this
TIED = 2 * FLOAT32  # probabilities this near: either class may win
LISTED = 5  # pictures named in an error
_LEVELS = 1  # grey levels of a picture that is the answer: a value between two falls either way …
_OVERSHOT = 2  # … and where it is then brought to its own size, bicubic interpolation overshoots, and rounds again
_MOVED = 0.01  # of a box's longer side, and of its score: what lies farther off is another box
_PIXELS = 1e-3  # share of a mask's pixels, where tied classes fall either way, and of a picture's that overshoot


@dataclass(frozen=True)
class Parity:
    """What a comparison found.

    Attributes:
        pictures: answered by both.
        refused: refused by both.
        different: names of those whose decision differs: the answer, being sure of it, or having one at all.
        largest: largest difference of a probability (classes), of grey levels beyond one / 255 (pictures), share of
            pixels of another class where that is more than a thousandth (masks), or of a score and of how far an edge
            moved, as a share of the longer side (boxes).
        where: the picture of the largest difference.
        tolerance: the largest difference allowed.
        share: the smallest share of equal decisions allowed.
        pixels: where pixels are the decisions: the share of all of them that are of another class; else None.
    """

    pictures: int
    refused: int
    different: tuple[str, ...]
    largest: float
    where: str
    tolerance: float
    share: float = 1.0
    pixels: float | None = None

    @property
    def agreement(self) -> float:
        """Share of equal decisions: of pictures, or of pixels."""
        if self.pixels is not None:
            return 1 - self.pixels
        return 1 - len(self.different) / max(1, self.pictures + self.refused)

    @property
    def holds(self) -> bool:
        """Whether the two ways count as equal. Nothing compared is nothing shown."""
        return self.pictures > 0 and self.agreement >= self.share and self.largest <= self.tolerance

    @property
    def sentence(self) -> str:
        """The comparison in words."""
        answered = f"{self.pictures:,} pictures answered, {self.refused:,} refused by both"
        decided = f"{len(self.different):,} decisions differ"
        if self.pixels is not None:
            decided = (
                f"{self.pixels:.3%} of the pixels differ, more than {_PIXELS:.1%} in {len(self.different):,} pictures"
            )
        if self.different:
            more = ", …" if len(self.different) > LISTED else ""
            decided += f" ({', '.join(self.different[:LISTED])}{more})"
        return f"{answered}; {decided}; largest difference {self.largest:.2g}" + (self.where and f" at {self.where}")

    def to_json(self) -> dict[str, Any]:
        """Plain values, for manifests and cards; of the pictures that differ a few."""
        listed = {"different": list(self.different[:LISTED]), "differ": len(self.different)}
        return asdict(self) | listed | {"sentence": self.sentence}

    def demand(self, what: str, fix: str) -> None:
        """Raise `ParityError` with the figures where the comparison fails."""
        if not self.holds:
            allowed = f"{self.share:.1%} equal decisions, differences up to {self.tolerance:g}"
            raise ParityError(f"{what} does not answer as it should", got=self.sentence, allowed=allowed, fix=fix)


def compare(
    expected: Iterable[Prediction], found: Iterable[Prediction], tolerance: float = FLOAT32, share: float = 1.0,
    by_pixel: bool = False,
) -> Parity:  # fmt: skip
    """Compare two ways' answers to the same pictures in the same order.

    Args:
        expected, found: the reference's answers, and those to be judged.
        tolerance: largest difference allowed.
        share: smallest share of equal decisions allowed.
        by_pixel: of class maps every pixel is a decision, over all pictures together, and `share` is at least 99.9 %;
            else every picture's map is one, equal where 99.9 % of its pixels are.

    Raises:
        ParityError: one way answered for other pictures, or for more or fewer.
    """
    pictures = refused = 0
    different: list[str] = []
    largest, where, unequal = 0.0, "", 0.0
    pairs = zip(_ended(expected), _ended(found), strict=False)
    for one, other in pairs:
        if one is None and other is None:
            break
        if one is None or other is None or one.id != other.id:
            raise ParityError("the two ways did not answer for the same pictures", got=other and other.id,
                              allowed=one and one.id)  # fmt: skip
        if one.error is not None and other.error is not None:
            refused += 1
            continue
        pictures += 1
        if one.error is not None or other.error is not None:
            different.append(one.id)
            unequal += 1
            continue
        same, distance = _judge(one, other)
        if by_pixel:
            unequal += _apart(one.mask, other.mask)
        if not same:
            different.append(one.id)
        if distance > largest or np.isnan(distance):
            largest, where = (distance if not np.isnan(distance) else np.inf), one.id
    found_alike = Parity(pictures, refused, tuple(different), float(largest), where, tolerance, share)
    if not by_pixel:
        return found_alike
    return replace(found_alike, share=max(share, 1 - _PIXELS), pixels=unequal / max(1, pictures))


def _ended(predictions: Iterable[Prediction]) -> Iterable[Prediction | None]:
    yield from predictions
    yield None


def _judge(one: Prediction, other: Prediction) -> tuple[bool, float]:
    """Whether two answers decide alike, and how far they are apart."""
    if one.mask is not None:
        return _masks(one.mask, other.mask)
    if one.picture is not None:
        same, distance = _pictures(one.picture, other.picture)
        if one.labels is None and other.labels is None:
            return same, distance
        alike, apart = _classes(one, other)
        return same and alike, max(distance, apart)
    if one.boxes is not None:
        same, distance = _boxes(one, other)
        if one.objects is None:
            return same and other.objects is None, distance
        alike, apart = _masks(one.objects, other.objects)
        return same and alike, max(distance, apart)
    return _classes(one, other)


def _classes(one: Prediction, other: Prediction) -> tuple[bool, float]:
    expected = dict(zip(one.labels or (), one.scores or (), strict=True))
    found = dict(zip(other.labels or (), other.scores or (), strict=True))
    if not expected or expected.keys() != found.keys():
        return False, 1.0
    distance = float(np.abs([expected[name] - found[name] for name in expected]).max())
    if one.found is not None or other.found is not None:
        return _same_found(one, other, expected, found, distance), distance
    first, answer = one.labels[0], other.labels[0]  # type: ignore[index]
    tied = expected[first] - expected[answer] <= TIED and distance <= FLOAT32
    flips = distance <= FLOAT32 and _straddle(one, other)
    return (first == answer or tied) and (one.sure == other.sure or flips), distance


def _same_found(
    one: Prediction, other: Prediction, expected: dict[str, float], found: dict[str, float], distance: float
) -> bool:
    """Whether both name the same classes, but for those whose threshold lies between two nearly equal scores."""
    if one.found is None or other.found is None:
        return False
    torn = set(one.found) ^ set(other.found)
    straddled = all(
        expected[name] != found[name] and (expected[name] > found[name]) == (name in one.found) for name in torn
    )
    return not torn or (distance <= FLOAT32 and straddled)


def _straddle(one: Prediction, other: Prediction) -> bool:
    """Whether one threshold between the two certainties explains that only the greater is sure."""
    if one.sure is None or other.sure is None or not one.scores or not other.scores:
        return False
    sure, unsure = (one, other) if one.sure else (other, one)
    return sure.scores[0] > unsure.scores[0]  # type: ignore[index]


def _boxes(one: Prediction, other: Prediction) -> tuple[bool, float]:
    """Each box beside the one of its class that lies nearest; a box that only one way gives decides otherwise."""
    if other.boxes is None:
        return False, 1.0
    (boxes, scores, labels), (others, its_scores, its_labels) = _told(one), _told(other)
    if len(boxes) != len(others):
        return False, 1.0
    longer = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(1, initial=1.0), 1.0)[:, None]
    apart = np.abs(boxes[:, None] - others[None]).max(2) / longer
    apart = np.maximum(apart, np.abs(scores[:, None] - its_scores[None]))
    apart[labels[:, None] != its_labels[None]] = np.inf
    distance = 0.0
    for row in apart:
        nearest = int(row.argmin())
        distance = max(distance, float(row[nearest]))
        apart[:, nearest] = np.inf
    return (True, distance) if distance <= _MOVED else (False, 1.0)


def _told(one: Prediction) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes (M, 4), scores (M,) and class names (M,)."""
    boxes = np.reshape(np.asarray(one.boxes, np.float64), (-1, 4))
    return boxes, np.asarray(one.scores or (), np.float64), np.asarray(one.labels or (), str)


def _masks(expected: np.ndarray, found: Any) -> tuple[bool, float]:
    share = _apart(expected, found)
    return share <= _PIXELS, share if share > _PIXELS else 0.0


def _apart(expected: np.ndarray | None, found: Any) -> float:
    """Share of a map's pixels that differ."""
    if expected is None or found is None or np.shape(found) != expected.shape:
        return 1.0
    return float((expected != found).mean())


def _pictures(expected: np.ndarray, found: Any) -> tuple[bool, float]:
    if found is None or np.shape(found) != expected.shape:
        return False, 1.0
    apart = np.abs(expected.astype(np.int16) - np.asarray(found).astype(np.int16))
    same = apart.max() <= _OVERSHOT and (apart > _LEVELS).mean() <= _PIXELS
    return bool(same), 0.0 if same else int(apart.max() - _LEVELS) / 255
