"""The report of a training run holds what a colleague asks for."""

import itertools
import re
import shlex
from pathlib import Path

import anmok
from anmok.verbs.train_settings import TrainSettings


def part(page: str, key: str) -> str:
    found = re.search(rf'<section id="{key}">.*?</section>', page, re.S)
    assert found, f"no section {key}"
    return found[0]


def test_curves_sheet_drawing_and_threshold_are_there(run: anmok.Run) -> None:
    page = run.report.read_text(encoding="utf-8")
    training = part(page, "training")
    assert "training (augmented)" in training and "validation" in training
    assert 'alt="augmented pictures"' in training
    assert "data:image/svg+xml" in part(page, "network")
    assert "below a certainty of" in part(page, "calibration")
    assert page.count("<script") == 0 and "://" not in page


def test_the_command_repeats_the_run(photographs: Path, tmp_path: Path) -> None:
    spaced = tmp_path / "my photos"
    spaced.symlink_to(photographs, target_is_directory=True)
    asked = {"epochs": 1, "imgsz": 32, "flip": False, "val": 0.2, "name": "it's mine"}
    run = anmok.train(spaced, project=tmp_path / "runs", **asked)
    shown = re.search(r"<pre><code>(.*?)</code></pre>", part(run.report.read_text(encoding="utf-8"), "repeat"))
    assert shown
    words = shlex.split(shown[1].replace("&#x27;", "'").replace("&quot;", '"'))
    assert words[:3] == ["anmok", "train", str(spaced)] and "--no-flip" in words
    given = dict(itertools.pairwise(words))
    assert (given["--epochs"], given["--imgsz"], given["--name"]) == ("1", "32", "it's mine")
    flags = {word for word in words if word.startswith("--")}
    known = {f"--{name.replace('_', '-')}" for name in TrainSettings.model_fields}
    assert flags <= known | {"--no-flip"}
