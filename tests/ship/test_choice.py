"""What is fast must also be right: engines that answer otherwise are refused, close calls are asked again."""

from dataclasses import replace

import numpy as np
import pytest

from anmok.core.types import Prediction
from anmok.ship.answers.classify import ClassAnswers, softmax
from anmok.ship.artefact import INPUT
from anmok.ship.careful import Careful
from anmok.ship.choice import Choice, Contender, careful_engine, choose, chosen_model, engines_in_float32
from anmok.ship.runtime import Model

SETTINGS = {"classes": ("ant", "bee", "cat"), "temperature": 1.0, "threshold": None}


class Fake:
    """An engine that looks its logits up by a picture's first pixel."""

    def __init__(self, logits, label):
        self.logits, self.label, self.asked = np.array(logits, np.float32), label, 0

    def run(self, inputs):
        pictures = inputs[INPUT]
        self.asked += len(pictures)
        return {"logits": self.logits[pictures[:, 0, 0, 0]]}


def numbered(count):
    pictures = np.zeros((count, 2, 2, 1), np.uint8)
    pictures[:, 0, 0, 0] = range(count)
    return pictures


def test_only_close_calls_are_asked_again():
    exact = Fake([[3, 0, 0], [1.0, 1.1, 0], [0, 0, 4], [0.2, 0, 0.1]], "exact")
    fast = Fake([[3.1, 0, 0], [1.1, 1.0, 0], [0, 0.1, 4], [0.1, 0, 0.2]], "fast")  # wrong about the second and fourth
    answers = ClassAnswers(SETTINGS)
    careful = Careful(fast, exact, lambda outputs: answers.doubtful(outputs, 0.3))
    found = careful.run({INPUT: numbered(4)})["logits"]
    assert exact.asked == 2
    assert np.array_equal(found[[1, 3]], exact.logits[[1, 3]]) and np.array_equal(found[[0, 2]], fast.logits[[0, 2]])
    assert np.array_equal(found.argmax(1), exact.logits.argmax(1))
    exact.asked = 0
    careful.run({INPUT: numbered(4)[[0, 2]]})
    assert exact.asked == 0


def test_being_sure_is_a_close_call_too():
    answers = ClassAnswers({**SETTINGS, "threshold": 0.8, "temperature": 2.0})
    logits = np.array([[6.0, 0, 0], [4.2, 0, 0], [3.0, 0, 0]])
    assert softmax(logits / 2).max(1).tolist() == pytest.approx([0.909, 0.803, 0.691], abs=1e-3)
    assert answers.doubtful({"logits": logits}, 0.5).tolist() == [False, True, False]
    assert ClassAnswers(SETTINGS).doubtful({"logits": logits}, 0.5).tolist() == [False] * 3


def test_no_decision_changes_within_the_slack():
    """Whatever error up to the slack is added, answers not in doubt keep their class and their being sure."""
    rng = np.random.default_rng(0)
    answers = ClassAnswers({**SETTINGS, "threshold": 0.6, "temperature": 1.3})
    logits = rng.normal(0, 1.5, (4000, 3))
    moved = logits + rng.uniform(-0.2, 0.2, logits.shape)  # differences are off by 0.4 at most
    clear = ~answers.doubtful({"logits": moved}, 0.4)
    before, after = (softmax(values / 1.3) for values in (logits, moved))
    assert 0.4 < clear.mean() < 0.9
    assert np.array_equal(before.argmax(1)[clear], after.argmax(1)[clear])
    assert np.array_equal((before.max(1) >= 0.6)[clear], (after.max(1) >= 0.6)[clear])
    assert not np.array_equal(before.argmax(1), after.argmax(1))


def test_the_slack_follows_the_deviation_of_the_first_twos_difference():
    exact = {"logits": np.array([[4.0, 1.0, 0.0], [0.0, 2.0, 1.0]])}
    fast = {"logits": exact["logits"] + [[0.1, -0.1, 0.7], [5.0, 5.0, 5.0]]}  # moving all alike changes nothing
    assert ClassAnswers(SETTINGS).slack(fast, exact) == pytest.approx(2 * (0.2**2 / 2) ** 0.5)
    assert ClassAnswers(SETTINGS).slack({"logits": np.ones((4, 1))}, {"logits": np.zeros((4, 1))}) == 0


def test_decisions_seen_to_be_others_lie_within_the_slack():
    exact = np.random.default_rng(0).normal(0, 1.5, (500, 5))
    fast = exact + 0.01 * np.random.default_rng(1).normal(size=exact.shape)
    fast[7] = exact[7] + [3.0, 0, 0, 0, -3.0]  # far off, once
    other = fast.argmax(1) != exact.argmax(1)
    answers = ClassAnswers(SETTINGS)
    doubtful = answers.doubtful({"logits": fast}, answers.slack({"logits": fast}, {"logits": exact}))
    assert other[7] and doubtful[other].all() and not doubtful.all()


class Clock:
    """Time that passes only where somebody says so."""

    now = 0.0

    def perf_counter(self):
        return self.now

    def contender(self, label, labels, seconds, precision="float32"):
        def ask():
            self.now += seconds
            return [Prediction(str(n), (name, "other"), (0.9, 0.1)) for n, name in enumerate(labels)]

        return Contender(Choice(label, precision, label), ask)


def test_the_fastest_of_those_that_answer_alike(monkeypatch):
    from anmok.ship import choice

    clock = Clock()
    monkeypatch.setattr(choice, "time", clock)
    contender = clock.contender
    right, wrong = ["other2"] * 400, ["other3"] * 400
    mostly = [*right[:-1], "other3"]
    found = choose([
        contender("reference", right, 0.02), contender("liar", wrong, 0.0), contender("quick", right, 0.005),
        contender("short", mostly, 0.001, "bf16"), contender("shorter", wrong, 0.0, "bf16"),
    ])  # fmt: skip
    assert found.engine == "short" and found.agreement == pytest.approx(399 / 400) and found.pictures == 400
    assert set(found.refused) == {"liar", "shorter"}
    assert found.rates == pytest.approx({"reference": 400 / 0.02, "quick": 400 / 0.005, "short": 400 / 0.001})
    assert Choice.from_json(found.to_json()) == found
    assert "99.8% of 400" in found.sentence
    assert choose([contender("reference", right, 0.01), contender("liar", wrong, 0.0)]).engine == "reference"


@pytest.mark.parametrize(("seconds", "engine"), [(0.0095, "exact"), (0.0088, "short")])
def test_shorter_numbers_must_be_clearly_faster(monkeypatch, seconds, engine):
    from anmok.ship import choice

    clock = Clock()
    monkeypatch.setattr(choice, "time", clock)
    found = [clock.contender("exact", ["a"] * 9, 0.01), clock.contender("short", ["a"] * 9, seconds, "bf16")]
    assert choose(found).engine == engine


def test_real_engines_pass_and_can_be_opened_again(artefact):
    pytest.importorskip("openvino")
    pixels = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), dtype=np.uint8)
    found = [*engines_in_float32(artefact, pixels), *careful_engine(artefact, pixels)]
    chosen = choose(found)
    assert not chosen.refused and set(chosen.rates) == {contender.choice.label for contender in found}
    for contender in found:
        again = chosen_model(artefact, contender.choice)
        assert again.engine.label == contender.choice.label
        expected = Model(artefact).answer(pixels, [*map(_named, range(9))])
        assert [a.labels[0] for a in contender.ask()] == [a.labels[0] for a in expected]


def _named(number):
    from anmok.ship.answers import Asked

    return Asked(str(number), (32, 32))


def test_a_wrong_engine_is_refused(artefact, monkeypatch):
    from anmok.ship import choice, engines

    class Liar:
        label = "liar"

        def __init__(self, *_):
            self.engine = engines.onnxruntime_engine(artefact.graph)

        def run(self, inputs):
            return self.engine.run({INPUT: 255 - inputs[INPUT]})

    real = choice.ENGINES["onnxruntime"]
    monkeypatch.setattr(choice, "ENGINES", {"onnxruntime": real, "openvino": Liar})
    monkeypatch.setattr(choice, "installed", lambda: ["onnxruntime", "openvino"])
    pixels = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), dtype=np.uint8)
    pixels[:15] //= 8  # dark: inverted they are bright
    chosen = choose(engines_in_float32(artefact, pixels))
    assert chosen.engine == "onnxruntime" and "liar" in chosen.refused


def test_an_artefact_that_one_engine_cannot_read_is_left_to_the_other(artefact, monkeypatch):
    from anmok.ship.graph import to_openvino

    pytest.importorskip("openvino")
    graph = replace(artefact, graph=to_openvino(artefact.graph))
    pixels = np.zeros((2, 32, 32, 3), np.uint8)
    assert [contender.choice.engine for contender in engines_in_float32(graph, pixels)] == ["openvino"]
