"""Predictions: the same decode path as training, one bad file never stops the rest, every format of table."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch
from PIL import Image

import anmok
from anmok.core.errors import UsageError
from anmok.tasks.classify.measuring import measure
from anmok.tasks.pictures import decode_all


def test_answers_equal_what_evaluation_saw(run: anmok.Run, photographs: Path) -> None:
    dataset = anmok.load_data(photographs)
    found = measure(run.model, decode_all(dataset, run.preparation), None)
    answers = run.predict(photographs, top=3)
    assert [answer.id for answer in answers] == [str(photographs / name) for name in found.ids]
    scores = torch.from_numpy(found.logits / run.card["temperature"]).softmax(1).numpy()
    for answer, row in zip(answers, scores, strict=True):
        ours = dict(zip(answer.labels or (), answer.scores or (), strict=True))
        assert np.allclose([ours[name] for name in run.classes], row, atol=2e-2)  # bf16, batches of other sizes
        assert (answer.labels or ("",))[0] == run.classes[int(row.argmax())] or np.sort(row)[-1] - np.sort(row)[
            -2
        ] < 0.02


def test_one_bad_file_does_not_stop_the_rest(run: anmok.Run, photographs: Path, tmp_path: Path) -> None:
    good = sorted(photographs.rglob("*.jpg"))[:3]
    (tmp_path / "web.jpg").write_text("<html>not found</html>")
    (tmp_path / "empty.png").touch()
    asked = [good[0], tmp_path / "web.jpg", good[1], tmp_path / "missing.jpg", tmp_path / "empty.png", good[2]]
    answers = run.predict(asked)
    assert [answer.id for answer in answers] == [str(path) for path in asked]
    assert [answer.error is None for answer in answers] == [True, False, True, False, False, True]
    assert "HTML" in str(answers[1].error).upper() or "html" in str(answers[1].error)


def test_globs_and_what_matches_nothing(run: anmok.Run, photographs: Path) -> None:
    assert len(run.predict(str(photographs / "cat" / "*.png"))) == 7
    with pytest.raises(UsageError, match="matches"):
        run.predict(str(photographs / "*.tiff"))
    with pytest.raises(UsageError, match="nothing"):
        run.predict([])


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_tables_hold_every_answer(run: anmok.Run, photographs: Path, tmp_path: Path, name: str) -> None:
    answers = run.predict(photographs / "cat", top=2, to=tmp_path / name)
    if name.endswith("csv"):
        rows = list(csv.DictReader((tmp_path / name).open(encoding="utf-8")))
    elif name.endswith("jsonl"):
        rows = [json.loads(line) for line in (tmp_path / name).read_text(encoding="utf-8").splitlines()]
    else:
        rows = parquet.read_table(tmp_path / name).to_pylist()
    assert [row["id"] for row in rows] == [answer.id for answer in answers]
    assert [row["label"] for row in rows] == [(answer.labels or ("",))[0] for answer in answers]


def test_orientation_and_modes_do_not_change_the_answer(run: anmok.Run, photographs: Path, tmp_path: Path) -> None:
    original = Image.open(sorted((photographs / "cat").glob("*.png"))[0]).convert("RGB")
    original.save(tmp_path / "plain.png")
    original.convert("RGBA").save(tmp_path / "alpha.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    original.rotate(90, expand=True).save(tmp_path / "turned.png", exif=exif)
    scores = [answer.scores for answer in run.predict([tmp_path / f"{n}.png" for n in ("plain", "alpha", "turned")])]
    assert scores[0] == scores[1] == scores[2]
