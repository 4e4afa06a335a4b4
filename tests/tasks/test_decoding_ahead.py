"""Pictures decoded into the cache while the command that wants them imports torch."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anmok.core.child import start_child
from anmok.core.errors import DataError
from anmok.data import cache
from anmok.data.load import load_data
from anmok.data.split import assign_splits
from anmok.tasks.beginning import beginning
from anmok.tasks.decoding_ahead import Training, decode_ahead
from anmok.verbs.train_settings import TrainSettings


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))


def pictures(folder: Path, side: int = 80, count: int = 12) -> Path:
    generator = np.random.default_rng(0)
    for number in range(count):
        place = folder / ("cat", "dog")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, (side, side + 10, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")
    return folder


@pytest.mark.parametrize(
    ("side", "wishes"),
    [
        (80, {}),  # photographs: as the installed weights want them
        (80, {"imgsz": 64}),
        (80, {"weights": "random"}),
        (80, {"net": "alexnet", "task": "classify"}),
        (40, {}),  # small pictures: as their size has it
    ],
)
def test_a_training_finds_its_pictures_decoded(side: int, wishes: dict[str, object], tmp_path: Path) -> None:
    folder = pictures(tmp_path / "pictures", side)
    ahead = decode_ahead(Training(str(folder), **wishes))
    assert ahead is not None and not ahead.reused
    settings = TrainSettings.of(**wishes)
    dataset = assign_splits(load_data(folder), val=0.2, test=0.2, seed=3)
    found = cache.build(dataset, beginning(dataset, settings)[1])
    assert found.reused and found.kind == "cache"
    assert (found.source.gather(found.rows) == ahead.source.gather(ahead.rows)).all()


def test_what_cannot_be_decoded_is_told_by_the_training(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "pictures")
    (folder / "cat/bad.png").write_bytes(b"nothing")
    decode_ahead(Training(str(folder)))
    dataset = load_data(folder)
    found = cache.build(dataset, beginning(dataset, TrainSettings.of())[1])
    assert [item.path for item in found.quarantined] == ["cat/bad.png"] and len(found.rows) == 12


@pytest.mark.parametrize(
    "wishes", [{"task": "segment"}, {"net": "timm:convnext_atto", "weights": "imagenet"}, {"task": "reconstruct"}]
)
def test_what_is_not_foreseen_is_left_to_the_training(wishes: dict[str, str], tmp_path: Path) -> None:
    assert decode_ahead(Training(str(pictures(tmp_path / "pictures")), **wishes)) is None
    assert not (tmp_path / "cache").exists()


def test_data_of_another_task_is_left_to_the_training(tmp_path: Path) -> None:
    pictures(tmp_path / "flat").joinpath("cat").rename(tmp_path / "unlabelled")
    dataset = load_data(tmp_path / "unlabelled")
    assert dataset.task not in ("classify", "multilabel")
    assert decode_ahead(Training(str(tmp_path / "unlabelled"))) is None


def test_the_process_fills_the_cache_without_torch_and_without_a_word(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "pictures")
    process = start_child("anmok.tasks.decoding_ahead")
    asked = {"data": str(folder), "imgsz": 64, "reading": {"follow_links": True}}
    said, _ = process.communicate(json.dumps(asked).encode(), timeout=60)
    assert process.returncode == 0 and said == b""
    dataset = load_data(folder, follow_links=True)
    assert cache.build(dataset, beginning(dataset, TrainSettings.of(imgsz=64))[1]).reused
    code = "import sys, anmok.tasks.decoding_ahead as ahead; ahead.decode_ahead(ahead.Training(sys.argv[1])); "
    code += "print({'torch', 'pydantic', 'scipy'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


@pytest.mark.parametrize("asked", [b"", b'{"data": "nowhere"}'])
def test_a_process_that_is_asked_nothing_or_nonsense_ends(asked: bytes) -> None:
    process = start_child("anmok.tasks.decoding_ahead")
    assert process.communicate(asked, timeout=60)[0] == b"" and process.returncode == 0
    if asked:
        with pytest.raises(DataError, match="nothing is there"):
            decode_ahead(Training("nowhere"))
