"""Which augmentation keeps a picture's class, measured on the data: streets survive a mirror, letters do not.

Held-out pictures are asked about as they are and moved, each time by their nearest neighbours among unmoved pictures:
where a moved picture finds its own class nearly as often, moving it in training tells no lies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anmok.core.seeds import numpy_generator
from anmok.data.augment import Augment
from anmok.data.pixel_sources import in_parts
from anmok.metrics.proportion import Interval, share

SIDE = 14  # pixels: enough to tell a 6 from its mirror image
KNOWN, ASKED, NEIGHBOURS = 4000, 1000, 5
KNOWS = 0.5  # of what could be known beyond naming the commonest class: less, and the neighbours are not believed
KEEPS = 0.6  # share of what is known of pictures as they are that must still be known of moved ones
Vectors = Callable[[np.ndarray], np.ndarray]
Move = Callable[[np.ndarray, int], np.ndarray]
"""(pictures uint8 (n, S, S, C), which part of all pictures they are) → the same pictures, moved."""


def _as_they_are(pixels: np.ndarray, part: int) -> np.ndarray:
    return pixels


def _mirrored(pixels: np.ndarray, part: int) -> np.ndarray:
    return np.ascontiguousarray(pixels[:, :, ::-1])


def _augmented(augment: Augment) -> Move:
    def moved(pixels: np.ndarray, part: int) -> np.ndarray:
        generator = numpy_generator(0, "invariance", part)
        return augment(pixels, pixels.shape[1], generator, part, np.arange(len(pixels)))[0]

    return moved


MOVES: dict[str, tuple[str, Move]] = {
    "mirrored": ("--flip", _mirrored),
    "turned by up to 15°": ("--rotate 15", _augmented(Augment(rotate=15))),
    "turned by up to 90°": ("--rotate 90", _augmented(Augment(rotate=90))),
    "moved by up to a tenth": ("--shift 0.1", _augmented(Augment(shift=0.1))),
    "cut to 80 % or more": ("--crop 0.8", _augmented(Augment(crop=0.8))),
    "in other colours": ("--colour 0.3", _augmented(Augment(colour=0.3))),
}


@dataclass(frozen=True)
class Invariance:
    """What one move does to the answers: the share of right ones for pictures as they are, and moved.

    `flag` is what asks `anmok train` for it; `chance`: the share of right answers of always naming the commonest class.
    """

    move: str
    flag: str
    plain: Interval
    moved: Interval
    chance: float

    @property
    def knows(self) -> bool:
        """Whether the neighbours know the classes well enough to say; of photographs' pixels they do not."""
        return self.plain.value - self.chance >= KNOWS * (1 - self.chance) > 0

    @property
    def keeps(self) -> bool:
        """Whether moving pictures so in training keeps their class; taken to be so where nothing can be said."""
        return not self.knows or self.moved.value - self.chance >= KEEPS * (self.plain.value - self.chance)

    @property
    def verdict(self) -> str:
        """The finding in words."""
        figures = f"{self.plain.value:.0%} right as they are, {self.moved.value:.0%} {self.move}"
        if not self.knows:
            return f"pictures {self.move}: nearest neighbours know too little to say ({figures})"
        return f"pictures {self.move} {'keep' if self.keeps else 'do not keep'} their class (neighbours: {figures})"

    @property
    def advice(self) -> str:
        """The finding, and the flag that asks for it where it may be asked for."""
        figures = f"neighbours right on {self.plain.value:.0%} as they are, on {self.moved.value:.0%} so"
        if not self.knows:
            return f"pictures {self.move}: cannot be told ({figures})"
        verdict = f"keep their class: {self.flag}" if self.keeps else "do not keep their class"
        return f"pictures {self.move} {verdict} ({figures})"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "knows": self.knows, "keeps": self.keeps, "advice": self.advice}


def measure_invariance(
    gather: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, targets: np.ndarray,
    vectors: Vectors | None = None, moves: Iterable[str] = MOVES,
) -> list[Invariance]:  # fmt: skip
    """Ask nearest neighbours among labelled pictures about others, unmoved and moved.

    Args:
        gather: rows → pictures uint8 (n, S, S, C).
        rows: labelled pictures.
        targets: their class ids.
        vectors: pictures → what is compared, (n, D); None: small grey pictures. A network's features know photographs.
        moves: names in `MOVES`.
    """
    vectors = vectors or grey
    step = max(1, len(rows) // (KNOWN + ASKED))
    chosen = np.arange(len(rows))[::step][: KNOWN + ASKED]
    asked = np.zeros(len(chosen), bool)
    asked[:: max(2, (KNOWN + ASKED) // ASKED)] = True
    classes, truth = targets[chosen[~asked]], targets[chosen[asked]]
    if not len(classes) or not len(truth):
        return []
    known = _seen(gather, rows[chosen[~asked]], vectors, {"": _as_they_are})[""]
    wanted = {move: MOVES[move][1] for move in moves}
    seen = _seen(gather, rows[chosen[asked]], vectors, {"": _as_they_are, **wanted})
    right = {move: share(_right(those, known, classes, truth), len(truth)) for move, those in seen.items()}
    chance = float(np.bincount(targets[chosen]).max() / len(chosen))
    return [Invariance(move, MOVES[move][0], right[""], right[move], chance) for move in wanted]


def grey(pixels: np.ndarray) -> np.ndarray:
    """Grey pictures (n, side, side) of at least `SIDE` pixels, by averaging blocks; smaller ones stay as they are."""
    block = max(1, pixels.shape[1] // SIDE)
    side = pixels.shape[1] // block
    means = np.empty((len(pixels), side, side), np.float32)
    # Picture by picture and rows first, whole numbers stay in the processor's cache: a quarter of the time.
    for picture, small in zip(pixels[:, : side * block, : side * block], means, strict=True):
        rows = picture.reshape(side, block, -1).sum(1, dtype=np.uint32)
        small[:] = rows.reshape(side, side, -1).sum(2)
    return means / np.float32(block * block * pixels.shape[3])


def _seen(
    gather: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, vectors: Vectors, moves: Mapping[str, Move]
) -> dict[str, np.ndarray]:
    """What is compared of pictures after each move, (n, D): in parts, since photographs are large."""
    parts: dict[str, list[np.ndarray]] = {move: [] for move in moves}
    for part, (_, pixels) in enumerate(in_parts(gather, rows)):
        for move, changed in moves.items():
            parts[move].append(vectors(changed(pixels, part)))
    return {move: _unit(np.concatenate(found)) for move, found in parts.items()}


def _right(asked: np.ndarray, known: np.ndarray, classes: np.ndarray, truth: np.ndarray) -> int:
    k = min(NEIGHBOURS, len(known))
    nearest = np.argpartition(-(asked @ known.T), k - 1, axis=1)[:, :k]
    votes = np.zeros((len(asked), int(max(classes.max(), truth.max())) + 1), np.int64)
    np.add.at(votes, (np.arange(len(asked))[:, None], classes[nearest]), 1)
    return int((votes.argmax(1) == truth).sum())


def _unit(vectors: np.ndarray) -> np.ndarray:
    flat = vectors.reshape(len(vectors), -1).astype(np.float32)
    flat = flat - flat.mean(1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
