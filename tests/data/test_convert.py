"""Objects written in one form and read in another are the same; what a form cannot hold is said."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.contracts.object_writers import OBJECT_WRITERS, scenes

from anmok.core.errors import UsageError
from anmok.core.regions import Polygons, RunLengths
from anmok.core.targets import Objects
from anmok.core.types import Dataset, Entry
from anmok.data import convert
from anmok.data.convert import writable, write_data
from anmok.data.load import load_data
from anmok.data.source import FORMATS, Source
from anmok.data.stores import ArrayPictures, FilePictures

SIDE = (48, 64)  # height, width
CLASSES = ("teapot", "새", "a, b; c", "1")


def dataset_of(targets: list[Objects], splits: list[str | None]) -> Dataset:
    """Pictures in memory with these objects."""
    pixels = np.random.default_rng(0).integers(0, 256, (len(targets), *SIDE, 3), dtype=np.uint8)
    entries = [
        Entry(f"file.bin:{i + 1}", i, target, split)
        for i, (target, split) in enumerate(zip(targets, splits, strict=True))
    ]
    return Dataset(Path("nowhere"), "made", "detect", CLASSES, entries, ArrayPictures(pixels, "x"))


QUICK = settings(derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])


def coordinates(most: int) -> st.SearchStrategy[tuple[float, float]]:
    """Two distinct float32 numbers within [0, most], whole ones often, none finer than a millionth."""
    number = st.integers(0, most).map(float) | st.floats(0, most).map(lambda x: float(np.float32(round(x, 6))))
    apart = st.tuples(number, number).filter(lambda pair: abs(pair[0] - pair[1]) > 1e-2)
    return apart.map(lambda pair: (min(pair), max(pair)))


BOX = st.tuples(coordinates(SIDE[1]), coordinates(SIDE[0])).map(lambda xy: (xy[0][0], xy[1][0], xy[0][1], xy[1][1]))
OBJECT = st.tuples(BOX, st.integers(0, 3), st.booleans(), st.booleans())
OBJECTS = st.lists(OBJECT, max_size=5, unique_by=lambda one: one[0])


def told(dataset: Dataset, places: int | None = None) -> list:
    found = []
    for entry in sorted(dataset.entries, key=lambda entry: Path(entry.id).name):
        target = entry.target
        boxes = target.boxes if places is None else target.boxes.round(places)
        marks = [np.zeros(len(target), bool) if mark is None else mark for mark in (target.crowd, target.difficult)]
        rows = zip(boxes.tolist(), target.labels.tolist(), *(mark.tolist() for mark in marks), strict=True)
        found.append((entry.split, sorted((box, dataset.classes[label], *rest) for box, label, *rest in rows)))
    return found


@settings(QUICK, max_examples=6)
@given(pictures=st.lists(st.tuples(OBJECTS, st.sampled_from(["train", "val", "test", None])), min_size=1, max_size=3))
def test_any_boxes_survive_every_form(pictures: list, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("forms")
    targets = [
        Objects([o[0] for o in objects], [o[1] for o in objects], crowd=[o[2] for o in objects],
                difficult=[o[3] for o in objects])
        for objects, _ in pictures
    ]  # fmt: skip
    # One box beyond the first pixel: a table of none but boxes within [0, 1] is one of shares.
    original = dataset_of([*targets, Objects([[3, 4, 50, 40]], [3])], [*(split for _, split in pictures), "train"])
    for name in ("coco", "voc", "csv_boxes"):
        write_data(original, folder / name, name)
        again = load_data(folder / name, format=name)
        assert told(again) == told(original) and again.classes == CLASSES and not again.set_aside
    for one, other in itertools.permutations(("coco", "voc", "csv_boxes"), 2):
        write_data(load_data(folder / one, format=one), folder / f"{one} {other}", other)
        assert told(load_data(folder / f"{one} {other}", format=other)) == told(original)


@settings(QUICK, max_examples=15)
@given(objects=OBJECTS)
def test_yolo_gives_back_boxes_to_a_thousandth_of_a_pixel(
    objects: list, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("yolo")
    original = dataset_of([Objects([o[0] for o in objects], [o[1] for o in objects])], [None])
    write_data(original, folder / "a", "yolo")
    again = load_data(folder / "a", format="yolo")
    assert again.classes == CLASSES and not again.set_aside
    for mine, theirs in zip(told(again), told(original), strict=True):
        pairs = list(zip(mine[1], theirs[1], strict=True))
        assert all(np.abs(np.subtract(a[0], b[0])).max() < 1e-3 and a[1] == b[1] for a, b in pairs)


def test_outlines_areas_and_marks_survive_coco(tmp_path: Path) -> None:
    ring = np.array([[3.25, 4], [20.1, 5], [15, 30.7]], np.float32)
    mask = np.zeros(SIDE, bool)
    mask[10:20, 30:45] = True
    regions = (Polygons((ring, ring + 22)), RunLengths.of(mask), None)
    boxes = [[3.25, 4, 42.1, 52.7], [30, 10, 45, 20], [0, 0, 5, 5]]
    boxes[0][3] = 48.0  # as its outline leaves the picture
    target = Objects(boxes, [0, 1, 2], regions, crowd=[False, True, False], areas=[300.5, 150, 25])
    write_data(dataset_of([target], ["val"]), tmp_path / "a", "coco")
    again = load_data(tmp_path / "a")
    assert again.entries[0].target == target


def test_outlines_survive_yolo_where_each_is_one_ring_or_can_be_made_one(tmp_path: Path) -> None:
    ring = np.array([[3, 4], [20, 5], [15, 30]], np.float32)
    apart = Polygons((ring, ring + np.float32([30, 10])))
    target = Objects([ring.min(0).tolist() + ring.max(0).tolist(), [3, 4, 50, 40]], [0, 1], (Polygons((ring,)), apart))
    write_data(dataset_of([target], ["train"]), tmp_path / "a", "yolo")
    again = load_data(tmp_path / "a", task="segment")
    found = again.entries[0].target
    assert again.classes == ("background", *CLASSES) and np.allclose(found.boxes, target.boxes, atol=1e-3)
    for mine, theirs in zip(found.regions, target.regions, strict=True):
        assert np.array_equal(mine.draw(SIDE), theirs.draw(SIDE))


def test_what_a_form_cannot_hold_is_said(tmp_path: Path) -> None:
    ring = Polygons((np.array([[3, 4], [20, 5], [15, 30]], np.float32),))
    target = Objects([[1, 1, 9, 9], [2, 2, 30, 30]], [0, 1], (ring, None), crowd=[True, False], difficult=[False, True])
    original = dataset_of([target], ["train"])
    lost = {name: write_data(original, tmp_path / name, name).lost for name in writable()}
    assert lost["coco"] == ()
    assert lost["voc"] == lost["csv_boxes"] == ("the outlines of 1 objects: only their boxes are kept",)
    assert [words.split(" ")[:3] for words in lost["yolo"]] == [
        ["1", "groups", "marked"], ["the", "mark", "`difficult`"], ["the", "outlines", "of"],
    ]  # fmt: skip
    assert len(load_data(tmp_path / "yolo").entries[0].target) == 1


def test_pictures_are_copied_as_they_are(tmp_path: Path) -> None:
    OBJECT_WRITERS["yolo"](tmp_path / "data", scenes())
    dataset = load_data(tmp_path / "data")
    written = write_data(dataset, tmp_path / "out", "coco")
    assert (written.pictures, written.objects) == (10, sum(len(scene.boxes) for scene in scenes()))
    assert {path.read_bytes() for path in (tmp_path / "data").rglob("*.png")} == {
        path.read_bytes() for path in (tmp_path / "out").rglob("*.png")
    }


def test_turned_pictures_keep_their_boxes(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "data" / "a.jpg", exif=exif)
    entry = Entry("a.jpg", "a.jpg", Objects([[2, 3, 18, 29]], [0]), "train")
    original = Dataset(tmp_path / "data", "made", "detect", ("x",), [entry], FilePictures(tmp_path / "data"))
    for name in writable():
        write_data(original, tmp_path / name, name)
        assert load_data(tmp_path / name).entries[0].target.boxes.tolist() == [[2, 3, 18, 29]]


@pytest.mark.parametrize(
    ("out", "form", "words"),
    [("data/x", "coco", "not written into"), ("full", "coco", "something already"), ("new", "masks", "is not written")],
)
def test_impossible_wishes_are_refused(out: str, form: str, words: str, tmp_path: Path) -> None:
    OBJECT_WRITERS["coco"](tmp_path / "data", scenes())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    with pytest.raises(UsageError, match=words):
        write_data(load_data(tmp_path / "data"), tmp_path / out, form)
    assert not (tmp_path / "new").exists() and not (tmp_path / "data" / "x").exists()


def test_pictures_without_boxes_cannot_be_converted(tmp_path: Path) -> None:
    Image.new("L", (9, 9)).save(tmp_path / "1.png")
    with pytest.raises(UsageError, match="only objects"):
        write_data(load_data(tmp_path), tmp_path.parent / "out", "coco")


def test_a_wrong_writer_would_be_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    OBJECT_WRITERS["coco"](tmp_path / "data", scenes())
    dataset = load_data(tmp_path / "data")
    monkeypatch.setattr("anmok.data.formats._csv_boxes_write.corner", lambda value: float(value) + 0.01)
    with pytest.raises(convert.AnmokError, match="does not read as"):
        write_data(dataset, tmp_path / "out", "csv_boxes")
    assert not (tmp_path / "out").exists() and not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_files_of_other_kinds_are_left_alone() -> None:
    assert set(writable()) == {"coco", "csv_boxes", "voc", "yolo"}
    assert FORMATS["coco"]().recognise(Source(Path(__file__))).sure == 0
