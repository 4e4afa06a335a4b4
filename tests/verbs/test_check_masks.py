"""The page of `anmok check` on data with masks: pictures under their class maps, shares of the pixels, odd masks."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import anmok
from anmok.data.load import load_data
from anmok.tasks.segment.colours import palette
from anmok.verbs.check_masks import histograms, samples, with_mask

SIDE = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pictures: a square of class 1 or 2 in each but the first two, whose masks show nothing."""
    root = tmp_path / "data"
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    for number in range(12):
        pixels = np.random.default_rng(number).integers(90, 120, (SIDE, SIDE, 3), dtype=np.uint8)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        if number > 1:
            mask[5:25, 10:30] = 1 + number % 2
        Image.fromarray(pixels).save(root / f"images/{number:02}.png")
        Image.fromarray(mask).save(root / f"masks/{number:02}.png")
    return root


def test_pictures_are_shown_under_their_maps_class_by_class(folder: Path) -> None:
    dataset = load_data(folder)
    found = samples(dataset)
    assert list(found) == list(dataset.classes) and all(len(pictures) == 2 for pictures in found.values())
    for number in (1, 2):  # outlines are drawn in the class's full colour
        assert all((picture == palette()[number]).all(2).any() for picture in found[dataset.classes[number]])
    plain, drawn = with_mask(dataset, 0), with_mask(dataset, 5)
    assert plain is not None and drawn is not None
    assert (plain == plain[..., :1]).all() and not (drawn == drawn[..., :1]).all()  # grey, but where a class is
    Path(dataset.root / "masks/05.png").write_bytes(b"torn")
    assert with_mask(dataset, 5) is None


def test_the_page_tells_shares_and_shows_empty_masks(folder: Path, tmp_path: Path) -> None:
    found = anmok.check(folder, html=tmp_path / "page.html")
    (empty,) = [problem for problem in found.problems if problem["kind"] == "empty masks"]
    assert [Path(name).stem for group in empty["pictures"] for name in group] == ["00", "01"]
    (told,) = histograms(found.statistics)
    square = 5 * 20 * 20 * 10_000 / (12 * SIDE * SIDE)  # five pictures show each class
    assert dict(told.bins)[found.classes[1]] == dict(told.bins)[found.classes[2]] == round(square)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "of 10,000 pixels, by class" in page and page.count("data:image") >= 6 + 2


def test_other_data_has_no_shares() -> None:
    assert histograms({"sizes": []}) == []
