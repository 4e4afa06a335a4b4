"""What check says of masks and boxes: figures by hand, planted oddities found, clean data left alone."""

from pathlib import Path

import numpy as np
from PIL import Image

from anmok.core.targets import Objects
from anmok.core.types import Dataset, Entry
from anmok.data.held import held_by_class
from anmok.data.load import load_data
from anmok.data.masks_statistics import mask_problems, measure_masks
from anmok.data.objects_statistics import measure_objects, object_problems
from anmok.data.stores import ArrayPictures


def objects(*targets: Objects) -> Dataset:
    entries = [Entry(f"{i}", i, target, "train") for i, target in enumerate(targets)]
    pixels = np.zeros((len(targets), 64, 64, 1), np.uint8)
    return Dataset(Path("x"), "made", "detect", ("cat", "dog"), entries, ArrayPictures(pixels, "x"))


def masks(root: Path, *maps: np.ndarray) -> Dataset:
    for i, values in enumerate(maps):
        for folder in ("images", "masks"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        Image.new("L", values.shape[::-1], 9 * i).save(root / "images" / f"p{i}.png")
        Image.fromarray(values).save(root / "masks" / f"p{i}.png")
    return load_data(root)


def test_boxes_by_hand() -> None:
    dataset = objects(Objects([[0, 0, 8, 8], [10, 10, 50, 20]], [0, 1]), Objects.none())
    found = measure_objects(dataset)
    told = found.to_json()
    assert (told["boxes"], told["pictures_without_boxes"]) == (2, 1)
    assert told["side"]["least"] == 8 and told["side"]["most"] == 20 and told["aspect"]["most"] == 4
    assert told["sides"] == [{"low": 8, "high": 16, "boxes": 1}, {"low": 16, "high": 32, "boxes": 1}]
    assert sum(one["boxes"] for one in told["aspects"]) == 2
    held = held_by_class(dataset)
    assert held is not None and held.noun == "boxes" and [held.total(0), held.total(1)] == [1, 1]
    assert [problem.kind for problem in object_problems(dataset, found)] == ["pictures without boxes"]


def test_planted_boxes_are_found_and_named() -> None:
    twice = Objects([[0, 0, 20, 20], [0.2, 0, 20, 20], [30, 30, 50, 50]], [0, 0, 1])
    torn = Objects([[5, 5, 30, 30], [5, 5, 30, 29.5]], [0, 1])
    crowd = Objects([[5, 5, 30, 30], [5, 5, 30, 29.5]], [0, 0], crowd=[True, False])
    tiny = Objects([[5, 5, 7, 30]], [1])
    dataset = objects(twice, torn, crowd, tiny)
    found = {problem.kind: problem for problem in object_problems(dataset, measure_objects(dataset))}
    assert {kind: problem.groups for kind, problem in found.items()} == {
        "boxes told twice": ((0,),), "boxes of two classes": ((1,),), "tiny boxes": ((3,),),
    }  # fmt: skip
    assert found["tiny boxes"].notes == ("dog, 2 × 25 pixels",) and "cat twice" in found["boxes told twice"].notes[0]


def test_many_boxes_are_compared_in_pieces() -> None:
    rng = np.random.default_rng(0)
    corners = rng.random((1300, 2)) * 1e5
    boxes = np.concatenate([corners, corners + 5], 1)
    boxes[1290] = boxes[3]
    found = measure_objects(objects(Objects(boxes, np.zeros(1300))))
    assert [(a, b) for _, a, b, _ in found.twice] == [(3, 1290)]


def test_masks_by_hand(tmp_path: Path) -> None:
    values = np.zeros((10, 20), np.uint8)
    values[:5, :10], values[9] = 2, 255
    dataset, found = measure_masks(masks(tmp_path, values, np.zeros((10, 20), np.uint8), values))
    assert dataset.classes == ("0", "2") and found.shares.tolist() == [460 / 560, 100 / 560]
    told = found.to_json()
    assert told["ignored"] == round(40 / 600, 6) and told["ignore_value"] == 255 and told["empty"] == 1
    assert told["pixels"][1] == {"class": "2", "share": round(100 / 560, 6), "pictures": 2}
    held = held_by_class(dataset, found.classes_in)
    assert held is not None and [held.total(0), held.total(1)] == [3, 2]
    (empty,) = mask_problems(dataset, found)
    assert empty.kind == "empty masks" and empty.groups == ((1,),)


def test_classes_that_are_only_borders_are_named(tmp_path: Path) -> None:
    """As resizing with interpolation leaves them: between 0 and 2 lies 1, one pixel wide."""
    maps = []
    for i in range(4):
        values = np.zeros((30, 30), np.uint8)
        values[5 + i : 20, 5:20] = 1
        values[6 + i : 19, 6:19] = 2
        maps.append(values)
    dataset, found = measure_masks(masks(tmp_path, *maps))
    (problem,) = mask_problems(dataset, found)
    assert problem.kind == "borders" and "'1'" in problem.sentence and len(problem.groups) == 4
    assert found.to_json()["suggested_to_ignore"] == ["1"]


def test_clean_masks_have_no_findings(tmp_path: Path) -> None:
    blocks = [
        np.random.default_rng(i).integers(0, 3, (4, 4), dtype=np.uint8).repeat(8, 0).repeat(8, 1) for i in range(5)
    ]
    dataset, found = measure_masks(masks(tmp_path, *blocks))
    assert mask_problems(dataset, found) == [] and len(dataset) == 5


def test_a_mask_torn_since_is_set_aside(tmp_path: Path) -> None:
    blocks = [np.random.default_rng(i).integers(0, 3, (8, 8), dtype=np.uint8) for i in range(3)]
    dataset = masks(tmp_path, *blocks)
    Image.fromarray(blocks[1] + 9).save(tmp_path / "masks" / "p1.png")
    left, found = measure_masks(dataset)
    assert [entry.id for entry in left.entries] == ["images/p0.png", "images/p2.png"] and len(found.pixels) == 2
    assert "no class has" in left.quarantined[0].reason and left.account()["quarantined"] == 1
