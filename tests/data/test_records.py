"""Masks beside pictures in the cache: the same geometry, ids kept, bad masks set aside; whole pictures for windows."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anmok.core.errors import DataError, PictureError, UsageError
from anmok.core.preparation import Preparation, centre_crop, fit_mask, fit_picture
from anmok.core.targets import IGNORE, Frame
from anmok.core.types import Dataset, Entry
from anmok.data import window_sources
from anmok.data.cache import build, fingerprint
from anmok.data.records import Layout, labelled
from anmok.data.stores import FilePictures
from anmok.data.window_sources import FiledWindows, StreamedWindows

SIZES = ((30, 50), (64, 64), (90, 41))  # height, width
BOTH = ("classes", "instances")


@dataclass(frozen=True)
class Numbers:
    """Masks as text files of numbers: plain enough to write and read without a decoder."""

    root: Path

    def classes(self, target: Any, frame: Frame) -> np.ndarray:
        return self._read(target, frame).astype(np.uint8)

    def instances(self, target: Any, frame: Frame) -> np.ndarray | None:
        return None if "alone" in target else self._read(target, frame).astype(np.uint16) * 200

    def _read(self, target: str, frame: Frame) -> np.ndarray:
        try:
            return frame.upright_mask(np.loadtxt(self.root / target, dtype=np.int64, ndmin=2), target)
        except FileNotFoundError as error:
            raise PictureError("the mask is missing", path=target, fix="make it") from error

    def identity(self, target: Any) -> bytes:
        return (self.root / target).read_bytes() if (self.root / target).exists() else b"gone"


@pytest.fixture
def dataset(tmp_path):
    root, random, entries = tmp_path / "data", np.random.default_rng(0), []
    root.mkdir()
    for k, (height, width) in enumerate(SIZES):
        coarse = random.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((width, height)).save(root / f"{k}.png")
        np.savetxt(root / f"{k}.txt", random.choice([0, 1, 7, 255], (height, width)), fmt="%d")
        entries.append(Entry(f"{k}.png", f"{k}.png", f"{k}.txt"))
    return Dataset(root, "test", "segment", ("a", "b"), entries, FilePictures(root), seen=3, masks=Numbers(root))


def built(dataset, layout, tmp_path, **how):
    return build(labelled(dataset, layout.planes), layout, directory=tmp_path / "cache", workers=0, **how)


@pytest.mark.parametrize("limit", [None, 0])
@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
def test_records_hold_what_fitting_each_part_gives(dataset, tmp_path, fit, limit):
    layout = Layout(Preparation(24, 32, fit=fit), BOTH)
    found = built(dataset, layout, tmp_path, limit=limit)
    assert found.kind == ("cache" if limit is None else "stream") and not found.bad_ids
    stored = layout.unpack(found.source.gather(np.array([2, 0, 1])))
    for k, row in enumerate((2, 0, 1)):
        pixels = np.asarray(Image.open(dataset.root / f"{row}.png"))
        mask = np.loadtxt(dataset.root / f"{row}.txt", dtype=np.int64)
        assert np.array_equal(stored.pixels[k], fit_picture(pixels, layout.preparation))
        assert np.array_equal(stored.classes[k], fit_mask(mask, layout.preparation, IGNORE))
        assert np.array_equal(stored.instances[k], fit_mask(mask * 200, layout.preparation, 0))
        assert tuple(stored.sizes[k]) == SIZES[row]
    assert built(dataset, layout, tmp_path, limit=limit).reused


def test_a_bad_mask_costs_its_picture_and_is_named(dataset, tmp_path):
    np.savetxt(dataset.root / "1.txt", np.zeros((9, 9)), fmt="%d")
    (dataset.root / "2.txt").unlink()
    found = built(dataset, Layout(Preparation(24, 24), ("classes",)), tmp_path)
    assert found.bad_ids == {"1.png", "2.png"} and found.rows.tolist() == [0]
    size, missing = found.quarantined
    assert "another size" in size.reason and "9 × 9" in size.reason and size.fix and "missing" in missing.reason
    assert dataset.without(found.quarantined, found.bad_ids).account()["quarantined"] == 2


def test_masks_that_do_not_tell_objects_apart_are_refused_where_that_is_asked(dataset, tmp_path):
    (dataset.root / "alone.txt").write_bytes((dataset.root / "0.txt").read_bytes())
    alone = Entry("0.png", "0.png", "alone.txt")
    one = Dataset(dataset.root, "test", "segment", (), [alone], dataset.pictures, seen=1, masks=dataset.masks)
    found = built(one, Layout(Preparation(24, 24), BOTH), tmp_path)
    assert "do not tell objects apart" in found.quarantined[0].reason


def test_the_cache_knows_when_a_mask_changes(dataset):
    layout = Layout(Preparation(24, 24), ("classes",))
    before = fingerprint(labelled(dataset, layout.planes), layout)
    plain = fingerprint(labelled(dataset, ()), Layout(Preparation(24, 24)))
    assert before != plain != fingerprint(dataset, Preparation(24, 24))
    np.savetxt(dataset.root / "0.txt", np.ones(SIZES[0]), fmt="%d")
    assert fingerprint(labelled(dataset, layout.planes), layout) != before
    assert fingerprint(labelled(dataset, ()), Layout(Preparation(24, 24))) == plain


def test_unknown_planes_are_refused():
    with pytest.raises(UsageError, match="depth"):
        Layout(Preparation(8, 8), ("depth",))


@pytest.mark.parametrize(("limit", "line_by_line"), [(None, False), (None, True), (0, False)])
def test_windows_of_whole_pictures(dataset, tmp_path, monkeypatch, limit, line_by_line):
    monkeypatch.setattr(window_sources, "_LINES_FROM", 1 if line_by_line else 4)
    (dataset.root / "1.png").write_bytes(b"no picture")  # a bad one in between takes no room
    layout = Layout(Preparation(16, 16, fit="window"), BOTH)
    found = built(dataset, layout, tmp_path, limit=limit)
    assert isinstance(found.source, FiledWindows if limit is None else StreamedWindows)
    assert found.rows.tolist() == [0, 2] and found.source.sizes.tolist() == [[30, 50], [0, 0], [90, 41]]
    corners = np.array([[3, 5], [-4, 30], [80, 35]])
    stored = found.source.windows(np.array([0, 2, 2]), corners, 16)
    for k, (row, (top, left)) in enumerate(zip((0, 2, 2), corners.tolist(), strict=True)):
        pixels, mask = np.asarray(Image.open(dataset.root / f"{row}.png")), np.loadtxt(dataset.root / f"{row}.txt")
        for y in range(16):
            for x in range(16):
                inside = 0 <= top + y < pixels.shape[0] and 0 <= left + x < pixels.shape[1]
                expected = pixels[top + y, left + x].tolist() if inside else [128, 128, 128]
                assert stored.pixels[k, y, x].tolist() == expected
                assert stored.classes[k, y, x] == (mask[top + y, left + x] if inside else IGNORE)
                assert stored.instances[k, y, x] == (200 * mask[top + y, left + x] if inside else 0)
    again = built(dataset, layout, tmp_path, limit=limit)
    assert again.reused and again.bad_ids == {"1.png"}
    same = pickle.loads(pickle.dumps(found.source)).windows(np.array([0]), corners[:1], 16)
    assert np.array_equal(same.pixels[0], stored.pixels[0])
    if limit is None:
        assert (tmp_path / "cache" / found.source.path.parent.name / "pixels.u8").stat().st_size == sum(
            8 + h * w * (3 + 1 + 2) for h, w in (SIZES[0], SIZES[2])
        )
    else:
        (dataset.root / "2.png").unlink()
        with pytest.raises(DataError, match=r"2\.png"):
            found.source.windows(np.array([2]), corners[:1], 16)


def test_orientation_turns_masks_made_on_stored_pixels(tmp_path):
    """The same picture stored sideways: a mask made on the stored pixels and one made upright give one class map."""
    upright = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    mask, exif = np.arange(600).reshape(20, 30) % 5, Image.Exif()
    exif[0x112] = 6  # to be turned clockwise
    Image.fromarray(np.rot90(upright)).save(tmp_path / "a.png", exif=exif)
    np.savetxt(tmp_path / "stored.txt", np.rot90(mask), fmt="%d")
    np.savetxt(tmp_path / "upright.txt", mask, fmt="%d")
    entries = [Entry(name, "a.png", f"{name}.txt") for name in ("stored", "upright")]
    both = Dataset(tmp_path, "t", "segment", (), entries, FilePictures(tmp_path), seen=2, masks=Numbers(tmp_path))
    layout = Layout(Preparation(20, 20), ("classes",))
    found = layout.unpack(built(both, layout, tmp_path).source.gather(np.arange(2)))
    assert np.array_equal(found.classes[0], found.classes[1])
    assert np.array_equal(found.classes[0], mask[:, 5:25])
    assert np.array_equal(centre_crop(found.pixels, 20)[0], upright[:, 5:25])


def test_records_come_through_decoding_workers_unchanged(dataset, tmp_path):
    layout = Layout(Preparation(24, 32, fit="pad"), BOTH)
    here = built(dataset, layout, tmp_path).source.gather(np.arange(3))
    there = build(labelled(dataset, BOTH), layout, directory=tmp_path / "other", workers=1).source.gather(np.arange(3))
    assert np.array_equal(here, there)
