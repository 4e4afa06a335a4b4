"""Pictures as files: a name for each that no other has, and each written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from anmok.core.files import whole_file
from anmok.core.types import Prediction


class FileNames:
    """A file name for every picture: its own without the ending; with its folder's or a number where two are alike."""

    def __init__(self) -> None:
        self.given: set[str] = set()

    def __call__(self, picture: str) -> str:
        """The name for a picture's id."""
        path = Path(picture)
        stem = path.name.replace(":", "-") if ":" in path.name else path.stem  # rows of a table have no ending
        wished = [stem, f"{path.parent.name}-{stem}", *(f"{stem}-{number}" for number in range(2, len(self.given) + 3))]
        # File systems that do not tell capitals apart must not lose one of two.
        name = next(name for name in wished if name.lower() not in self.given)
        self.given.add(name.lower())
        return name


def save_picture(path: Path, picture: np.ndarray | Image.Image, **options: Any) -> None:
    """Write pixels uint8 (H, W, C) or a Pillow picture; its kind follows from the ending.

    Raises:
        UnwrittenError: the file cannot be written.
    """
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        picture.save(file, format=Image.registered_extensions()[path.suffix.lower()], **options)


def save_answers(folder: Path, answers: Iterable[Prediction]) -> None:
    """Write every answered picture (PNG), named as the one it answers.

    Raises:
        UnwrittenError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = FileNames()
    for answer in answers:
        if answer.picture is not None:
            save_picture(folder / f"{names(answer.id)}.png", answer.picture)
