"""Planted copies are found, and pictures that merely look alike are not: on real garments, a hard case."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anmok.core.preparation import Preparation
from anmok.core.types import Dataset, Entry
from anmok.data import cache
from anmok.data.duplicates import Copy, Duplicates, find_duplicates
from anmok.data.load import load_data
from anmok.data.pixel_sources import ArrayPixels
from anmok.data.stores import ArrayPictures

Change = Callable[[np.ndarray], np.ndarray]


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def sized(pixels: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR))


CHANGES: dict[str, tuple[Change, float]] = {  # and the share that must be found
    "the same": (lambda p: p.copy(), 1.0),
    "re-encoded": (lambda p: jpeg(p, 75), 0.95),
    "enlarged": (lambda p: sized(jpeg(sized(p, 56), 75), 28), 0.95),
    "made smaller": (lambda p: sized(jpeg(sized(p, 21), 85), 28), 0.95),
    "mirrored": (lambda p: jpeg(np.ascontiguousarray(p[:, ::-1]), 85), 0.95),
    "upside down": (lambda p: np.ascontiguousarray(p[::-1]), 0.95),
    "brighter": (lambda p: np.clip(p * 1.1, 0, 255).astype(np.uint8), 0.95),
    "cropped by a row and a column": (lambda p: sized(np.ascontiguousarray(p[1:, 1:]), 28), 0.5),
}


def garments(count: int, seed: int = 1) -> np.ndarray:
    found = load_data("samples").pictures.array[..., 0]  # type: ignore[attr-defined]
    return found[np.random.default_rng(seed).permutation(len(found))[:count]]


def search(pictures: np.ndarray) -> Duplicates:
    array = pictures if pictures.ndim == 4 else pictures[..., None]
    entries = [Entry(f"x:{row}", row) for row in range(len(array))]
    dataset = Dataset(Path(), "idx", "classify", (), entries, ArrayPictures(array, "x"))
    rows = np.arange(len(array))
    return find_duplicates(dataset, ArrayPixels(array, rows), rows)


def planted_and_found(count: int, each: int, seed: int = 1) -> tuple[dict[str, float], float]:
    """Share found of each kind of copy, and share of the distinct pictures called copies of a stranger."""
    distinct = garments(count, seed)
    chosen = np.random.default_rng(2).permutation(count)[: each * len(CHANGES)].reshape(len(CHANGES), each)
    plants = [change(distinct[i]) for (change, _), row in zip(CHANGES.values(), chosen, strict=True) for i in row]
    found = search(np.concatenate([distinct, np.stack(plants)]))
    group_of = {i: group for group in found.groups for i in group}
    origin = {count + k: int(i) for k, i in enumerate(chosen.ravel())}
    shares = {
        name: float(np.mean([i in group_of.get(count + k * each + at, ()) for at, i in enumerate(chosen[k])]))
        for k, name in enumerate(CHANGES)
    }
    strangers = [
        i for i in range(count) if any(origin.get(j, j) != i for j in group_of.get(i, ()))
    ]  # fmt: skip
    return shares, len(strangers) / count


def check_figures(shares: dict[str, float], false_alarms: float) -> None:
    assert {name: share for name, share in shares.items() if share < CHANGES[name][1]} == {}
    assert false_alarms <= 0.01


def test_planted_copies_are_found_among_garments() -> None:
    check_figures(*planted_and_found(1000, 25))


@pytest.mark.slow
def test_planted_copies_are_found_among_5000_garments() -> None:
    check_figures(*planted_and_found(5000, 60))


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
