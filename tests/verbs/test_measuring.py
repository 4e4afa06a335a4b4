"""What evaluation says beside the plain figures: groups, calibration, and the page with pictures."""

import csv
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score
from torch import nn

import anmok
from anmok.metrics.calibration import expected_calibration_error


def cells(page: str, key: str) -> str:
    found = re.search(rf'<section id="{key}">.*?</section>', page, re.S)
    return found[0] if found else ""


def test_groups_of_a_table_are_judged_one_by_one(run: anmok.Run, photographs: Path, tmp_path: Path) -> None:
    files = sorted(path for path in photographs.rglob("*.*"))
    table = tmp_path / "labels.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "camera"])
        rows.writerows(
            [path.relative_to(photographs), path.parent.name, f"camera {n % 4}"] for n, path in enumerate(files)
        )
    report = run.evaluate(table, group_column="camera", path_column="path", label_column="label",
                          pictures=photographs)  # fmt: skip
    right = [(answer.labels or ("",))[0] == Path(answer.id).parent.name for answer in report.predictions]
    assert [row["accuracy"] for row in report.tables["groups"]] == sorted(
        row["accuracy"] for row in report.tables["groups"]
    )
    assert sum(row["pictures"] for row in report.tables["groups"]) == len(right) == len(files)
    hits = sum(row["accuracy"] * row["pictures"] for row in report.tables["groups"])
    assert hits == pytest.approx(sum(right))
    assert all(row["accuracy_low"] < row["accuracy_high"] for row in report.tables["groups"])
    assert report.figures["accuracy_for_new_groups"] == pytest.approx(report.figures["accuracy"])


def test_groups_found_in_the_path_need_no_column(run: anmok.Run, photographs: Path) -> None:
    report = run.evaluate(photographs, group_by="folder")
    assert {row["group"] for row in report.tables["groups"]} == {"cat", "rocket", "커피"}
    assert "groups" not in run.evaluate(photographs).tables


class TooSure(nn.Module):
    """A network that learned too long: the right shape of answer, ten times too certain."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 10 * self.body(x)


@pytest.fixture(scope="module")
def overconfident(tmp_path_factory: pytest.TempPathFactory) -> "anmok.Run":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    project = tmp_path_factory.mktemp("sure")
    return anmok.train("samples", network=TooSure(), project=project, epochs=4, label_smoothing=0.0, shift=0.0,
                       optimizer="adamw", lr=0.002)  # fmt: skip


def test_the_temperature_makes_held_out_certainty_deserved(overconfident: anmok.Run) -> None:
    report = overconfident.evaluate()
    before, after = report.tables["calibration"]
    assert overconfident.temperature > 1.2
    assert (before["temperature"], after["temperature"]) == (1.0, overconfident.temperature)
    assert after["error"] < before["error_low"]
    assert report.figures["expected_calibration_error"] == pytest.approx(after["error"])
    truths = [list(overconfident.classes).index(name) for name in _truths(overconfident)]
    scores = np.array(
        [[dict(zip(a.labels or (), a.scores or (), strict=True))[name] for name in overconfident.classes]
         for a in report.predictions]
    )  # fmt: skip
    assert expected_calibration_error(truths, scores) == pytest.approx(after["error"])
    assert accuracy_score(truths, scores.argmax(1)) == pytest.approx(report.figures["accuracy"])


def _truths(run: anmok.Run) -> list[str]:
    dataset = anmok.load_data("samples")
    named = {entry.id: dataset.classes[entry.target] for entry in dataset.entries}
    return [named[answer.id] for answer in run.evaluate().predictions]


def test_the_page_shows_mistakes_doubts_and_groups(overconfident: anmok.Run, tmp_path: Path) -> None:
    page = tmp_path / "evaluation.html"
    report = overconfident.evaluate(report=page)
    text = page.read_text(encoding="utf-8")
    assert f"{report.figures['accuracy']:.1%}" in text and "://" not in text
    assert cells(text, "mistakes").count("<figure") == 24 and "Most doubtful" in text
    surest = max(
        (a for a in report.predictions if (a.labels or ("",))[0] != _truth_of(a.id)), key=lambda a: a.scores[0]
    )
    assert surest.id in cells(text, "mistakes")
    assert "I don&#x27;t know" in cells(text, "calibration")


def _truth_of(name: str) -> str:
    return _class_by_id()[name]


@cache
def _class_by_id() -> dict[str, str]:
    dataset = anmok.load_data("samples")
    return {entry.id: dataset.classes[entry.target] for entry in dataset.entries}
