"""A leak is planted where the clean score is known: the bill must give that score back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anmok.core.preparation import Preparation
from anmok.data.load import load_data
from anmok.metrics.summary import summarise
from anmok.tasks.classify.leakage import LeakageBill, leakage_bill
from anmok.tasks.classify.measuring import Measured
from anmok.tasks.pictures import Decoded, decode_all
from anmok.verbs.evaluate import evaluate
from anmok.verbs.train import train


def write(root: Path, leaks: int) -> Path:
    """300 garments to learn from, 200 to judge by, and `leaks` re-encoded copies of the former among the latter."""
    data = load_data("samples")
    for i, entry in enumerate(list(data.entries)[:500]):
        folder = root / ("train" if i < 300 else "test") / data.classes[entry.target].replace("/", " ")
        folder.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(data.pictures.read(entry.locator)[..., 0])
        picture.save(folder / f"{i:03}.png")
        if i < leaks:
            beside = root / "test" / folder.name
            beside.mkdir(parents=True, exist_ok=True)
            picture.save(beside / f"copy{i:03}.jpg", quality=80)
    return root


def judged_by_memory(decoded: Decoded) -> Measured:
    """The nearest training picture answers: what was learned from is known by heart."""
    entries = decoded.dataset.entries
    pixels = decoded.source.gather(decoded.rows).reshape(len(entries), -1).astype(np.float32)
    train = np.array([i for i, e in enumerate(entries) if e.split == "train"])
    test = np.array([i for i, e in enumerate(entries) if e.split == "test"])
    away = ((pixels[test, None] - pixels[None, train]) ** 2).sum(2)
    classes, targets = decoded.dataset.classes, np.array([e.target for e in entries])
    answers = targets[train][away.argmin(1)]
    logits = np.eye(len(classes), dtype=np.float32)[answers] * 9
    summary = summarise(targets[test], np.full((len(test), len(classes)), 1 / len(classes)), classes, resamples=50)
    return Measured("test", [entries[i].id for i in test], decoded.rows[test], logits, targets[test], summary, 1.0)


def bill_of(decoded: Decoded, found: Measured) -> LeakageBill:
    return leakage_bill(decoded, "test", found.ids, found.logits.argmax(1) == found.targets)


def accuracy(found: Measured) -> float:
    return float((found.logits.argmax(1) == found.targets).mean())


def test_the_bill_without_leaked_pictures_is_the_clean_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))
    preparation = Preparation(28, 28, channels=1, mean=(0.5,), std=(0.5,))
    clean, leaky = (
        decode_all(load_data(write(tmp_path / name, leaks)), preparation) for name, leaks in (("a", 0), ("b", 80))
    )
    truth, inflated = accuracy(judged_by_memory(clean)), judged_by_memory(leaky)
    bill = bill_of(leaky, inflated)
    assert bill.clean is not None and bill.on_leaked is not None
    assert accuracy(inflated) > bill.clean.high  # the leak is worth more than chance
    assert bill.clean.low <= truth <= bill.clean.high
    assert sum("copy" in name for name in bill.leaked) >= 76 and bill.on_leaked.value > 0.97
    assert "owed to the leak" in bill.sentence
    assert bill_of(clean, judged_by_memory(clean)).given.value == pytest.approx(truth)


def test_groups_leak_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))
    decoded = decode_all(load_data(write(tmp_path / "a", 0)), Preparation(28, 28, 1, mean=(0.5,), std=(0.5,)))
    entries = [replace(e, group=f"video {int(Path(e.id).stem) % 250}") for e in decoded.dataset.entries]
    decoded = replace(decoded, dataset=replace(decoded.dataset, entries=entries))
    bill = bill_of(decoded, judged_by_memory(decoded))
    assert {f"{i:03}" for i in range(300, 500)} == {Path(name).stem for name in bill.leaked}
    assert bill.clean is None and "says nothing" in bill.sentence


def test_the_bill_is_told_wherever_the_score_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))
    run = train(write(tmp_path / "a", 20), epochs=1, project=tmp_path / "runs", val=0.2, quiet=False)
    page = tmp_path / "eval.html"
    (bill,) = evaluate(run, report=page).tables["leakage"]
    assert bill["given"]["n"] == 220 and 18 <= len(bill["leaked"]) <= 24
    told = f"{len(bill['leaked'])} of 220 test pictures were learned from"
    for words in (capsys.readouterr().err, run.folder.report.read_text(), page.read_text()):
        assert told in words
    assert "Make a split without leaks" in run.folder.report.read_text()


def test_clean_data_owes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))
    root = write(tmp_path / "a", 0)
    run = train(root, epochs=1, project=tmp_path / "runs", val=0.2)
    assert "leakage" not in evaluate(run).tables and "were learned from" not in run.folder.report.read_text()
    (bill,) = evaluate(run, leaks=True).tables["leakage"]
    assert bill["leaked"] == []
    assert "leakage" not in evaluate(run, root).tables
