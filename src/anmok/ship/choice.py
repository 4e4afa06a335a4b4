"""Which engine answers fastest here, among those whose answers pass the gate: a short measurement, kept by the caller.

Engines and numbers are tried on the same pictures in turn, several rounds, the best round of each counting: what other
work on the machine costs falls on all alike. bf16 never answers alone but with float32 for its close calls
(`anmok.ship.careful`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from anmok.core.errors import AnmokError
from anmok.core.types import Prediction
from anmok.ship.answers import Asked
from anmok.ship.apart import EngineLostError
from anmok.ship.artefact import Artefact
from anmok.ship.careful import Careful
from anmok.ship.engines import ENGINES, Engine, Inputs, Outputs, installed, open_engine
from anmok.ship.gate import FLOAT32, Parity, compare
from anmok.ship.runtime import Model

SHARE = 0.995  # of decisions that must be the reference's where numbers are shorter
_ROUNDS = 3
_WORTH = 1.1  # how much faster shorter numbers must be: they need another process, and a decision in 200 may change
_HOPELESS = 1.5  # what took so much longer than the best is not tried again


@dataclass(frozen=True)
class Choice:
    """What was chosen, and why.

    Attributes:
        engine, precision: as `open_engine` takes them.
        slack: of `Careful`, for bf16; None: float32 alone.
        rates: pictures a second of everything tried whose answers passed, by label; network alone, without decoding.
        refused: what was tried and did not pass, with the figures.
        agreement: share of the pictures tried on with the reference's decision.
        largest: largest difference of a probability among them.
        pictures: how many these were.
        near: pictures are resized fast, and again by Pillow where the first two classes lie this close; None: as the
            preparation has it. As `slack`.
    """

    engine: str
    precision: str
    label: str
    slack: float | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    agreement: float = 1.0
    largest: float = 0.0
    pictures: int = 0
    near: float | None = None

    @property
    def sentence(self) -> str:
        """The choice in words."""
        fastest = sorted(self.rates.items(), key=lambda item: -item[1])
        tried = ", ".join(f"{label} {rate:.0f}" for label, rate in fastest)
        same = f"{self.agreement:.1%} of {self.pictures} decisions as in float32"
        resized = "" if self.near is None else "; resized fast, close calls again by Pillow"
        return (
            f"computed by {self.label}{resized} ({same}, probabilities within {self.largest:.2g}; pictures a second "
            f"when it was chosen, without decoding: {tried})"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Choice:
        """The inverse of `to_json`. Raises `TypeError` for anything else."""
        return cls(**values)


@dataclass(frozen=True)
class Contender:
    """One way to answer: `ask` gives predictions for the pictures tried on, `choice` says what it is."""

    choice: Choice
    ask: Callable[[], Sequence[Prediction]]


def engines_in_float32(artefact: Artefact, pixels: np.ndarray) -> list[Contender]:
    """Every engine that is installed and takes the graph.

    Args:
        pixels: uint8 (N, size, size, C), as the graph takes them.
    """
    ready = [(name, engine) for name in installed() if (engine := _ready(artefact, name, "float32")) is not None]
    return [_contender(artefact, pixels, engine, Choice(name, "float32", engine.label)) for name, engine in ready]


def careful_engine(artefact: Artefact, pixels: np.ndarray) -> list[Contender]:
    """OpenVINO in bf16, with float32 for its close calls, where processor, graph and task allow it; else nothing."""
    answers: Any = Model(artefact).answers
    if "openvino" not in installed() or not hasattr(answers, "slack"):
        return []
    fast = _ready(artefact, "openvino", "bf16")
    if fast is None:
        return []
    exact = open_engine(artefact.graph)
    questions = Model(artefact).questions(pixels)
    try:
        found = Model(artefact, fast).outputs(questions)
    except EngineLostError:
        return []
    slack = answers.slack(found, Model(artefact, exact).outputs(questions))
    engine = Careful(fast, exact, lambda outputs: answers.doubtful(outputs, slack))
    return [_contender(artefact, pixels, engine, Choice("openvino", "bf16", engine.label, slack))]


def _ready(artefact: Artefact, name: str, precision: str) -> Engine | None:
    try:
        return ENGINES[name](artefact.graph, precision)
    except (AnmokError, ImportError):  # it cannot: another graph, another processor, a broken installation
        return None


def _contender(artefact: Artefact, pixels: np.ndarray, engine: Engine, choice: Choice) -> Contender:
    model = Model(artefact, engine)
    names = [Asked(str(number), pixels.shape[1:3]) for number in range(len(pixels))]
    questions = model.questions(pixels)  # once: what they cost is the same whatever computes the graph
    return Contender(choice, lambda: list(model.answer_to(questions, names)))


def choose(found: Sequence[Contender]) -> Choice:
    """The fastest of those that answer as the first does; shorter numbers only where they are clearly faster.

    Args:
        found: the ways to answer, the reference first.
    """
    reference = found[0].ask()
    judged = {contender.choice.label: _judge(contender, reference) for contender in found}
    passed = [contender for contender in found if judged[contender.choice.label].holds] or [found[0]]
    seconds = {contender.choice.label: np.inf for contender in passed}
    for _ in range(_ROUNDS):
        for contender in passed:
            label = contender.choice.label
            if seconds[label] < np.inf and seconds[label] > _HOPELESS * min(seconds.values()):
                continue
            started = time.perf_counter()
            contender.ask()
            seconds[label] = min(seconds[label], time.perf_counter() - started)
    rates = {label: len(reference) / best for label, best in seconds.items()}
    winner = max(
        (contender.choice for contender in passed),
        key=lambda choice: rates[choice.label] / (1 if choice.precision == "float32" else _WORTH),
    )
    refused = {label: parity.sentence for label, parity in judged.items() if not parity.holds}
    parity = judged[winner.label]
    return replace(winner, rates=rates, refused=refused, agreement=parity.agreement, largest=parity.largest,
                   pictures=parity.pictures)  # fmt: skip


def _judge(contender: Contender, reference: Sequence[Prediction]) -> Parity:
    if contender.choice.precision == "float32":
        return compare(reference, contender.ask(), FLOAT32)
    maps = reference[0].mask is not None
    return compare(reference, contender.ask(), tolerance=1.0, share=SHARE, by_pixel=maps)


def chosen_model(artefact: Artefact, choice: Choice) -> Model:
    """A model that computes as was chosen; asked, it raises `AnmokError` where that is no longer possible here."""

    def make() -> Engine:
        if choice.slack is None:
            return open_engine(artefact.graph, choice.engine, choice.precision)
        return _careful(artefact, choice.slack)

    return Model(artefact, _Starting(make, choice.label))


class _Starting:
    """An `Engine` that is made ready in a thread: pictures are decoded meanwhile."""

    def __init__(self, make: Callable[[], Engine], label: str) -> None:
        threads = ThreadPoolExecutor(1, thread_name_prefix="anmok-engine-start")
        self._engine, self.label = threads.submit(make), label
        threads.shutdown(wait=False)

    def run(self, inputs: Inputs) -> Outputs:
        """See `anmok.ship.engines.Engine`."""
        return self._engine.result().run(inputs)


def _careful(artefact: Artefact, slack: float) -> Engine:
    answers: Any = Model(artefact).answers
    fast, exact = ENGINES["openvino"](artefact.graph, "bf16"), open_engine(artefact.graph)
    return Careful(fast, exact, lambda outputs: answers.doubtful(outputs, slack))
