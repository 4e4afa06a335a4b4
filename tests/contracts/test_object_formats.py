"""What every format of boxes must do: give back what was written, account for every row, and survive damage."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anmok.core.errors import DataError, UsageError
from anmok.core.types import Dataset
from anmok.data.load import load_data

from .object_writers import OBJECT_WRITERS, Scene, scenes
from .test_formats import count_files, damage, tree_hash


def told(dataset: Dataset) -> dict[str, tuple[str | None, list[tuple[str, tuple[float, ...]]]]]:
    return {
        Path(entry.id).stem: (
            entry.split,
            sorted((dataset.classes[label], tuple(box)) for label, box in
                   zip(entry.target.labels, entry.target.boxes.round(3).tolist(), strict=True)),
        )
        for entry in dataset.entries
    }  # fmt: skip


def expected(data: list[Scene]) -> dict[str, tuple[str | None, list[tuple[str, tuple[float, ...]]]]]:
    return {
        scene.name: (scene.split, sorted((label, tuple(map(float, box)))
                                         for label, box in zip(scene.labels, scene.boxes, strict=True)))
        for scene in data
    }  # fmt: skip


@pytest.mark.parametrize("around", ["", "data/set/"])
@pytest.mark.parametrize("name", sorted(OBJECT_WRITERS))
def test_what_was_written_is_read(name: str, around: str, tmp_path: Path) -> None:
    data = scenes()
    OBJECT_WRITERS[name](tmp_path / "root" / around, data)
    before = tree_hash(tmp_path)
    dataset = load_data(tmp_path / "root")
    assert (dataset.format, dataset.task, dataset.unit) == (name, "detect", "pictures") and dataset.why
    assert told(dataset) == expected(data)
    pixels = {scene.name: scene.pixels for scene in data}
    assert all(
        np.array_equal(dataset.pictures.read(entry.locator)[..., 0], pixels[Path(entry.id).stem])
        for entry in dataset.entries
    )
    accounts, boxes = dataset.accounts(), sum(len(scene.boxes) for scene in data)
    assert accounts["files"]["seen"] == count_files(tmp_path / "root") == accounts["files"]["used"]
    assert accounts["pictures"] == {"seen": len(data), "used": len(data), "quarantined": 0, "skipped": 0}
    assert accounts["rows"]["used"] == boxes and accounts["rows"]["quarantined"] == 0
    assert not dataset.warnings and not dataset.set_aside
    assert tree_hash(tmp_path) == before
    assert list(load_data(tmp_path / "root").entries) == list(dataset.entries)


@pytest.mark.parametrize("name", sorted(OBJECT_WRITERS))
@pytest.mark.parametrize("task", ["generate", "reconstruct"])
def test_pictures_serve_without_their_boxes(name: str, task: str, tmp_path: Path) -> None:
    dataset = load_data(OBJECT_WRITERS[name](tmp_path / "root", scenes()), task=task)
    assert dataset.task == task and len(dataset) == 10 and dataset.rows is None
    assert {entry.target for entry in dataset.entries} == {None}
    dataset.accounts()


@pytest.mark.parametrize("name", sorted(OBJECT_WRITERS))
def test_boxes_alone_are_no_class_maps(name: str, tmp_path: Path) -> None:
    root = OBJECT_WRITERS[name](tmp_path / "root", scenes())
    with pytest.raises((DataError, UsageError), match=r"boxes only|does not serve|not recognised"):
        load_data(root, task="segment", format=name)


JUNK = [b"", b"\0", b'"', b"\xff\xfe", b",,", b"\n", b"}", b"[", b"-1", b"NaN", b"1e999", b" ", b"<", b"&x;", b"9" * 30]
DAMAGES = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "grow", "delete", "copy", "line", "cell", "stray", "fifo", "link", "empty"]),
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.sampled_from(JUNK),
    ),
    max_size=4,
)


@pytest.mark.parametrize("name", sorted(OBJECT_WRITERS))
@settings(max_examples=20, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(damages=DAMAGES)
def test_damage_is_refused_or_accounted_for(name: str, damages: list, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.rmtree(root, ignore_errors=True)
    OBJECT_WRITERS[name](root, scenes(6))
    for one in damages:
        try:
            damage(root, *one)
        except (FileExistsError, FileNotFoundError):
            continue
    before, files = tree_hash(root), count_files(root)
    try:
        dataset = load_data(root, format=name)
    except (DataError, UsageError) as error:
        assert str(root) in str(error) and (error.fix or error.allowed)
        return
    finally:
        assert tree_hash(root) == before
    assert dataset.accounts()["files"]["seen"] == files
    ids = [entry.id for entry in dataset.entries]
    assert len(set(ids)) == len(ids) and all(i.isprintable() for i in ids)
    assert all(item.path and item.reason and item.fix for item in dataset.set_aside)
    assert dataset.rows is not None and all(item.line for item in dataset.rows.quarantined)
    for entry in dataset.entries:
        height, width = dataset.pictures.read(entry.locator).shape[:2] if readable(dataset, entry) else (10**6, 10**6)
        boxes = entry.target.boxes
        assert np.isfinite(boxes).all() and (boxes[:, 2:] > boxes[:, :2]).all() and boxes.min(initial=0) >= 0
        assert boxes[:, 2].max(initial=0) <= width and boxes[:, 3].max(initial=0) <= height
        assert ((entry.target.labels >= 0) & (entry.target.labels < len(dataset.classes))).all()
    if name == "yolo":
        rows = [re.findall(rb"\r\n|\r|\n", path.read_bytes()) for path in root.rglob("labels/**/*.txt")]
        assert dataset.accounts()["rows"]["seen"] <= sum(map(len, rows)) + len(rows)


def readable(dataset: Dataset, entry: object) -> bool:
    from anmok.core.errors import PictureError

    try:
        dataset.pictures.read(entry.locator)  # type: ignore[attr-defined]
    except PictureError:
        return False
    return True
