"""The shipped model: what is in the file, and reading and writing it.

`manifest.json` says what a runtime must know, `README.md` what a person should. The graph takes decoded pictures,
uint8 (N, S, S, C), and normalises them itself; its outputs are named. What becomes of them is the task's
(`anmok.ship.answers`). Adding a task changes nothing here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anmok.core.errors import ArtefactError, UsageError
from anmok.core.pictures import RULES
from anmok.core.preparation import Preparation
from anmok.ship.container import CARD, IR_GRAPH, IR_WEIGHTS, MANIFEST, ONNX_GRAPH, seal, unseal
from anmok.ship.hostile import check_ir, check_onnx

FORMAT = 1
INPUT = "pictures"  # the graph's input, or the first of them
DECODING = (
    "orientation by EXIF; sRGB by ICC profile, grey stays grey; transparency on white; 16 bits by the full range; "
    "first frame; large JPEGs at a half, quarter or eighth of their size"
)


@dataclass(frozen=True)
class Graph:
    """The computation: an ONNX model, or an OpenVINO graph with its weights."""

    onnx: bytes | None = None
    xml: bytes | None = None
    weights: bytes | None = None

    @property
    def kind(self) -> str:
        """`onnx` or `openvino`."""
        return "onnx" if self.onnx is not None else "openvino"

    def members(self) -> dict[str, bytes]:
        """The files it is made of."""
        parts = {ONNX_GRAPH: self.onnx, IR_GRAPH: self.xml, IR_WEIGHTS: self.weights}
        return {name: content for name, content in parts.items() if content is not None}

    def check(self, path: Path | None = None) -> None:
        """Raise `ArtefactError` where the graph is none, or reaches outside itself."""
        if self.onnx is not None and self.xml is None and self.weights is None:
            check_onnx(self.onnx, path)
        elif self.onnx is None and self.xml is not None and self.weights is not None:
            check_ir(self.xml, self.weights, path)
        else:
            raise ArtefactError("the model holds no graph, or two", path=path, got=", ".join(self.members()) or "none",
                                allowed=f"{ONNX_GRAPH}, or {IR_GRAPH} with {IR_WEIGHTS}")  # fmt: skip


@dataclass(frozen=True)
class Manifest:
    """Everything about a shipped model but its graph.

    Args:
        task: whose answers these are, as in `anmok.ship.answers`.
        title: what the model is called.
        preparation: what pictures go through; `mean` and `std` are applied inside the graph.
        outputs: names of the graph's outputs.
        answers: what the task makes answers with: classes, temperature, threshold …
        numbers: of the graph: `float32` or `int8`.
        parity: what was compared before the file was written, and how close it came.
        origin: run, versions, machine, time.
        rules: version of `anmok.core.pictures` that decoded for the comparison.
        takes: the graph's input: decoded pictures, or the codes that a generator draws from.
        further: its inputs beside that, which the task makes of the pictures.
    """

    task: str
    title: str
    preparation: Preparation
    outputs: tuple[str, ...]
    answers: Mapping[str, Any]
    numbers: str = "float32"
    parity: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    rules: int = RULES
    takes: str = INPUT
    further: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("answers", "parity", "origin"):  # plain values only, as the file will hold them
            object.__setattr__(self, name, json.loads(json.dumps(dict(getattr(self, name)), allow_nan=False)))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of all that the graph takes."""
        return self.takes, *self.further

    def to_json(self) -> dict[str, Any]:
        """Plain values, as the file stores them."""
        graph = {"input": self.takes, "further": list(self.further), "outputs": list(self.outputs)}
        return {
            "format": FORMAT,
            "task": self.task,
            "title": self.title,
            "decoding": {"rules": self.rules, "in_words": DECODING},
            "preparation": self.preparation.to_json(),
            "graph": graph | {"numbers": self.numbers},
            "answers": dict(self.answers),
            "parity": dict(self.parity),
            "origin": dict(self.origin),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Manifest:
        """The inverse of `to_json`. Raises `KeyError`, `TypeError` or `ValueError` for anything else."""
        graph, decoding = values["graph"], values["decoding"]
        return cls(
            task=str(values["task"]),
            title=str(values["title"]),
            preparation=Preparation.from_json(values["preparation"]),
            outputs=tuple(map(str, graph["outputs"])),
            answers=dict(values["answers"]),
            numbers=str(graph["numbers"]),
            parity=dict(values["parity"]),
            origin=dict(values["origin"]),
            rules=int(decoding["rules"]),
            takes=str(graph.get("input", INPUT)),
            further=tuple(map(str, graph.get("further", ()))),
        )


@dataclass(frozen=True)
class Artefact:
    """A shipped model in memory. `card`: Markdown for people. `sha256`: of the file's seal, once it has one."""

    manifest: Manifest
    graph: Graph
    card: str = ""
    sha256: str = ""


def write_artefact(path: Path, artefact: Artefact) -> str:
    """Write the file, whole or not at all, and return its SHA-256.

    Raises:
        ArtefactError: the graph may not be shipped.
        UnwrittenError: the disk refused.
    """
    artefact.graph.check(path)
    manifest = json.dumps(artefact.manifest.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
    texts = {MANIFEST: manifest.encode(), CARD: artefact.card.encode()}
    return seal(path, texts | artefact.graph.members())


def read_artefact(path: str | Path) -> Artefact:
    """A shipped model, every byte checked.

    Raises:
        ArtefactError: missing, foreign, damaged, hostile, or made by a newer version.
    """
    path = Path(path)
    members, digest = unseal(path)
    if MANIFEST not in members:
        raise ArtefactError(f"the model holds no {MANIFEST}", path=path)
    manifest = _manifest(members[MANIFEST], path)
    graph = Graph(members.get(ONNX_GRAPH), members.get(IR_GRAPH), members.get(IR_WEIGHTS))
    graph.check(path)
    return Artefact(manifest, graph, members.get(CARD, b"").decode("utf-8", "replace"), digest)


def _manifest(text: bytes, path: Path) -> Manifest:
    try:
        values = json.loads(text)
        newer = max(int(values["format"]) - FORMAT, int(values["decoding"]["rules"]) - RULES)
        if newer <= 0:
            return Manifest.from_json(values)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, UsageError) as error:
        what = f"the model's manifest is incomplete or malformed ({type(error).__name__}: {error})"
        raise ArtefactError(what, path=path, fix="export the run again") from error
    raise ArtefactError("this model was made by a newer anmok", path=path, got=f"format {values['format']}",
                        allowed=f"up to format {FORMAT}", fix="pip install -U anmok")  # fmt: skip
