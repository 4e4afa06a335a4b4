"""Evaluation: figures equal scikit-learn's on the same answers; other classes are refused."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

import anmok
from anmok.core.errors import DataError
from tests.verbs.photographs import write_photographs


def test_figures_equal_scikit_learns(run: anmok.Run, photographs: Path) -> None:
    report = run.evaluate(photographs)
    truths = [Path(answer.id).parts[0] for answer in report.predictions]
    answers = [(answer.labels or ("",))[0] for answer in report.predictions]
    assert report.figures["accuracy"] == pytest.approx(accuracy_score(truths, answers))
    assert report.figures["accuracy_low"] < report.figures["accuracy"] <= report.figures["accuracy_high"]
    theirs = precision_recall_fscore_support(truths, answers, labels=list(run.classes), zero_division=np.nan)
    for name, values in zip(("precision", "recall", "f1"), theirs[:3], strict=True):
        assert [row[name] for row in report.tables["classes"]] == pytest.approx(list(values), nan_ok=True)
    counts = [[row[name] for name in run.classes] for row in report.tables["confusion"]]
    assert counts == confusion_matrix(truths, answers, labels=list(run.classes)).tolist()


def test_the_own_test_split_gives_the_figures_of_the_card(run: anmok.Run) -> None:
    assert run.evaluate().figures["accuracy"] == run.metrics["test"]["accuracy"]["value"]


def test_other_classes_are_refused_with_both_lists(run: anmok.Run, tmp_path: Path) -> None:
    data = write_photographs(tmp_path / "photos", each=4)
    (data / "cat").rename(data / "dog")
    with pytest.raises(DataError, match=r"dog.*cat|cat.*dog"):
        run.evaluate(data)
