"""A batch of pictures, some of which may not have decoded, and a prediction for each, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from anmok.core.errors import PictureError
from anmok.core.pictures import Decoded
from anmok.core.types import Prediction

Chunk = Sequence[tuple[str, Decoded | PictureError]]
Ask = Callable[[Sequence[str], Sequence[Decoded]], Iterable[Prediction]]  # names and pictures → a prediction each


def refused(name: str, found: PictureError) -> Prediction:
    """What is said of a picture that cannot be read."""
    return Prediction(name, error=found.brief)


def in_order(ask: Ask, chunk: Chunk) -> Iterator[Prediction]:
    """One prediction a picture: those that decoded are asked together, the others refused."""
    good = [(name, found) for name, found in chunk if isinstance(found, Decoded)]
    answers = iter(ask([name for name, _ in good], [found for _, found in good]) if good else ())
    for name, found in chunk:
        yield next(answers) if isinstance(found, Decoded) else refused(name, found)
