"""Pictures beside masks, in the layouts and the codings that people have."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets.voc import DATASET_YEAR_DICT

from anmok.core.errors import DataError, PictureError
from anmok.core.targets import Frame
from anmok.data.formats._voc_colours import VOC_CLASSES, voc_colour
from anmok.data.load import load_data

SIZE = (24, 36)
VOC_PALETTE = [channel for number in range(256) for channel in voc_colour(number)]
COLOURS = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [10, 20, 30]], np.uint8)


def truth(seed: int = 0) -> np.ndarray:
    """uint8 (24, 36) with classes 0 to 3 in blocks."""
    return np.random.default_rng(seed).integers(0, 4, (6, 9), dtype=np.uint8).repeat(4, 0).repeat(4, 1)


def picture(path: Path, size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(str(path)))
    Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)


def save(path: Path, values: np.ndarray, palette: list[int] | None = None, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values)
    if palette is not None:
        image = Image.frombytes("P", values.shape[::-1], values.tobytes())
        image.putpalette(palette)
    image.save(path, **options)


def write(
    root: Path, code: Callable[[np.ndarray], np.ndarray], suffix: str = "png", count: int = 4, **how: object
) -> Path:
    for i in range(count):
        picture(root / "images" / f"{i}.jpg")
        save(root / "masks" / f"{i}.{suffix}", code(truth(i)), **how)
    return root


def maps(root: Path, **how: object) -> dict[str, np.ndarray]:
    """Class maps by the pictures' stems, checked to account for all."""
    dataset = load_data(root, **how)
    assert dataset.format == "masks" and dataset.task == "segment" and dataset.masks is not None
    dataset.accounts()
    return {Path(e.id).stem: dataset.masks.classes(e.target, Frame(SIZE)) for e in dataset.entries}


CODINGS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], dict[str, object], tuple[str, ...]]] = {
    "values": (lambda m: m, {}, ("0", "1", "2", "3")),
    "16 bits": (lambda m: m.astype(np.uint16) * 300, {}, ("0", "300", "600", "900")),
    "values in TIFF": (lambda m: m, {"suffix": "tif"}, ("0", "1", "2", "3")),
    "a palette": (lambda m: m, {"palette": VOC_PALETTE}, ("0", "1", "2", "3")),
    "greys as colours": (lambda m: m[..., None].repeat(3, 2), {}, ("0", "1", "2", "3")),
    "VOC's colours": (lambda m: np.array(VOC_PALETTE, np.uint8).reshape(-1, 3)[m], {}, ("0", "1", "2", "3")),
    "colours": (lambda m: COLOURS[m], {}, ("#000000", "#00ff00", "#0a141e", "#ff0000")),
}


@pytest.mark.parametrize("coding", CODINGS)
def test_codings_of_several_classes(coding: str, tmp_path: Path) -> None:
    code, how, names = CODINGS[coding]
    found = maps(write(tmp_path, code, **how))  # type: ignore[arg-type]
    dataset = load_data(tmp_path)
    order = [0, 3, 1, 2] if coding == "colours" else [0, 1, 2, 3]
    assert dataset.classes == names and not dataset.set_aside
    assert all(np.array_equal(found[str(i)], np.array(order, np.uint8)[truth(i)]) for i in range(4))


@pytest.mark.parametrize(
    ("code", "how"),
    [
        (lambda m: (m > 1).astype(np.uint8) * 255, {}),
        (lambda m: (m > 1).astype(np.uint8), {}),
        (lambda m: m > 1, {}),
        (lambda m: (m > 1).astype(np.uint8)[..., None].repeat(3, 2) * 255, {}),
        (lambda m: (m > 1).astype(np.uint8) * 255, {"suffix": "gif"}),
        (lambda m: (m > 1).astype(np.uint8), {"palette": [0, 0, 0, 255, 255, 255]}),
    ],
)
def test_codings_of_two_classes(code: Callable, how: dict, tmp_path: Path) -> None:
    found = maps(write(tmp_path, code, **how))
    assert load_data(tmp_path).classes == ("background", "foreground") and not load_data(tmp_path).warnings
    assert all(np.array_equal(found[str(i)], truth(i) > 1) for i in range(4))


def test_black_and_white_in_jpeg_is_read_with_a_warning(tmp_path: Path) -> None:
    found = maps(write(tmp_path, lambda m: (m > 1).astype(np.uint8) * 255, suffix="jpg", quality=75))
    assert "4 masks hold greys where black and white meet" in load_data(tmp_path).warnings[0]
    assert all(np.array_equal(found[str(i)], truth(i) > 1) for i in range(4))


def test_numbers_in_jpeg_are_refused(tmp_path: Path) -> None:
    write(tmp_path, lambda m: m * 40, suffix="jpg", quality=30)
    with pytest.raises(DataError, match=r"compressed as JPEG.*Try: export the masks again as PNG"):
        load_data(tmp_path)


def test_255_among_numbers_is_ignored(tmp_path: Path) -> None:
    found = maps(write(tmp_path, lambda m: np.where(m == 3, 255, m).astype(np.uint8)))
    dataset = load_data(tmp_path)
    assert dataset.classes == ("0", "1", "2") and "255 ignored" in dataset.why
    assert np.array_equal(found["0"] == 255, truth(0) == 3)


DECLARED = {
    "class_dict.csv": "name,r,g,b\nground,0,0,0\ncar,255,0,0\ntree,0,255,0\nVoid,10,20,30\n",
    "labelmap.txt": "# label:color_rgb:parts:actions\nground:0,0,0::\ncar:255,0,0::\ntree:0,255,0::\nvoid:10,20,30::\n",
    "label_colors.txt": "0 0 0\tground\n255 0 0\tcar\n0 255 0\ttree\n10 20 30\tvoid\n",
    "colors.json": json.dumps({"ground": "#000000", "car": [255, 0, 0], "tree": "rgb(0,255,0)", "void": [10, 20, 30]}),
    "classes.json": json.dumps({"classes": [
        {"title": name, "color": f"#{r:02x}{g:02x}{b:02x}"}
        for name, (r, g, b) in zip(("ground", "car", "tree", "void"), COLOURS.tolist(), strict=True)
    ]}),
}  # fmt: skip


@pytest.mark.parametrize("name", DECLARED)
def test_colours_by_a_declared_map(name: str, tmp_path: Path) -> None:
    write(tmp_path, lambda m: COLOURS[m])
    (tmp_path / name).write_text(DECLARED[name])
    dataset = load_data(tmp_path)
    assert dataset.classes == ("ground", "car", "tree") and name in dataset.why and not dataset.warnings
    assert np.array_equal(maps(tmp_path)["1"], np.array([0, 1, 2, 255], np.uint8)[truth(1)])


NUMBERED = {
    "classes.txt": "ground\ncar\ntree\nsky\n",
    "names.txt": "0 ground\n1 car\n2 tree\n3 sky\n",
    "map.json": '{"ground": 0, "car": 1, "tree": 2, "sky": 3}',
    "map2.json": '{"0": "ground", "1": "car", "2": "tree", "3": "sky"}',
    "data.yaml": "names: {0: ground, 1: car, 2: tree, 3: sky}\n",
    "_classes.csv": "Pixel Value, Class\n0, ground\n1, car\n2, tree\n3, sky\n",
    "without_background.txt": "car\ntree\nsky\n",
}


@pytest.mark.parametrize("name", NUMBERED)
def test_numbers_by_a_declared_map(name: str, tmp_path: Path) -> None:
    write(tmp_path, lambda m: m)
    (tmp_path / name).write_text(NUMBERED[name])
    (tmp_path / "readme.txt").write_text("These are masks, made by hand.\nHave 4 of them.\n")
    first = "background" if name == "without_background.txt" else "ground"
    assert load_data(tmp_path).classes == (first, "car", "tree", "sky")


def test_numbers_with_gaps_and_colours_in_a_list(tmp_path: Path) -> None:
    write(tmp_path, lambda m: np.array([0, 7, 11, 255], np.uint8)[m])
    (tmp_path / "map.json").write_text('[{"id": 11, "name": "b"}, {"id": 0, "name": "a"}, {"id": 7, "name": "c"}]')
    assert load_data(tmp_path).classes == ("a", "c", "b")
    assert np.array_equal(maps(tmp_path)["0"], np.array([0, 1, 2, 255], np.uint8)[truth(0)])


def test_vocs_colours_and_names() -> None:
    known = ["background", "aeroplane", "bicycle", "bird"]  # the beginning, as torchvision's segmentation lists it
    assert list(VOC_CLASSES[:4]) == known and len(VOC_CLASSES) == 21 and "2012" in DATASET_YEAR_DICT
    listed = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 4: (0, 0, 128), 5: (128, 0, 128),
              8: (64, 0, 0), 15: (192, 128, 128), 20: (0, 64, 128), 255: (224, 224, 192)}  # fmt: skip
    assert {number: voc_colour(number) for number in listed} == listed  # the development kit's own table


def test_pascal_voc_itself(tmp_path: Path) -> None:
    root = tmp_path / "VOC2012"
    for i, name in enumerate("abcd"):
        picture(root / "JPEGImages" / f"{name}.jpg")
        if name != "d":
            values = np.array([0, 3, 15, 255], np.uint8)[truth(i)]
            save(root / "SegmentationClass" / f"{name}.png", values, VOC_PALETTE)
            save(root / "SegmentationObject" / f"{name}.png", truth(i), VOC_PALETTE)
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text("a\nb\n")
    (root / "ImageSets" / "Segmentation" / "val.txt").write_text("c\n")
    dataset = load_data(tmp_path)
    assert dataset.classes == VOC_CLASSES and dataset.splits == {"train": 2, "val": 1} and dataset.masks is not None
    first = dataset.entries[0].target
    expected = np.array([0, 3, 15, 255], np.uint8)[truth(0)]
    assert np.array_equal(dataset.masks.classes(first, Frame(SIZE)), expected)
    assert np.array_equal(dataset.masks.instances(first, Frame(SIZE)), truth(0))
    assert [item.path for item in dataset.skipped] == ["VOC2012/JPEGImages/d.jpg"] and not dataset.set_aside


def test_faults_are_set_aside_one_by_one(tmp_path: Path) -> None:
    write(tmp_path, lambda m: m, count=9)
    (tmp_path / "classes.txt").write_text("a\nb\nc\nd\n")
    save(tmp_path / "masks" / "1.png", truth(1)[:10])
    save(tmp_path / "masks" / "2.png", truth(2) + 7)
    (tmp_path / "masks" / "3.png").unlink()
    (tmp_path / "masks" / "4.png").write_bytes((tmp_path / "masks" / "4.png").read_bytes()[:60])
    (tmp_path / "images" / "5.jpg").write_bytes(b"")
    (tmp_path / "images" / "6.jpg").unlink()
    dataset = load_data(tmp_path)
    told = {item.path: item.reason for item in dataset.set_aside}
    assert {Path(entry.id).stem for entry in dataset.entries} == {"0", "7", "8"}
    for path, words in {
        "images/1.jpg": "is 36 × 10, the picture 36 × 24", "images/2.jpg": "holds what no class has: 7 (",
        "images/3.jpg": "has no mask", "images/4.jpg": "cannot be read", "images/5.jpg": "empty",
        "masks/6.png": "without a picture",
    }.items():  # fmt: skip
        assert words in told[path]
    assert len(told) == 6 and all(item.fix for item in dataset.set_aside)
    accounts = dataset.accounts()
    assert accounts["pictures"] == {"seen": 8, "used": 3, "quarantined": 5, "skipped": 0}
    assert accounts["files"] == {"seen": 17, "used": 16, "quarantined": 1, "skipped": 0}


def test_masks_that_mostly_hold_unknown_values_are_refused_with_a_list(tmp_path: Path) -> None:
    write(tmp_path, lambda m: COLOURS[m], count=4)
    (tmp_path / "classes.csv").write_text("name,r,g,b\na,0,0,0\nb,255,0,0\n")
    with pytest.raises(DataError, match=r"nothing declares.*#00ff00.*classes.csv declares 2 others"):
        load_data(tmp_path)


def test_a_mask_that_changed_since_is_refused_when_read(tmp_path: Path) -> None:
    write(tmp_path, lambda m: m)
    dataset = load_data(tmp_path)
    save(tmp_path / "masks" / "0.png", truth(0) + 9)
    assert dataset.masks is not None
    with pytest.raises(PictureError, match=r"values that no class has.*9 \(.*Allowed: 0, 1, 2, 3"):
        dataset.masks.classes("masks/0.png", Frame(SIZE))


def test_masks_in_the_frame_of_the_stored_picture_are_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "images").mkdir()
    shown = np.zeros((36, 24), np.uint8)  # upright
    shown[:9, :9] = 1
    for name, mask in (("stored", np.rot90(shown)), ("upright", shown)):
        pixels = Image.fromarray(np.rot90(shown * 255))
        pixels.save(tmp_path / "images" / f"{name}.png", exif=exif)
        save(tmp_path / "masks" / f"{name}.png", mask * 1)
    dataset = load_data(tmp_path)
    assert not dataset.set_aside and dataset.masks is not None
    for entry in dataset.entries:
        drawn = dataset.masks.classes(entry.target, Frame((36, 24), 6))
        assert np.array_equal(drawn, shown)
        assert np.array_equal(dataset.pictures.read(entry.locator)[..., 0], shown * 255)


def test_one_mask_a_class(tmp_path: Path) -> None:
    for i in range(3):
        picture(tmp_path / "images" / f"{i}.jpg")
        for number, name in ((1, "cat"), (2, "dog"), (3, "tree")):
            if i != 2 or name != "tree":
                save(tmp_path / "masks" / f"{i}_{name}.png", (truth(i) == number).astype(np.uint8) * 255)
    found = maps(tmp_path)
    assert load_data(tmp_path).classes == ("background", "cat", "dog", "tree")
    assert np.array_equal(found["0"], truth(0)) and np.array_equal(found["2"], np.where(truth(2) == 3, 0, truth(2)))


def test_one_mask_an_object(tmp_path: Path) -> None:
    for name in ("aa1", "bb2"):
        picture(tmp_path / "stage1_train" / name / "images" / f"{name}.png")
        for k in range(3):
            inside = np.zeros(SIZE, np.uint8)
            inside[k * 8 : k * 8 + 8, : 8 + k] = 255
            save(tmp_path / "stage1_train" / name / "masks" / f"{name[::-1]}{k:03}f.png", inside)
    dataset = load_data(tmp_path)
    assert dataset.classes == ("background", "object") and len(dataset) == 2 and dataset.masks is not None
    target = dataset.entries[0].target
    numbers = dataset.masks.instances(target, Frame(SIZE))
    assert numbers is not None and numbers.max() == 3 and [int((numbers == k).sum()) for k in (1, 2, 3)] == [64, 72, 80]
    assert np.array_equal(dataset.masks.classes(target, Frame(SIZE)), numbers > 0)


LAYOUTS = {
    "side by side": ["images/a.jpg > masks/a.png"],
    "parts above": ["train/images/a.jpg > train/masks/a.png", "val/images/a.jpg > val/masks/a.png"],
    "parts below": ["images/train/a.jpg > labels/train/a.png", "images/val/a.jpg > labels/val/a.png"],
    "one folder": ["a.jpg > a_mask.png", "b.jpg > b_mask.png"],
    "Carvana": ["train/x_01.jpg > train_masks/x_01_mask.png", "train/x_02.jpg > train_masks/x_02_mask.png"],
    "CamVid": ["train/1.png > trainannot/1.png", "val/2.png > valannot/2.png", "test/3.png > testannot/3.png"],
    "ISIC": ["ISIC_Training_Input/ISIC_001.jpg > ISIC_Training_GroundTruth/ISIC_001_segmentation.png"],
    "ADE20K": ["images/training/A_1.jpg > annotations/training/A_1.png"],
    "pets": ["images/Abyssinian_1.jpg > annotations/trimaps/Abyssinian_1.png"],
    "numbered": ["images/image_001.png > masks/mask_001.png", "images/image_002.png > masks/mask_002.png"],
    "classes of pictures": ["images/cat/1.jpg > masks/cat/1.png", "images/dog/1.jpg > masks/dog/1.png"],
    "DRIVE": ["training/images/21_training.tif > training/1st_manual/21_manual1.png"],
    "spaces and cases": ["Images/Cell 1.JPG > Masks/cell_1.PNG"],
    "Korean": ["이미지/가.jpg > 마스크/가.png"],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, tmp_path: Path) -> None:
    wanted = dict(line.split(" > ") for line in LAYOUTS[layout])
    for i, (one, mask) in enumerate(wanted.items()):
        picture(tmp_path / one)
        save(tmp_path / mask, truth(i))
    dataset = load_data(tmp_path)
    assert dataset.format == "masks" and {entry.locator: entry.target for entry in dataset.entries} == wanted
    assert not dataset.set_aside and dataset.accounts()["files"]["used"] == 2 * len(wanted)


def test_cityscapes_kinds_of_masks(tmp_path: Path) -> None:
    for part, town in (("train", "aachen"), ("val", "bonn")):
        stem = f"{part}/{town}/{town}_000000_000019"
        picture(tmp_path / f"leftImg8bit/{stem}_leftImg8bit.png")
        for kind in ("labelIds", "instanceIds", "color"):
            save(tmp_path / f"gtFine/{stem}_gtFine_{kind}.png", truth())
    dataset = load_data(tmp_path)
    assert dataset.splits == {"train": 1, "val": 1}
    assert all(str(entry.target).endswith("labelIds.png") for entry in dataset.entries)
    assert dataset.accounts()["files"] == {"seen": 8, "used": 4, "quarantined": 0, "skipped": 4}


def test_a_part_without_masks_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "train", lambda m: m)
    for i in range(3):
        picture(tmp_path / "test" / "images" / f"{i}.jpg")
    dataset = load_data(tmp_path)
    assert dataset.splits == {"train": 4} and len(dataset.skipped) == 3 and not dataset.set_aside
    assert dataset.warnings == ("3 pictures of test were passed over: none has a mask",)
