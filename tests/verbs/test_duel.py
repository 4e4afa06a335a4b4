"""Two runs on the same pictures: the verdict agrees with the test in SciPy, and names the runs."""

import json
from pathlib import Path

import pytest
from scipy.stats import binomtest

import anmok
from anmok.cli import run as command
from anmok.core.errors import DataError
from anmok.verbs.duel import duel
from tests.verbs.photographs import write_photographs


@pytest.fixture(scope="module")
def pair(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple["anmok.Run", "anmok.Run"]:
    project = tmp_path_factory.mktemp("pair")
    make = {"project": project, "imgsz": 32, "val": 0.2, "test": 0.3}
    return (anmok.train(photographs, name="longer", epochs=40, **make),
            anmok.train(photographs, name="hardly", epochs=1, lr=1e-5, **make))  # fmt: skip


def test_the_verdict_names_the_runs_and_agrees_with_scipy(pair: tuple, photographs: Path) -> None:
    found = duel(*pair, photographs)
    right = [
        [(answer.labels or ("",))[0] == Path(answer.id).parent.name for answer in run.evaluate(photographs).predictions]
        for run in pair
    ]
    only_a = sum(a and not b for a, b in zip(*right, strict=True))
    only_b = sum(b and not a for a, b in zip(*right, strict=True))
    assert (found.accuracy.only_a, found.accuracy.only_b, found.pictures) == (only_a, only_b, 42)
    exact = binomtest(only_a, only_a + only_b).pvalue
    assert found.accuracy.p_value <= exact < 0.05, "mid-p is a little below the exact test, and this pair is far apart"
    assert found.verdict.startswith("longer is better") and "hardly" not in found.accuracy.verdict
    first, second, gap = found.figures["log_loss"]
    assert gap.low <= first - second <= gap.high < 0 and "longer has the better log loss" in found.verdict


def test_a_run_against_itself_is_chance(pair: tuple) -> None:
    assert "nothing tells them apart" in duel(pair[0], pair[0]).verdict


def test_other_test_pictures_are_refused(pair: tuple, photographs: Path, tmp_path: Path) -> None:
    other = anmok.train(photographs, project=tmp_path, epochs=1, imgsz=32, val=0.2, test=0.3, seed=5)
    with pytest.raises(DataError, match=r"same pictures.*DATA"):
        duel(pair[0], other)
    assert duel(pair[0], other, photographs).pictures == 42


@pytest.mark.parametrize("names", [("커피", "rocket", "cat"), ("cat", "rocket")])
def test_other_class_lists_are_refused_with_both(pair: tuple, names: tuple[str, ...], photographs: Path) -> None:
    first, second = pair
    second = anmok.load(second.path)
    second.classes = names
    with pytest.raises(DataError) as caught:
        duel(first, second, photographs)
    assert f"[{', '.join(names)}]" in str(caught.value) and "[cat, rocket, 커피]" in str(caught.value)


def test_a_resumed_run_refuses_other_classes(photographs: Path, tmp_path: Path) -> None:
    data = write_photographs(tmp_path / "photos", each=6)
    run = anmok.train(data, project=tmp_path, epochs=1, imgsz=32, val=0.2, test=0.2)
    (data / "cat").rename(data / "zebra")
    with pytest.raises(DataError, match=r"\[rocket, zebra, 커피\].*\[cat, rocket, 커피\]"):
        anmok.train(resume=run.path)


def test_a_table_with_fewer_classes_is_refused(pair: tuple, photographs: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    rows = [f"{path.relative_to(photographs)},{path.parent.name}" for path in sorted(photographs.rglob("*.*"))]
    table.write_text("\n".join(["path,label", *(row for row in rows if "커피" not in row)]), encoding="utf-8")
    with pytest.raises(DataError, match=r"\[cat, rocket\].*\[cat, rocket, 커피\]"):
        pair[0].evaluate(table, pictures=photographs)


def test_the_command_line_tells_runs_from_data(
    pair: tuple, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (str(run.path) for run in pair)
    assert command(["eval", first, second, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["runs"] == ["longer", "hardly"] and found["pictures"] == 12
    assert command(["eval", first, second, str(photographs)]) == 0
    assert "longer is better" in capsys.readouterr().out
    assert command(["eval", first, str(photographs)]) == 0
    assert "calibration error" in capsys.readouterr().out
