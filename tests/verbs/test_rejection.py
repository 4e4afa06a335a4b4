"""When a run says "I don't know": chosen on validation, kept in the card, used by predict; and on unseen classes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

import anmok
from anmok.cli import run as command
from anmok.core.errors import DataError, UsageError
from anmok.metrics.summary import summarise
from anmok.tasks.classify.measuring import Measured
from anmok.tasks.classify.rejection import choose_rejection, rejection_row, unseen_row
from tests.verbs.photographs import write_photographs


def answers(certain: list[float], right: list[bool]) -> Measured:
    """Two classes; class 0 is always answered, with this certainty."""
    scores = np.array([[value, 1 - value] for value in certain])
    targets = np.array([0 if hit else 1 for hit in right])
    names, rows = [f"{n}" for n in range(len(right))], np.arange(len(right))
    return Measured("val", names, rows, np.log(scores), targets, summarise(targets, scores, ["a", "b"], resamples=20))


CERTAIN = [0.99] * 200 + [0.7] * 50
RIGHT = [True] * 200 + [True, False] * 25


def test_a_wish_for_accuracy_gives_up_the_doubtful_pictures() -> None:
    chosen = choose_rejection(answers(CERTAIN, RIGHT), accuracy=0.97)
    assert chosen.reached and chosen.threshold == pytest.approx(0.989)
    assert (chosen.coverage, chosen.accuracy) == (0.8, 1.0)


def test_a_wish_beyond_reach_says_so() -> None:
    chosen = choose_rejection(answers([0.9, 0.8], [True, False]), accuracy=0.99)
    assert not chosen.reached and "too few" in chosen.sentence


def test_a_wish_for_coverage_and_the_default() -> None:
    assert choose_rejection(answers(CERTAIN, RIGHT), coverage=0.8).threshold == pytest.approx(0.989)
    assert choose_rejection(answers(CERTAIN, RIGHT)).coverage >= 0.95
    with pytest.raises(UsageError, match="one wish"):
        choose_rejection(answers(CERTAIN, RIGHT), accuracy=0.9, coverage=0.9)


def test_what_it_buys_elsewhere_is_counted_by_hand() -> None:
    row = rejection_row(answers([0.99, 0.99, 0.6, 0.6], [True, False, False, True]),
                        choose_rejection(answers(CERTAIN, RIGHT), coverage=0.8))  # fmt: skip
    assert (row["answered"], row["coverage"], row["accuracy"]) == (2, 0.5, 0.5)
    assert row["coverage_low"] < 0.5 < row["coverage_high"]


def test_unseen_classes_are_told_apart_as_scikit_learn_says() -> None:
    known, strange = answers(CERTAIN, RIGHT), np.array([0.5, 0.6, 0.7, 0.995])
    row = unseen_row(known, strange, threshold=0.65)
    expected = roc_auc_score([1] * 250 + [0] * 4, np.concatenate([known.scores.max(1), strange]))
    assert row["auroc"] == pytest.approx(expected) and row["auroc_low"] < expected < row["auroc_high"]
    assert (row["pictures"], row["answered"]) == (4, 0.5)


@pytest.fixture(scope="module")
def own(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> "anmok.Run":
    return anmok.train(photographs, project=tmp_path_factory.mktemp("own"), epochs=3, imgsz=32, val=0.3, test=0.2)


def test_training_sets_a_threshold_and_predict_keeps_to_it(own: anmok.Run, photographs: Path) -> None:
    assert own.rejection is not None and own.rejection.coverage >= 0.95
    for answer in own.predict(photographs):
        assert answer.labels and answer.scores  # kept, whatever was decided
        assert answer.sure == (answer.scores[0] >= own.rejection.threshold)


def test_a_new_threshold_is_kept_and_can_be_overruled(
    own: anmok.Run, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["eval", str(own.path), "--reject-coverage", "0.5", "--quiet"]) == 0
    assert "I don't know" in capsys.readouterr().out
    opened = anmok.load(own.path)
    assert opened.rejection is not None and opened.rejection.wish == "coverage" and opened.rejection.wanted == 0.5
    assert not all(answer.sure for answer in opened.predict(photographs))
    assert all(answer.sure for answer in opened.predict(photographs, reject_below=0))
    assert not any(answer.sure for answer in opened.predict(photographs, reject_below=1))
    assert command(["predict", str(own.path), str(next(photographs.rglob("*.png"))), "--reject-below", "1"]) == 0
    assert "I don't know (" in capsys.readouterr().out
    assert command(["eval", str(own.path), "--reject-coverage", "1.5"]) == 2


def test_pictures_of_unseen_classes(own: anmok.Run, photographs: Path, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for number in range(6):
        Image.fromarray(generator.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    row = own.evaluate(photographs, unseen=tmp_path).tables["unseen"][0]
    assert row["pictures"] == 6 and 0 <= row["auroc_low"] <= row["auroc"] <= row["auroc_high"] <= 1
    known = [answer.scores[0] for answer in own.evaluate(photographs).predictions]
    strange = [answer.scores[0] for answer in own.predict(tmp_path)]
    assert row["auroc"] == pytest.approx(roc_auc_score([1] * len(known) + [0] * 6, known + strange), abs=0.02)
    with pytest.raises(DataError, match="other classes"):
        own.evaluate(photographs, unseen=write_photographs(tmp_path / "again", each=2))
