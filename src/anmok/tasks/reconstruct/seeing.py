"""The space of codes as pictures: for the page of a run, and for `anmok inspect RUN --codes`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anmok.core.errors import DataError
from anmok.data.prepare_pictures import PreparedPictures
from anmok.tasks.reconstruct import latent
from anmok.tasks.reconstruct.latent import Codes
from anmok.tasks.reconstruct.learning import Reconstruct
from anmok.tasks.reconstruct.looking import codes_of
from anmok.tasks.segment.colours import palette

FEWEST = 8  # pictures below which codes are not looked at
SHOWN = 64  # pixels a picture has at least in a file
ENDS = 4  # pictures that walks begin and end at, and whose neighbours are shown


@dataclass(frozen=True)
class View:
    """One picture of the space: `kind` names the file and the row, `note` says what is seen. uint8 (h, w, 1 or 3)."""

    kind: str
    picture: np.ndarray
    note: str


def views(
    model: Reconstruct, codes: Codes, classes: Sequence[str], walk: tuple[int, int] | None = None
) -> Iterator[View]:
    """Maps, walks, directions and neighbours.

    Args:
        model: whose codes they are.
        codes: of some pictures.
        classes: of the pictures, where they have some.
        walk: from and to which of `codes`; None: between a few that are unlike each other.
    """
    yield _flat_map(codes, colours_of(classes))
    ends = far_apart(codes, ENDS)
    for start, end in [walk] if walk else zip(ends[::2], ends[1::2], strict=False):
        walked = [codes.pictures[start], *latent.walk(model, codes, start, end), codes.pictures[end]]
        note = "from one picture's code to another's in equal steps; first and last the pictures themselves"
        yield View("walk", latent.strip(walked), note)
    for number, pictures in enumerate(latent.directions(model, codes)):
        note = f"the mean code moved along direction {number + 1}, from −{latent.REACH} to {latent.REACH} deviations"
        yield View(f"direction-{number + 1}", latent.strip(pictures), note)
    for place, near in zip(ends, latent.neighbours(codes, ends), strict=True):
        pictures = [codes.pictures[place], *(codes.pictures[row] for row in near)]
        yield View("neighbours", latent.strip(pictures), "a picture and those whose codes lie nearest")


def second_map(codes: Codes, classes: Sequence[str], by: str) -> View:
    """The map that takes seconds. `by`: see `latent.unrolled`."""
    note = f"{by}: neighbours stay neighbours, distances between groups say little"
    return View(f"map-{by}", latent.draw_map(codes, latent.unrolled(codes, by), colours_of(classes)), note)


def space(
    model: Reconstruct, decoded: PreparedPictures, split: str | None, walk: Sequence[np.ndarray] | None, by: str
) -> dict[str, np.ndarray]:
    """Everything there is to see, by name: uint8 (h, w, 1 or 3), small pictures magnified.

    Raises:
        DataError: there are too few pictures.
        UsageError: the second map cannot be drawn `by` this.
    """
    if by == "umap":
        latent.umap_is_here()
    codes, classes = codes_of(model, decoded, split), decoded.dataset.classes
    if len(codes.codes) < FEWEST:
        raise DataError("too few pictures to look at their codes", got=len(codes.codes), allowed=f"{FEWEST} or more")
    ends = None
    if walk is not None:
        codes = latent.with_more(model, codes, np.stack(list(walk)))
        ends = len(codes.codes) - 2, len(codes.codes) - 1
    seen = [*views(model, codes, classes, ends), second_map(codes, classes, by)]
    new = drawn(model)
    rows: dict[str, list[np.ndarray]] = {}
    for view in [*seen, *([new] if new else [])]:
        rows.setdefault("directions" if view.kind.startswith("direction") else view.kind, []).append(view.picture)
    times = max(1, SHOWN // model.preparation.size)
    return {
        kind: pictures[0] if kind.startswith("map") else np.concatenate(pictures).repeat(times, 0).repeat(times, 1)
        for kind, pictures in rows.items()
    }


def drawn(model: Reconstruct) -> View | None:
    """What a VAE makes of codes that no picture has; of two numbers, the whole plane; of other networks nothing."""
    if not model.variational:
        return None
    whole = model.network.latent == 2
    note = "the plane of codes in order: the manifold" if whole else "codes drawn from N(0, 1), decoded; seed 0"
    return View("draws", latent.draws(model), note)


def colours_of(classes: Sequence[str]) -> np.ndarray | None:
    """A colour a class, uint8 (classes, 3); None where there are none, or too many to tell apart."""
    return palette()[1 : len(classes) + 1] if 1 < len(classes) <= 20 else None  # the first is black


def legend(classes: Sequence[str]) -> Mapping[str, tuple[int, int, int]]:
    """What the colours of frames stand for."""
    colours = colours_of(classes)
    return {} if colours is None else {name: _rgb(colours[k]) for k, name in enumerate(classes)}


def far_apart(codes: Codes, count: int) -> list[int]:
    """Pictures whose codes are unlike each other: each next is the farthest from those chosen."""
    chosen = [0]
    apart = np.square(codes.codes - codes.codes[0]).sum(1)
    # The very farthest are oddities: stop at the ninth decile.
    while len(chosen) < min(count, len(codes.codes)):
        chosen.append(int(np.argsort(apart, kind="stable")[int(0.9 * (len(apart) - 1))]))
        apart = np.minimum(apart, np.square(codes.codes - codes.codes[chosen[-1]]).sum(1))
    return chosen


def _flat_map(codes: Codes, colours: np.ndarray | None) -> View:
    places, shares = latent.mapped(codes)
    note = (
        f"{len(codes.pictures):,} pictures on the plane of the codes' two widest directions, which hold "
        f"{shares[0]:.0%} and {shares[1]:.0%} of their spread; where several fall together, one is shown"
    )
    return View("map", latent.draw_map(codes, places, colours), note)


def _rgb(colour: Sequence[int]) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in colour)
    return red, green, blue
