"""Small pictures of two kinds, drawn: quick to learn, and what is strange about a strange one is known."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

SIDE = 16


def bars(count: int, seed: int = 0) -> np.ndarray:
    """Soft grey bars, nearly upright, of random place and width, uint8 (count, SIDE, SIDE)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    angle, offset, width = rng.uniform(-0.4, 0.4, count), rng.uniform(-3, 3, count), rng.uniform(1.5, 3.5, count)
    along = np.cos(angle)[:, None, None] * x + np.sin(angle)[:, None, None] * y - offset[:, None, None]
    return (220 * np.exp(-((along / width[:, None, None]) ** 2))).astype(np.uint8)


def with_squares(pictures: np.ndarray, seed: int = 1, side: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """The same with a white square somewhere, and where it is, bool."""
    rng = np.random.default_rng(seed)
    marked, masks = pictures.copy(), np.zeros(pictures.shape, bool)
    for picture, mask, (top, left) in zip(marked, masks, rng.integers(0, SIDE - side, (len(pictures), 2)), strict=True):
        mask[top : top + side, left : left + side] = True
        picture[mask] = 255
    return marked, masks


def save_all(folder: Path, pictures: np.ndarray) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number:03}.png")
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    torch.set_num_threads(1)
    patch = pytest.MonkeyPatch()
    patch.setenv("ANMOK_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """160 bars in one folder, without labels."""
    return save_all(tmp_path_factory.mktemp("bars") / "bars", bars(160))
