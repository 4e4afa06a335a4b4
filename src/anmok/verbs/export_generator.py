"""Export of a generator: the same seeds must give the same pictures, read back from the disk, before it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from anmok.core.codes import Canvas, classes_of, codes_of
from anmok.core.errors import UsageError
from anmok.core.types import Prediction
from anmok.ship.artefact import Artefact, Manifest, read_artefact, write_artefact
from anmok.ship.gate import Parity, compare
from anmok.ship.generator_graph import generator_to_onnx
from anmok.ship.graph import to_openvino
from anmok.ship.painter import CODES, PICTURES, TASK, Painter
from anmok.tasks._shipping import ShippingSeeds
from anmok.verbs.settings import ExportSettings
from anmok.verbs.subject import Subject

SEEDS = 64  # compared
TRUNCATIONS = (1.0, 0.5)
_ADVICE = "report this with the network's name; until then, generate with the run itself"


def ship_generator(
    one: Subject, kind: ShippingSeeds, asked: ExportSettings, place: Path, origin: Mapping[str, Any]
) -> tuple[dict[str, Parity], Artefact]:
    """What the comparison found, and the generator that passed it, written to and read from `place`.

    Raises:
        ParityError: it draws other pictures.
        UsageError: int8 was asked for, or the generator cannot be expressed.
    """
    if asked.int8:
        raise UsageError("generators are shipped in float32", got="--int8", fix="leave it out")
    module, width = kind.graph(one.model)
    graph = generator_to_onnx(module, width)
    canvas: Canvas = one.model
    answers = {"latent": canvas.latent, "classes": list(canvas.classes)}
    manifest = Manifest(TASK, one.title, one.preparation, (PICTURES,), answers, origin=origin, takes=CODES)
    write_artefact(place, Artefact(manifest, to_openvino(graph) if asked.to == "openvino" else graph))
    shipped = read_artefact(place)
    found = compare(_drawn(canvas), _drawn(Painter(shipped)))
    found.demand("the shipped generator, asked for the same seeds,", _ADVICE)
    return {f"{SEEDS} seeds": found}, shipped


def _drawn(canvas: Canvas) -> Iterator[Prediction]:
    """The pictures of the first seeds at each truncation; of every class, where there are classes."""
    seeds = range(SEEDS)
    codes, labels = codes_of(seeds, canvas.latent), classes_of(seeds, canvas)
    if labels is not None:
        labels = np.arange(SEEDS) % len(canvas.classes)
    for share in TRUNCATIONS:
        for seed, picture in zip(seeds, canvas.draw(codes, labels, share), strict=True):
            yield Prediction(f"seed {seed}, truncation {share:g}", picture=picture)
