"""Proposals are found once, kept by what pictures show, and move with their pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anmok.core import selective_search
from anmok.core.preparation import Preparation
from anmok.data.augment import Augment
from anmok.data.prepare import prepare
from anmok.data.proposals import KeptSearch, sweep_kept
from anmok.data.samples.scenes import scenes
from anmok.metrics._detections import overlaps

BOX = np.array([[10, 12, 34, 40]])


def picture() -> np.ndarray:
    rng = np.random.default_rng(0)
    drawn = rng.normal(90, 6, (56, 64, 3))
    drawn[12:40, 10:34] = (220, 40, 40)
    return drawn.clip(0, 255).astype(np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path))
    return tmp_path / "proposals"


def test_a_picture_is_searched_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search, searched = KeptSearch.for_squares(64), []
    real = selective_search.selective_search
    monkeypatch.setattr(selective_search, "selective_search", lambda *a, **k: searched.append(1) or real(*a, **k))
    first, second = search(picture()), search(picture().copy())
    assert np.array_equal(first, second) and len(searched) == 1
    changed = picture()
    changed[0, 0] ^= 255
    search(changed)
    KeptSearch.for_squares(600)(picture())  # other settings find others
    assert len(searched) == 3 and len(list(cache.glob("*/*.f32"))) == 3
    assert overlaps(BOX, first).max() > 0.8


def test_damaged_files_are_searched_again_and_a_read_only_disk_costs_only_time(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = KeptSearch.for_squares(64)
    found = search(picture())
    (kept,) = cache.glob("*/*.f32")
    kept.write_bytes(kept.read_bytes()[:-3])
    assert np.array_equal(search(picture()), found)
    kept.write_bytes(np.full(4, np.nan, np.float32).tobytes())
    assert np.array_equal(search(picture()), found)
    blocked = cache.with_name("a file")
    blocked.write_text("")
    monkeypatch.setenv("ANMOK_CACHE", str(blocked))
    assert np.array_equal(search(picture()), found)


def test_the_longest_unused_go_first(cache: Path) -> None:
    for number in range(3):
        changed = picture()
        changed[0, 0] = number
        KeptSearch.for_squares(64)(changed)
    kept = sorted(cache.glob("*/*.f32"), key=lambda path: path.stat().st_mtime_ns)
    sweep_kept(limit=kept[-1].stat().st_size)
    assert list(cache.glob("*/*.f32")) == [kept[-1]]


def test_proposals_move_with_their_pictures() -> None:
    """Proposals that are the objects' own boxes still are after any move; those found cover the objects."""
    grey = (0.5,) * 3
    prepared = prepare(scenes(3, 1, 96), Preparation(96, 96, 3, fit="pad", mean=grey, std=grey))
    search, augment = KeptSearch.for_squares(96), Augment(flip=True, crop=0.6, shift=0.1, mosaic=0.5)
    moved = prepared.objects("train", 3, augment=augment, search=search)
    (batch,) = replace(moved, proposals=moved.targets).epoch(0)
    for target in batch.targets:
        assert len(target["boxes"]) and torch.equal(target["regions"], target["boxes"])
    (batch,) = prepared.objects("train", 3, search=search).epoch(0)
    covered = [overlaps(one["boxes"].numpy(), one["regions"].numpy()).max(1) >= 0.5 for one in batch.targets]
    assert np.concatenate(covered).mean() > 0.85
