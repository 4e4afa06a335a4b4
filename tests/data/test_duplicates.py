"""Planted copies are found, and pictures that merely look alike are not: garments, digits, textures, photographs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from copied_pictures import CHANGES, PHOTOGRAPHS, TEXTURES, digits, garments, jpeg, planted_and_found, search, tiles
from PIL import Image

from anmok.core.preparation import Preparation
from anmok.data import cache
from anmok.data.duplicates import Copy, Duplicates, find_duplicates
from anmok.data.load import load_data
from anmok.data.near_copies import _smallest


def missed(shares: dict[str, float]) -> dict[str, float]:
    return {name: share for name, share in shares.items() if share < CHANGES[name][1]}


def test_copies_among_garments() -> None:
    shares, false_alarms = planted_and_found(garments(1000), 25)
    assert missed(shares) == {} and false_alarms <= 0.01


@pytest.mark.slow
def test_copies_among_5000_garments() -> None:
    shares, false_alarms = planted_and_found(garments(5000), 60)
    assert missed(shares) == {} and false_alarms <= 0.01


@pytest.mark.parametrize("side", [48, 64])
def test_copies_among_tiles_of_textures(side: int) -> None:
    """Bricks share their joints, and little else."""
    shares, false_alarms = planted_and_found(tiles(TEXTURES, side), 10)
    assert missed(shares) == {} and false_alarms <= 0.01


@pytest.mark.slow
@pytest.mark.parametrize("side", [32, 40, 56, 80, 96, 128])
@pytest.mark.parametrize("names", [TEXTURES, PHOTOGRAPHS], ids=["textures", "photographs"])
def test_tiles_are_no_copies_of_each_other(names: tuple[str, ...], side: int) -> None:
    pictures = tiles(names, side)
    assert sum(map(len, search(pictures).groups)) <= 0.01 * len(pictures)


@pytest.mark.slow
@pytest.mark.parametrize("side", [64, 96])
def test_copies_among_tiles_of_photographs(side: int) -> None:
    shares, false_alarms = planted_and_found(tiles(PHOTOGRAPHS, side), 25)
    assert missed(shares) == {} and false_alarms <= 0.01


def test_digits_of_eight_pixels_are_no_copies_of_each_other() -> None:
    pictures = digits()
    assert sum(map(len, search(pictures).groups)) <= 0.01 * len(pictures)


def test_many_copies_of_one_picture_are_one_group() -> None:
    """As in data that was augmented before it was shared: the crowd around a picture then consists of its copies."""
    pictures = garments(300)
    copies = [jpeg(pictures[i], quality) for i in range(8) for quality in range(60, 96, 3)]
    found = search(np.concatenate([pictures, np.stack(copies)]))
    group_of = {i: group for group in found.groups for i in group}
    assert np.mean([at // 12 in group_of.get(300 + at, ()) for at in range(len(copies))]) >= 0.9


def test_exact_copies_of_files_and_of_pixels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    pictures = [np.kron(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8)) for _ in "123"]
    for i, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(tmp_path / "a" / f"{i}.png")
    (tmp_path / "b" / "file.png").write_bytes((tmp_path / "a" / "0.png").read_bytes())
    Image.fromarray(pictures[1]).save(tmp_path / "b" / "pixels.bmp")
    dataset = load_data(tmp_path)
    built = cache.build(dataset, Preparation(40, 40))
    found = find_duplicates(dataset, built.source, built.rows)
    named = {(dataset.entries[c.first].id, dataset.entries[c.second].id, c.kind) for c in found.copies}
    assert named == {("a/0.png", "b/file.png", "same file"), ("a/1.png", "b/pixels.bmp", "same pixels")}
    assert len(found.contradicting([entry.target for entry in dataset.entries])) == 2


def test_colour_counts() -> None:
    grey = garments(1)[0].astype(float) / 255
    red, blue = (np.stack([grey * level for level in levels], axis=-1) for levels in ((200, 20, 20), (20, 20, 200)))
    assert search(np.stack([red, blue]).astype(np.uint8)).copies == ()


def test_flat_pictures_are_no_copies_of_each_other() -> None:
    flat = np.stack([np.full((28, 28), level, np.uint8) for level in (0, 0, 90, 91)])
    assert search(flat).copies == ()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_pictures(count: int) -> None:
    assert search(garments(count)).groups == ()


def test_a_chain_of_copies_is_one_group() -> None:
    one = garments(1)[0]
    assert search(np.stack([one, one, jpeg(one, 90), one])).groups == ((0, 1, 2, 3),)


def test_sides_and_labels() -> None:
    found = Duplicates((Copy(0, 1, "near"), Copy(2, 3, "near")), ((0, 1), (2, 3)))
    sides = ["train", "test", "train", None]
    assert found.torn(sides) == [(0, 1)] and found.leaked(sides, "test") == [1]
    assert found.contradicting([0, 0, 1, 2]) == [(2, 3)] and found.contradicting([0, None, 1, None]) == []


@pytest.mark.parametrize("columns", [3, 7, 40, 300, 1003])
def test_the_smallest_values_and_where_they_stand(columns: int) -> None:
    values = torch.from_numpy(np.random.default_rng(columns).permutation(5 * columns).reshape(5, columns))
    found = _smallest(values, min(7, columns))
    order = values.argsort(dim=1)[:, :7]
    assert torch.equal(found[1], order) and torch.equal(found[0], values.gather(1, order))
