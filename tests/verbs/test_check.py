"""`check` against a folder whose faults were planted: each is found and named, and nothing is written there."""

import csv
import hashlib
import html
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anmok.cli.show import check_text
from anmok.core.errors import UsageError
from anmok.data.check import Check
from anmok.data.load import load_data
from anmok.report.check_page import CheckContent, render_check
from anmok.report.content import Data
from anmok.tasks.invariance import MOVES
from anmok.verbs.check import check
from anmok.verbs.train import train
from tests.verbs.photographs import write_photographs

CLASSES = ("Ankle boot", "Dress", "Trouser")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))


def write_clean(root: Path, each: int = 20) -> Path:
    """Garments of three classes that nobody mistakes for each other: 3/4 in train, 1/4 in test."""
    data = load_data("samples")
    for name in CLASSES:
        own = [e for e in data.entries if data.classes[e.target] == name][:each]
        for i, entry in enumerate(own):
            folder = root / ("test" if i % 4 == 0 else "train") / name
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(data.pictures.read(entry.locator)[..., 0]).save(folder / f"{i:03}.png")
    return root


def digest(root: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        found.update(f"{path} {path.stat().st_mtime_ns}".encode() + (path.read_bytes() if path.is_file() else b""))
    return found.hexdigest()


def kinds(found: Check) -> dict[str, bool]:
    return {problem["kind"]: problem["spoils"] for problem in found.problems}


def pictures_of(found: Check, kind: str) -> set[str]:
    return {name for p in found.problems if p["kind"] == kind for group in p["pictures"] for name in group}


def test_clean_data_is_ready(tmp_path: Path) -> None:
    root = write_clean(tmp_path / "data")
    before = digest(root)
    found = check(root)
    assert not found.spoils and set(kinds(found)) <= {"doubtful labels"}
    assert found.settings["task"] == "classify" and found.suggestion == f"anmok train {root}"
    assert digest(root) == before


def test_planted_faults_are_found_and_named(tmp_path: Path) -> None:
    root = write_clean(tmp_path / "data")
    train_folder, test_folder = root / "train", root / "test"
    (test_folder / "Dress" / "leak.png").write_bytes((train_folder / "Dress" / "001.png").read_bytes())
    (train_folder / "Dress" / "again.png").write_bytes((train_folder / "Trouser" / "002.png").read_bytes())
    Image.open(train_folder / "Trouser" / "003.png").resize((48, 48)).save(
        train_folder / "Trouser" / "c.jpg", quality=90
    )
    Image.new("L", (28, 28), 40).save(train_folder / "Dress" / "flat.png")
    (train_folder / "Dress" / "torn.png").write_bytes(b"\x89PNG")
    (train_folder / "dress ").mkdir()
    Image.open(train_folder / "Dress" / "005.png").transpose(Image.Transpose.ROTATE_90).save(
        train_folder / "dress " / "x.png"
    )
    before, page = digest(root), tmp_path / "check.html"
    found = check(root, html=page)
    assert digest(root) == before and found.spoils
    told = kinds(found)
    for kind in ("leak", "contradiction", "quarantined", "alike classes", "lone picture"):
        assert told[kind], kind
    assert not told["flat"] and not told["duplicates"] and not told["classes missing from test"]
    assert pictures_of(found, "leak") == {"test/Dress/leak.png", "train/Dress/001.png"}
    assert pictures_of(found, "contradiction") == {"train/Dress/again.png", "train/Trouser/002.png"}
    assert pictures_of(found, "duplicates") == {"train/Trouser/003.png", "train/Trouser/c.jpg"}
    assert pictures_of(found, "flat") == {"train/Dress/flat.png"}
    text = page.read_text()
    assert "leak.png" in text and "not ready for training" in text
    assert "<script" not in text and "://" not in text


def test_wrong_labels_are_suspected_first(tmp_path: Path) -> None:
    root = write_clean(tmp_path / "data", each=100)
    wrong = set()
    for i in (1, 2, 3, 5, 6, 7):
        (root / "train" / "Ankle boot" / f"{i:03}.png").rename(root / "train" / "Trouser" / f"w{i}.png")
        wrong.add(f"train/Trouser/w{i}.png")
    found = check(root)
    suspected = [group[0] for p in found.problems if p["kind"] == "doubtful labels" for group in p["pictures"]]
    assert len(wrong & set(suspected[:12])) >= 5 and len(suspected) < 30
    assert not found.spoils


def test_a_split_without_leaks_is_written_and_trained_with(tmp_path: Path) -> None:
    root, out = write_clean(tmp_path / "data"), tmp_path / "split.csv"
    (root / "test" / "Dress" / "leak.png").write_bytes((root / "train" / "Dress" / "001.png").read_bytes())
    (root / "train" / "Dress" / "torn.png").write_bytes(b"\x89PNG")
    found = check(root, split=out, labels=False)
    assert found.left_out == ("train/Dress/001.png",) and f"--split {out}" in found.suggestion
    sides = dict(list(csv.reader(out.open()))[1:])
    assert (
        sides["test/Dress/leak.png"] == "test" and sides["train/Dress/001.png"] == sides["train/Dress/torn.png"] == ""
    )
    assert set(sides.values()) == {"train", "val", "test", ""}
    run = train(root, split=out, epochs=1, project=tmp_path / "runs")
    assert run.card["data"]["splits"]["test"] == 16


def test_copies_and_groups_stay_on_one_side_of_a_new_split(tmp_path: Path) -> None:
    data, root, out = load_data("samples"), tmp_path / "data", tmp_path / "split.csv"
    rng = np.random.default_rng(0)
    for i, entry in enumerate(list(data.entries)[:90]):
        folder = root / ("a" if i % 2 else "b")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = data.pictures.read(entry.locator)[..., 0]
        Image.fromarray(pixels).save(folder / f"video{i // 6}_{i:04}.png")
        if rng.random() < 0.3:
            Image.fromarray(pixels).save(folder / f"copy of {i}.jpg", quality=85)
    found = check(root, split=out, group_by=r"video(\d+)_", labels=False, val=0.2, test=0.2)
    sides = dict(list(csv.reader(out.open()))[1:])
    assert set(sides.values()) == {"train", "val", "test"}
    for i in range(0, 90, 6):
        own = {side for name, side in sides.items() if f"video{i // 6}_" in name}
        assert len(own) == 1
    for copied in (n for n in sides if "copy of" in n):
        number = int(copied.split()[-1].removesuffix(".jpg"))
        assert sides[copied] == next(s for n, s in sides.items() if n.endswith(f"_{number:04}.png"))
    assert "leak" not in kinds(found)


def test_nothing_is_written_into_the_data(tmp_path: Path) -> None:
    root = write_clean(tmp_path / "data", each=4)
    with pytest.raises(UsageError, match="would write into the data"):
        check(root, split=root / "split.csv")


@pytest.mark.parametrize("by", ["(", "nothing matches this", "^"])
def test_groups_that_tell_nothing_apart_are_refused(by: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--group-by"):
        check(write_clean(tmp_path / "data", each=4), group_by=by)


def test_what_keeps_the_class_is_measured_said_and_shown(tmp_path: Path) -> None:
    root, page = write_photographs(tmp_path / "photographs", each=20, side=100), tmp_path / "check.html"
    found = check(root, augment=True, html=page)
    assert [one["move"] for one in found.augmentation] == list(MOVES)
    assert all(one["knows"] and 0 <= one["moved"]["value"] <= 1 for one in found.augmentation)
    text, told = html.unescape(page.read_text()), check_text(found)
    for one in found.augmentation:
        assert one["advice"] in told and one["advice"][1:] in text and one["flag"].startswith("--")
    strips = text.split("What keeps a picture's class</h2>")[1].split("</section>")[0]
    assert strips.count("<img") == 4 * (1 + len(MOVES)), "four pictures as they are, and after each move"
    assert "What keeps a picture" not in render_check(CheckContent("t", "s", Data({})))
