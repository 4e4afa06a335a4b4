"""Export in 8 bits: quantised on training pictures, judged on validation pictures, refused with the figures where it
costs more accuracy than allowed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from anmok.core.errors import DataError, ParityError, UsageError
from anmok.core.pictures import Decoded
from anmok.core.preparation import Preparation
from anmok.core.seen import Seen
from anmok.core.types import Dataset, Entry
from anmok.data.decoding import DecodingPool
from anmok.ship.answers import Asked
from anmok.ship.artefact import Artefact, Graph, read_artefact, write_artefact
from anmok.ship.quantise import Labelled, quantise
from anmok.ship.runtime import Model

_CALIBRATING, _JUDGING = 300, 2000  # pictures at most, evenly spread


@dataclass(frozen=True)
class Loss:
    """What 8 bits cost.

    Attributes:
        pictures: judged on, as the file answers them.
        before, after: share answered rightly in float32 and in 8 bits.
        labelled: whether right is what the labels say; else it is what float32 answers.
        max_loss: what was allowed.
        layers, kept: convolutions and products in all, and those left in float32.
    """

    pictures: int
    before: float
    after: float
    labelled: bool
    max_loss: float
    layers: int
    kept: int

    @property
    def holds(self) -> bool:
        """Whether the loss is allowed."""
        return self.after >= self.before - self.max_loss

    @property
    def sentence(self) -> str:
        """The loss in words."""
        right = "accuracy" if self.labelled else "answers as in float32"
        return (
            f"{right} {self.before:.1%} in float32, {self.after:.1%} in 8 bits on {self.pictures:,} pictures; "
            f"{self.kept} of {self.layers} layers in float32"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"sentence": self.sentence}


def in_int8(
    draft: Artefact,
    form: Callable[[Graph], Graph],
    calibrating: Dataset,
    judging: Dataset,
    max_loss: float,
    place: Path,
) -> tuple[Artefact, Loss]:
    """The model in 8 bits and what that cost, measured on the file at `place`.

    Args:
        draft: in float32, as ONNX, found to answer as the run does.
        form: puts an ONNX graph into the form that is to be shipped.
        calibrating: training pictures; where it is `judging`, every second one of these.
        judging: others, with or without labels.

    Raises:
        ParityError: it costs more than `max_loss`, a share of the pictures.
        UsageError: an answer is more than a class.
    """
    if draft.manifest.task != "classify":
        raise UsageError("8 bits are for classifiers so far", got=draft.manifest.task, fix="leave --int8 out")
    if calibrating is judging and len(judging.entries) > 1:  # the person's own pictures: none serves for both
        calibrating, judging = (replace(judging, entries=judging.entries[first::2]) for first in (0, 1))
    preparation = draft.manifest.preparation
    ranges, _ = _pixels(_spread(calibrating.entries, _CALIBRATING), calibrating, preparation)
    pixels, used = _pixels(_spread(judging.entries, _JUDGING), judging, preparation)
    expected = _labels(Model(draft), pixels)
    labelled = bool(judging.classes) and all(isinstance(entry.target, int) for entry in used)
    right = [judging.classes[entry.target] for entry in used] if labelled else expected
    classes = {name: number for number, name in enumerate(draft.manifest.answers["classes"])}
    targets = np.array([classes.get(name, -1) for name in right])
    found = quantise(draft.graph, ranges, Labelled(pixels, targets), max_loss)
    write_artefact(place, replace(draft, graph=form(found.graph), manifest=replace(draft.manifest, numbers="int8")))
    shipped = read_artefact(place)
    before, after = (np.mean([a == b for a, b in zip(labels, right, strict=True)])
                     for labels in (expected, _labels(Model(shipped), pixels)))  # fmt: skip
    loss = Loss(len(pixels), float(before), float(after), labelled, max_loss, found.layers, found.kept)
    if not loss.holds:
        raise ParityError("8 bits cost more accuracy than allowed", got=loss.sentence, allowed=f"{max_loss:.1%} less",
                          fix="leave --int8 out, or raise --max-loss")  # fmt: skip
    return shipped, loss


def _spread(entries: Sequence[Entry], most: int) -> Sequence[Entry]:
    """Some entries from all over."""
    places = np.unique(np.linspace(0, len(entries) - 1, min(most, len(entries))).round().astype(int))
    return [entries[place] for place in places]


def _pixels(entries: Sequence[Entry], dataset: Dataset, preparation: Preparation) -> tuple[np.ndarray, list[Entry]]:
    """Pictures as the network sees them, uint8 (N, S, S, C), and their entries; without those that cannot be read."""
    with DecodingPool(dataset.pictures, Seen(preparation)) as pool:
        decoded = zip(entries, pool.map([entry.locator for entry in entries]), strict=True)
        found = [(entry, picture.pixels) for entry, picture in decoded if isinstance(picture, Decoded)]
    if not found:
        raise DataError("there is no picture to measure 8 bits on", path=dataset.root)
    return np.stack([pixels for _, pixels in found]), [entry for entry, _ in found]


def _labels(model: Model, pixels: np.ndarray) -> list[str]:
    """The first label of each picture."""
    found: list[str] = []
    for start in range(0, len(pixels), 64):
        part = pixels[start : start + 64]
        answers = model.answer(part, [Asked("", part.shape[1:3])] * len(part), 1)
        found += [answer.labels[0] for answer in answers if answer.labels]
    return found
