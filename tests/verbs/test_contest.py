"""Networks side by side: what is compared, how time is counted, what is drawn and written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

import anmok
from anmok.cli.show_contest import print_contest
from anmok.core.errors import UsageError
from anmok.engine.runfolder import RunFolder
from anmok.verbs.contest import Contest, Contestant, _same_pictures, _told, stage_seconds
from anmok.verbs.contest_figure import draw_contest
from anmok.verbs.contest_page import contest_table, write_contest


def contestant(name: str, map50: float, seconds: tuple[float, float, float], training: float) -> Contestant:
    figures = {"map50": (map50, map50 - 0.05, map50 + 0.05), "map": (map50 / 2, float("nan"), float("nan"))}
    return Contestant(name, 2014, Path("runs/detect") / name, 1_500_000, figures,
                      dict(zip(("proposals", "features", "heads"), seconds, strict=True)), training, 12.0)  # fmt: skip


@pytest.fixture
def found() -> Contest:
    machine = {"cpu": "a processor", "device": "cpu", "threads": 2, "precision": "bf16"}
    both = [
        contestant("rcnn", 0.5, (0.12, 0.5, 0.03), 300),
        contestant("sppnet", 0.48, (0.12, 0.01, 0.02), 90),
    ]
    return Contest("detect", "scenes", 200, ("map50", "map"), both, machine, ("sppnet answers faster: holds.",))


def test_a_first_name_that_is_no_network_is_the_data(tmp_path: Path) -> None:
    assert _told(("street", "rcnn"), None, "scenes") == ("street", ["rcnn"])
    assert _told(("rcnn", "fast_rcnn:vgg16"), "street", "scenes") == ("street", ["rcnn", "fast_rcnn:vgg16"])
    assert _told((), None, "scenes") == ("scenes", [])
    (tmp_path / "card.json").write_text("{}")
    assert _told((str(tmp_path),), None, "scenes") == ("scenes", [str(tmp_path)])
    with pytest.raises(UsageError, match="neither a network nor a run"):
        _told(("rcn", "sppnet"), "street", "scenes")


def test_what_cannot_be_compared_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not trained side by side"):
        anmok.compare("unet", task="segment", project=tmp_path)
    with pytest.raises(UsageError, match=r"\.html"):
        anmok.compare("rcnn", task="detect", project=tmp_path, out=tmp_path / "x.gif")
    with pytest.raises(UsageError, match="--task detect"):
        anmok.compare("rcnn", "sppnet")
    assert not list(tmp_path.iterdir())


def test_runs_of_different_pictures_are_not_compared() -> None:
    runs = {name: type("Run", (), {"card": {"data": {"fingerprint": name, "splits": {"test": 3}}}}) for name in "ab"}
    with pytest.raises(UsageError, match="different pictures"):
        _same_pictures(runs)  # type: ignore[arg-type]


def test_seconds_of_stages_are_what_passed_since_the_one_before(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    folder.results.write_text("stage,epoch,seconds\nproposals,0,40.5\nfit,1,60\nfit,2,71.5\nsvm,0,75\n")
    assert stage_seconds(folder) == {"proposals": 40.5, "fit": 31.0, "svm": 3.5}


def test_drawn_written_and_told(found: Contest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw_contest(found, tmp_path / "drawn.png")
    width, height = Image.open(tmp_path / "drawn.png").size
    assert width > 2.5 * height / 1.5 and (tmp_path / "drawn.png").stat().st_size > 20_000
    page = write_contest(found, tmp_path / "deep" / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page and "sppnet answers faster: holds." in page and "data:image/png" in page
    heading, rows = contest_table(found)
    assert heading == ["network", "year", "map50", "map", "ms a picture", "proposals", "features", "heads",
                       "training, min", "parameters"]  # fmt: skip
    assert rows[0][4] == pytest.approx(650) and rows[1][8] == pytest.approx(1.5)
    print_contest(found)
    said = capsys.readouterr().out
    assert (
        "sppnet   2014" in said and "150" in said and "200 others" in said and max(map(len, said.splitlines())) <= 100
    )


def test_json_has_no_numbers_that_json_cannot_say(found: Contest) -> None:
    plain = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert plain["networks"][0]["figures"]["map"] == [0.25, None, None]
    assert plain["networks"][1]["seconds"] == {"proposals": 0.12, "features": 0.01, "heads": 0.02}
