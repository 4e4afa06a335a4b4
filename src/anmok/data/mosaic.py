"""Which pictures a training batch shows, and where on its canvases: one each, or four of them put together."""

from __future__ import annotations

import numpy as np

from anmok.data.augment import Augment, taking_turns
from anmok.data.moving import Moves

CENTRE = (0.25, 0.75)  # of the side: where a mosaic's four pictures meet
SHRUNK = (0.5, 1.0)  # each of them is shown at this part of its size


def drawn(
    augment: Augment, chosen: np.ndarray, rows: np.ndarray, epoch: int, sides: tuple[int, int],
    generator: np.random.Generator,
) -> tuple[np.ndarray, Moves]:  # fmt: skip
    """How a batch is made of the pictures at `chosen`, positions (n,) in `rows`.

    Args:
        rows: all of the split's rows: a mosaic draws its other three from these, and rows tell who is mirrored.
        epoch: those mirrored take turns with it.
        sides: of the stored pictures and of the canvases, in pixels.

    Returns:
        Positions (m,) of the pictures to gather, the n chosen ones first, and the moves that make n canvases of them.
    """
    joined = np.flatnonzero(generator.random(len(chosen)) < augment.mosaic) if augment.mosaic else np.zeros(0, int)
    others = generator.integers(0, len(rows), 3 * len(joined))
    shown = np.concatenate([chosen, others])
    flipped = taking_turns(rows[shown], epoch) if augment.flip else np.zeros(len(shown), bool)
    moves = augment.moves(len(shown), *sides, generator, flipped)
    return shown, moves if not len(joined) else _joined(moves, len(chosen), joined, generator)


def _joined(moves: Moves, n: int, joined: np.ndarray, generator: np.random.Generator) -> Moves:
    """The canvases `joined` of `moves` shared by four pictures: their own and three of those after the first n."""
    size, count = moves.size, len(joined)
    centre = np.rint(generator.uniform(*CENTRE, (count, 2)) * size).astype(np.int64)
    shrunk = generator.uniform(*SHRUNK, (count, 4))
    sources = np.concatenate([joined[:, None], n + np.arange(3 * count).reshape(count, 3)], 1)
    sources = generator.permuted(sources, axis=1)  # (count, 4): upper left, upper right, lower left, lower right
    alone = np.setdiff1d(np.arange(n), joined)
    areas, looks = [moves.area[alone]], [moves.look[alone]]
    for corner in range(4):
        beyond = np.array([corner % 2, corner // 2], bool)  # right of the centre, below it
        areas.append(np.concatenate([np.where(beyond, centre, 0), np.where(beyond, size, centre)], 1))
        factor = shrunk[:, corner, None]
        start = np.where(beyond, centre, centre - factor * size)  # where the picture's view begins on the canvas
        look = moves.look[sources[:, corner]].copy()
        look[:, :, :2] /= factor[:, :, None]
        look[:, :, 2] -= (look[:, :, :2] @ start[:, :, None])[:, :, 0]
        looks.append(look)
    canvas = np.concatenate([alone, np.tile(joined, 4)])
    source = np.concatenate([alone, sources.T.ravel()])
    bend = None if moves.bend is None else moves.bend[:n]
    return Moves(n, size, canvas, source, np.concatenate(areas), np.concatenate(looks), bend)
