"""Class maps of whole pictures in their own size, however large they are, as torch computes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from anmok.core.classmaps import Mapper
from anmok.core.errors import PictureError
from anmok.core.preparation import centre_crop, fit_picture
from anmok.core.types import Pictures
from anmok.data import whole_pictures as whole
from anmok.tasks.segment.learning import Segment


class Mapped(NamedTuple):
    """One picture's answer: `position` in the list, its pixels uint8 (H, W, C) and its class map uint8 (H, W).

    `inside`: bool (H, W), where no seam between objects was answered; None where none were learned. `error`: why there
    is no answer.
    """

    position: int
    pixels: np.ndarray | None = None
    mask: np.ndarray | None = None
    inside: np.ndarray | None = None
    error: PictureError | None = None


def class_maps(model: Segment, pictures: Pictures, locators: Sequence[str | int], batch: int) -> Iterator[Mapped]:
    """The answers to pictures, in order, in bounded memory. Decoding goes on in other processes meanwhile."""
    model.network.eval()
    pending: list[tuple[int, np.ndarray]] = []
    for position, pixels in whole.whole_pictures(pictures, locators):
        if isinstance(pixels, PictureError):
            yield from _fitted(model, pending)
            pending = []
            yield Mapped(position, error=pixels)
        elif model.preparation.fit == "window":
            mapped = [Mapped(position, pixels, *mapper(model).tiled(pixels, batch))]
            del pixels  # whoever has the answer decides how long a large picture stays
            yield mapped.pop()
        else:
            pending.append((position, pixels))
            if len(pending) == batch or pixels.shape[0] * pixels.shape[1] > whole.LARGE:
                yield from _fitted(model, pending)
                pending = []
    yield from _fitted(model, pending)


def mapper(model: Segment) -> Mapper:
    """The model as what maps whole pictures asks."""

    def ask(squares: np.ndarray) -> np.ndarray:
        pictures = torch.from_numpy(np.ascontiguousarray(squares)).permute(0, 3, 1, 2)
        return model.probabilities(pictures).cpu().numpy()

    return Mapper(ask, model.preparation, len(model.classes), model.seams)


def _fitted(model: Segment, pending: Sequence[tuple[int, np.ndarray]]) -> Iterator[Mapped]:
    """Pictures that the network sees whole, all at once."""
    if not pending:
        return
    stored = np.stack([fit_picture(pixels, model.preparation) for _, pixels in pending])
    seen, sizes = centre_crop(stored, model.preparation.size), [pixels.shape[:2] for _, pixels in pending]
    for (position, pixels), found in zip(pending, mapper(model).fitted(seen, sizes), strict=True):  # type: ignore[arg-type]
        yield Mapped(position, pixels, *found)
