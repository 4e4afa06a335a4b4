"""VOC's XML as people and their tools write it."""

from pathlib import Path

import pytest
from PIL import Image

from anmok.core.errors import DataError
from anmok.data.load import load_data


def xml(*objects: str, size: str = "<width>60</width><height>40</height>", name: str = "a.png") -> str:
    return f"<annotation><filename>{name}</filename><size>{size}</size>\n" + "\n".join(objects) + "</annotation>"


def thing(box: str = "11 6 20 30", name: str = "cat", more: str = "") -> str:
    corners = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), box.split(), strict=True))
    return f"<object><name>{name}</name>{more}<bndbox>{corners}</bndbox></object>"


def write(root: Path, content: str | bytes, name: str = "a") -> Path:
    root.mkdir(exist_ok=True)
    Image.new("L", (60, 40)).save(root / f"{name}.png")
    (root / f"{name}.xml").write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def test_pixels_are_counted_from_one_and_both_corners_belong(tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path, xml(thing("1 1 60 40"), thing("11.5 6 20 30"))))
    assert dataset.entries[0].target.boxes.tolist() == [[0, 0, 60, 40], [10.5, 5, 20, 30]]
    assert dataset.why.endswith("counted from 1")


def test_tools_that_count_from_zero_are_noticed(tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path, xml(thing("0 0 60 40"), thing("10 0 20 30"), thing("1 5 9 9"))))
    assert dataset.entries[0].target.boxes.tolist() == [[0, 0, 60, 40], [10, 0, 20, 30], [1, 5, 9, 9]]
    assert dataset.why.endswith("counted from 0")


BAD = {
    "no name": (thing(name=" "), "no name"),
    "no box": ("<object><name>cat</name></object>", "no box"),
    "words": (thing("a 1 2 3"), "not four numbers"),
    "a blank": (thing().replace("20", ""), "not four numbers"),
    "not a number": (thing("nan 1 2 3"), "no number"),
    "swapped corners": (thing("20 30 11 6"), "corners are swapped"),
    "outside": (thing("11 6 20 90"), "outside its picture"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_object_costs_that_object(fault: str, tmp_path: Path) -> None:
    bad, words = BAD[fault]
    dataset = load_data(write(tmp_path, xml(thing(), bad, thing("31 6 40 30", "dog"))))
    assert [dataset.classes[i] for i in dataset.entries[0].target.labels] == ["cat", "dog"]
    (aside,) = dataset.set_aside
    assert (aside.path, aside.line) == ("a.xml", 3) and words in aside.reason and aside.fix
    assert dataset.accounts()["rows"] == {"seen": 3, "used": 2, "quarantined": 1, "skipped": 0}


def test_marks_are_read(tmp_path: Path) -> None:
    rows = [thing(more="<difficult>1</difficult>"), thing("31 6 40 30", more="<difficult>0</difficult>")]
    assert load_data(write(tmp_path, xml(*rows))).entries[0].target.difficult.tolist() == [True, False]


def test_an_entity_bomb_is_refused_unopened(tmp_path: Path) -> None:
    levels = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 30))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{levels}]>{xml(thing(name="&l29;"))}'
    with pytest.raises(DataError, match=r"a\.xml, line 1: the file declares entities.*Try: remove"):
        load_data(write(tmp_path, bomb))
    outside = f'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]>{xml(thing(name="&f;"))}'
    with pytest.raises(DataError, match="declares entities"):
        load_data(write(tmp_path, outside))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (xml(thing())[:-20], "XML is damaged"),
        (xml(thing()).replace("</name>", "</nome>"), "mismatched tag"),
        (b"<annotation>\xff\xfe" + xml(thing()).encode(), "damaged"),
        (xml("<a>" * 100 + "</a>" * 100), "inside each other"),
        (xml(thing(name="&unknown;")), "undefined entity"),
        ('<?xml version="1.0" encoding="nonsense"?>' + xml(thing()), "damaged"),
    ],
)
def test_a_damaged_file_costs_its_picture(content: str | bytes, words: str, tmp_path: Path) -> None:
    write(tmp_path, xml(thing()))
    dataset = load_data(write(tmp_path, content, "b"))
    (aside,) = dataset.set_aside
    assert aside.path == "b.xml" and words in aside.reason and aside.line
    assert dataset.account() == {"seen": 2, "used": 1, "quarantined": 0, "skipped": 1}


def test_letters_of_any_encoding(tmp_path: Path) -> None:
    content = '<?xml version="1.0" encoding="euc-kr"?>'.replace("euc-kr", "utf-16") + xml(thing(name="고양이"))
    assert load_data(write(tmp_path, content.encode("utf-16"))).classes == ("고양이",)


def test_pictures_and_annotations_without_each_other(tmp_path: Path) -> None:
    write(tmp_path, xml(thing()))
    Image.new("L", (9, 9)).save(tmp_path / "alone.png")
    (tmp_path / "gone.xml").write_text(xml(thing(), thing(), name="gone.png"))
    (tmp_path / "menu.xml").write_text("<menu/>")
    dataset = load_data(tmp_path)
    assert [(q.path, q.reason) for q in dataset.set_aside] == [("gone.xml", "no picture is called as it is")]
    assert "1 pictures have no annotation" in dataset.warnings[0]
    accounts = dataset.accounts()
    assert accounts["files"] == {"seen": 5, "used": 2, "quarantined": 1, "skipped": 2}
    assert accounts["rows"] == {"seen": 3, "used": 1, "quarantined": 0, "skipped": 2}


def test_lists_of_parts(tmp_path: Path) -> None:
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (tmp_path / folder).mkdir(parents=True)
    for name in "abcde":
        Image.new("L", (60, 40)).save(tmp_path / "JPEGImages" / f"{name}.png")
        (tmp_path / "Annotations" / f"{name}.xml").write_text(xml(thing(), name=f"{name}.png"))
    for part, names in {"train": "a\nd\n", "val": "b  1\nd\n", "trainval": "a\nb\nc\n", "cat_train": "e 1\n"}.items():
        (tmp_path / "ImageSets" / "Main" / f"{part}.txt").write_text(names)
    dataset = load_data(tmp_path)
    assert {Path(entry.id).stem: entry.split for entry in dataset.entries} == {"a": "train", "b": "val", "c": None}
    assert [(q.path, q.reason) for q in dataset.quarantined] == [
        ("JPEGImages/d.png", "ImageSets lists it on two sides of the split")
    ]
    assert [s.path for s in dataset.skipped] == ["JPEGImages/e.png"]


def test_the_order_of_classes_follows_a_list_that_names_them_all(tmp_path: Path) -> None:
    write(tmp_path, xml(thing(name="cat"), thing("31 6 40 30", "dog")))
    (tmp_path / "classes.txt").write_text("dog\ncow\ncat\n")
    assert load_data(tmp_path).classes == ("dog", "cow", "cat")
    (tmp_path / "classes.txt").write_text("dog\ncow\n")
    assert load_data(tmp_path).classes == ("cat", "dog")


def test_sizes_of_zero_say_nothing(tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path, xml(thing(), size="<width>0</width><height>0</height>")))
    assert not dataset.warnings and len(dataset.entries[0].target) == 1
