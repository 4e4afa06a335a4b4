"""Augmentation against hand-made pictures: whole-pixel moves copy, warps agree with an independent affine."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from anmok.core.errors import UsageError
from anmok.core.seeds import numpy_generator
from anmok.data.augment import Augment, blend

ROWS = np.arange(6)


def pictures(n: int = 6, store: int = 12, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, store, store, channels), dtype=np.uint8)


def augmented(augment: Augment, pixels: np.ndarray, size: int, epoch: int = 0, seed: int = 0) -> np.ndarray:
    out, _ = augment(pixels, size, numpy_generator(seed, "test"), epoch, np.arange(len(pixels)))
    return out


def test_nothing_chosen_changes_nothing() -> None:
    pixels = pictures()
    assert np.array_equal(augmented(Augment(), pixels, 12), pixels)


def test_a_margin_is_cropped_to_parts_of_the_picture() -> None:
    pixels = pictures()
    for picture, part in zip(pixels, augmented(Augment(), pixels, 8), strict=True):
        windows = [picture[y : y + 8, x : x + 8] for y in range(5) for x in range(5)]
        assert any(np.array_equal(part, window) for window in windows)


def test_a_shift_moves_whole_pixels_and_repeats_the_border() -> None:
    pixels = pictures(store=10)
    for picture, moved in zip(pixels, augmented(Augment(shift=0.2), pixels, 10), strict=True):
        wide = np.pad(picture, ((2, 2), (2, 2), (0, 0)), mode="edge")
        windows = [wide[y : y + 10, x : x + 10] for y in range(5) for x in range(5)]
        assert any(np.array_equal(moved, window) for window in windows)


def test_two_epochs_show_both_sides_of_every_picture() -> None:
    pixels = pictures(n=40)
    first, second = (augmented(Augment(flip=True), pixels, 12, epoch) for epoch in (0, 1))
    mirrored = [not np.array_equal(a, b) for a, b in zip(first, pixels, strict=True)]
    assert 5 < sum(mirrored) < 35
    assert np.array_equal(second, first[:, :, ::-1])


def test_a_half_turn_is_a_half_turn() -> None:
    pixels = pictures(n=1)

    class HalfTurn:
        def uniform(self, low, high, shape):
            return np.full(shape, 180.0 if high == 180 else (1.0 if high == 1.0 and low > 0 else 0.0))

    out = Augment(rotate=180)._warped(pixels, 12, HalfTurn(), np.zeros(1, bool))  # type: ignore[arg-type]
    assert np.abs(out.astype(int) - pixels[:, ::-1, ::-1].astype(int)).max() <= 1


def test_warps_agree_with_pillow() -> None:
    smooth = np.asarray(Image.fromarray(pictures(1, 5)[0, ..., 0]).resize((32, 32), Image.Resampling.BICUBIC))
    angle = 20.0

    class Fixed:
        def uniform(self, low, high, shape):
            return np.full(shape, angle if high == 45 else (1.0 if high == 1.0 and low > 0 else 0.0))

    ours = Augment(rotate=45)._warped(smooth[None, ..., None], 32, Fixed(), np.zeros(1, bool))[0, ..., 0]  # type: ignore[arg-type]
    theirs = np.asarray(Image.fromarray(smooth).rotate(angle, Image.Resampling.BILINEAR))
    inside = np.hypot(*(np.indices((32, 32)) - 15.5)) < 13  # outside, Pillow fills with black
    assert np.abs(ours.astype(int) - theirs.astype(int))[inside].max() <= 2


@pytest.mark.parametrize("channels", [1, 3])
def test_parts_are_enlarged_as_warps_show_them(channels: int) -> None:
    photos = np.stack([data.astronaut()[k : k + 256, 2 * k : 2 * k + 256, :channels] for k in range(0, 96, 12)])
    augment, flipped = Augment(crop=0.7, flip=True), np.arange(len(photos)) % 2 == 0
    parts, warped = (
        getattr(augment, way)(photos, 224, np.random.default_rng(7), flipped).astype(int)
        for way in ("_cropped", "_warped")
    )
    assert np.abs(parts - warped).max() <= 2
    assert np.abs(parts - warped).mean() < 0.2


def test_cutout_leaves_a_square_of_one_grey() -> None:
    pixels = pictures(n=3, store=16)
    out = augmented(Augment(cutout=0.5), pixels, 16)
    for before, after in zip(pixels, out, strict=True):
        changed = (before != after)[..., 0]
        assert 1 <= changed.sum() <= 64
        assert len(np.unique(after[changed])) == 1


def test_colour_keeps_type_and_moves_the_mean() -> None:
    pixels = pictures(channels=3)
    out = augmented(Augment(colour=0.5), pixels, 12)
    assert out.dtype == np.uint8 and out.shape == pixels.shape
    assert len({round(float(a.mean()) - float(b.mean())) for a, b in zip(out, pixels, strict=True)}) > 1


@pytest.mark.parametrize("channels", [1, 3])
def test_colour_is_brightness_then_contrast_then_saturation(channels: int) -> None:
    pixels = pictures(channels=channels)
    b, c, s = numpy_generator(5).uniform(0.6, 1.4, (3, len(pixels), 1, 1, 1))
    x = pixels * b
    mean = x.mean((1, 2, 3), keepdims=True)
    x = (x - mean) * c + mean
    if channels == 3:
        grey = (x * (0.299, 0.587, 0.114)).sum(3, keepdims=True)
        x = (x - grey) * s + grey
    found = Augment(colour=0.4).recoloured(pixels, numpy_generator(5))
    assert np.abs(found - np.clip(x, 0, 255)).max() <= 0.5 + 1e-3  # rounded


def test_mixup_names_partners_and_a_weight_and_blend_follows() -> None:
    _, extra = Augment(mixup=1.0)(pictures(), 12, numpy_generator(0), 0, ROWS)
    assert sorted(extra["partner"]) == list(range(6)) and 0.5 <= extra["weight"] <= 1
    values = torch.arange(6.0)[:, None]
    expected = extra["weight"] * values + (1 - extra["weight"]) * values[torch.as_tensor(extra["partner"])]
    assert torch.allclose(blend(values, extra), expected)
    assert torch.equal(blend(values, {}), values)


def test_the_same_generator_gives_the_same_pictures() -> None:
    busy = Augment(flip=True, rotate=10, shift=0.1, crop=0.8, colour=0.2, cutout=0.3)
    pixels = pictures(channels=3)
    assert np.array_equal(augmented(busy, pixels, 10, seed=3), augmented(busy, pixels, 10, seed=3))
    assert not np.array_equal(augmented(busy, pixels, 10, seed=3), augmented(busy, pixels, 10, seed=4))


@pytest.mark.parametrize(("name", "value"), [("rotate", 181), ("shift", 0.6), ("crop", 0.0), ("cutout", -0.1)])
def test_values_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=name):
        Augment(**{name: value})
