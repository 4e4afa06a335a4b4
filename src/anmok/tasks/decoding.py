"""Every picture decoded once, as tasks do whose pictures carry no class: reconstruct, generate, translate."""

from __future__ import annotations

from anmok.core.preparation import Preparation
from anmok.core.types import Dataset
from anmok.data.prepare_pictures import PreparedPictures, prepare_pictures
from anmok.tasks._kind import Voice


def decode(dataset: Dataset, preparation: Preparation, voice: Voice | None = None) -> PreparedPictures:
    """Every picture, and its partner where it has one, decoded once into the cache."""
    if voice is None:
        return prepare_pictures(dataset, preparation)
    with voice.bar("decoding") as on_progress:
        return prepare_pictures(dataset, preparation, on_progress=on_progress)
