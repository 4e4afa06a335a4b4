"""Damage: seeded, of the right kind and amount, and never to the original. Compared with SciPy, Pillow and torch."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage import data

from anmok.core.errors import UsageError
from anmok.core.seeds import numpy_generator
from anmok.data.corrupt import BLANK, CORRUPTIONS, Corrupt, corrupt


@pytest.fixture(scope="module")
def photographs() -> np.ndarray:
    """Four crops of a colour photograph, uint8 (4, 48, 64, 3)."""
    cat = data.chelsea()
    return np.stack([cat[y : y + 48, x : x + 64] for y, x in ((40, 100), (80, 160), (120, 220), (160, 60))])


def damaged(name: str, pictures: np.ndarray, seed: int = 0) -> np.ndarray:
    return corrupt(name)(pictures, numpy_generator(seed, "test"))


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_it_is_seeded_and_spares_the_original(name: str, channels: int, photographs: np.ndarray) -> None:
    pictures = np.concatenate([photographs, photographs], 3)[..., :channels].copy()
    before = pictures.copy()
    first, again = damaged(name, pictures), damaged(name, pictures)
    assert (first.dtype, first.shape) == (np.uint8, pictures.shape)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, pictures)
    assert np.array_equal(pictures, before)
    if name != "lowres":  # the only one without chance
        assert not np.array_equal(first, damaged(name, pictures, seed=1))


def test_noise_has_the_deviation_asked_for() -> None:
    grey = np.full((4, 100, 100, 1), 128, np.uint8)
    assert damaged("noise:0.1", grey).astype(float).std() / 255 == pytest.approx(0.1, rel=0.02)
    # Cut off at 0: half the noise is lost on black, and the mean of the rest is σ / √(2π).
    black = damaged("noise", np.zeros_like(grey)).astype(float) / 255
    assert (black == 0).mean() == pytest.approx(0.5, abs=0.01)
    assert black.mean() == pytest.approx(0.4 / np.sqrt(2 * np.pi), rel=0.05)


def test_blur_is_a_gaussian(photographs: np.ndarray) -> None:
    """Away from the edges it equals SciPy's, with the deviation that was drawn."""
    deviations = numpy_generator(0, "test").uniform(0.02, 0.06, 4) * 48
    found = damaged("blur:0.06", photographs).astype(float)
    for picture, result, deviation in zip(photographs.astype(float), found, deviations, strict=True):
        expected = gaussian_filter(picture, (deviation, deviation, 0), truncate=8)
        assert np.abs(result - expected)[12:-12, 12:-12].max() < 0.6


def test_jpeg_is_pillow_s(photographs: np.ndarray) -> None:
    quality = round(numpy_generator(0, "test").uniform(10, 30, 4)[0])
    buffer = io.BytesIO()
    Image.fromarray(photographs[0]).save(buffer, "JPEG", quality=quality)
    assert np.array_equal(damaged("jpeg:0.7", photographs)[0], np.asarray(Image.open(buffer)))


@pytest.mark.parametrize("name", ["boxes", "strokes"])
def test_holes_are_grey_and_nothing_else_changes(name: str, photographs: np.ndarray) -> None:
    pictures = np.where(photographs == BLANK, BLANK + 1, photographs).astype(np.uint8)
    result = damaged(name, np.repeat(pictures, 20, 0))
    hole = (result == BLANK).all(3)
    assert np.array_equal(result[~hole], np.repeat(pictures, 20, 0)[~hole])
    shares = hole.mean((1, 2))
    assert 0.005 < shares.min() < shares.mean() < 0.4


def test_boxes_keep_to_their_size() -> None:
    white = np.full((200, 40, 80, 1), 255, np.uint8)
    holes = (damaged("boxes:0.3", white) == BLANK)[..., 0]
    assert holes.any(2).sum(1).min() >= 4 and holes.any(1).sum(1).min() >= 8  # a tenth of each side at least
    assert holes.any((0, 1)).all() and holes.any((0, 2)).all()  # they come everywhere


def test_lowres_keeps_cell_means_only(photographs: np.ndarray) -> None:
    pictures = torch.from_numpy(photographs).movedim(3, 1).float()
    cells = torch.nn.functional.avg_pool2d(pictures, 4)
    expected = torch.nn.functional.interpolate(cells, scale_factor=4, mode="bicubic").round().clamp(0, 255)
    assert np.array_equal(damaged("lowres", photographs), expected.movedim(1, 3).numpy().astype(np.uint8))
    assert np.array_equal(damaged("lowres:1", photographs), photographs)


def test_stronger_is_worse(photographs: np.ndarray) -> None:
    for name, (weak, strong) in {"noise": (0.1, 0.4), "blur": (0.02, 0.1), "jpeg": (0.3, 0.95), "boxes": (0.1, 0.6),
                                 "strokes": (0.02, 0.1), "lowres": (2, 8)}.items():  # fmt: skip
        errors = [
            np.square(damaged(f"{name}:{s}", photographs) - photographs.astype(float)).mean() for s in (weak, strong)
        ]
        assert errors[0] < errors[1], name


def test_names_and_strengths() -> None:
    assert corrupt("noise") == Corrupt("noise", 0.4)
    assert str(corrupt("lowres:2")) == "lowres:2"
    with pytest.raises(UsageError, match="'noise'"):
        corrupt("noize")
    for wrong in ("noise:9", "noise:much", "noise:nan", "boxes:-1"):
        with pytest.raises(UsageError, match="out of range"):
            corrupt(wrong)
