"""Resizing against Pillow, and against the convolution written out in numbers with fractions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from anmok.core import resizing
from anmok.core.resizing import resize

PHOTO = data.astronaut()
BILINEAR, BICUBIC = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC
fast_only = pytest.mark.skipif(resizing.fast is None, reason="cykooz.resizer has no wheel for this platform")


def triangle(x: np.ndarray) -> np.ndarray:
    return np.clip(1 - np.abs(x), 0, None)


def keys(x: np.ndarray) -> np.ndarray:
    """Keys' cubic with a = -1/2 (IEEE Transactions on Acoustics, Speech, and Signal Processing 29, 1981)."""
    x = np.abs(x)
    return np.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))


def weights(found: int, wanted: int, first: float, last: float, resample: Image.Resampling) -> np.ndarray:
    """(wanted, found): what each pixel found counts for each one wanted, the filter widened as pictures shrink."""
    kernel, reach = (triangle, 1) if resample is BILINEAR else (keys, 2)
    scale = (last - first) / wanted
    wide = max(scale, 1)
    centres = first + (np.arange(wanted)[:, None] + 0.5) * scale
    places = np.arange(found)[None] + 0.5
    near = np.abs(places - centres) <= reach * wide
    raw = kernel((places - centres) / wide) * near
    return raw / raw.sum(1, keepdims=True)


def across_then_down(pixels: np.ndarray, size: tuple[int, int], resample: Image.Resampling, box) -> np.ndarray:
    """With whole numbers from 0 to 255 in between, as Pillow has them."""
    height, width = pixels.shape[:2]
    one = weights(width, size[0], box[0], box[2], resample)
    other = weights(height, size[1], box[1], box[3], resample)
    between = np.clip(np.floor(np.einsum("ow,hwc->hoc", one, pixels) + 0.5), 0, 255)
    return np.clip(np.floor(np.einsum("oh,hwc->owc", other, between) + 0.5), 0, 255)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    st.integers(140, 512), st.integers(140, 512), st.integers(8, 300), st.integers(8, 300),
    st.sampled_from([BILINEAR, BICUBIC]), st.sampled_from([1, 3]), st.booleans(), st.data(),
)  # fmt: skip
def test_every_size_and_part_is_the_convolution(height, width, across, down, resample, channels, as_image, chosen):
    pixels = np.ascontiguousarray(PHOTO[:height, -width:, :channels])
    left, top = chosen.draw(st.floats(0, width / 2)), chosen.draw(st.floats(0, height / 2))
    box = chosen.draw(st.sampled_from([None, (left, top, left + width / 2, top + height / 2)]))
    picture = resizing.image_of(pixels) if as_image else pixels
    found = resize(picture, (across, down), resample, box).astype(int)
    if resizing.fast is None:
        expected = np.asarray(resizing.image_of(pixels).resize((across, down), resample, box=box))
        assert np.array_equal(found, expected.reshape(found.shape))
        return
    expected = across_then_down(pixels, (across, down), resample, box or (0, 0, width, height))
    assert found.shape == (down, across, channels)
    # 15 bits of a weight; at twice the size every fourth value lies half way between two levels
    assert np.abs(found - expected).max() <= 2
    assert np.abs(found - expected).mean() < 0.2


@fast_only
@pytest.mark.parametrize("resample", [BILINEAR, BICUBIC])
@pytest.mark.parametrize("size", [(256, 256), (224, 224), (96, 64), (600, 500)])
def test_a_photograph_is_pillows_to_a_level(size, resample):
    photo = Image.fromarray(PHOTO).resize((640, 480))
    box = (80.25, 1.5, 558.0, 479.5)
    found = resize(photo, size, resample, box).astype(int)
    difference = np.abs(found - np.asarray(photo.resize(size, resample, box=box)))
    assert difference.max() <= (1 if size[0] < 500 else 2)  # enlarged, weights are above 1 and have a bit fewer
    assert (difference > 0).mean() < 0.02
    assert np.array_equal(found, resize(np.asarray(photo), size, resample, box))


def test_without_the_package_pillow_resizes(monkeypatch):
    monkeypatch.setattr(resizing, "fast", None)
    found = resize(PHOTO, (64, 48), BICUBIC, (10.5, 20, 400, 300))
    expected = Image.fromarray(PHOTO).resize((64, 48), BICUBIC, box=(10.5, 20, 400, 300))
    assert np.array_equal(found, np.asarray(expected))


@pytest.mark.parametrize("shape", [(10, 12, 3), (4000, 1100, 1)], ids=["tiny", "huge"])
def test_what_gains_nothing_or_is_too_large_is_pillows(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    found = resize(pixels, (30, 20), BICUBIC)
    expected = resizing.image_of(pixels).resize((30, 20), BICUBIC)
    assert np.array_equal(found, np.asarray(expected).reshape(20, 30, -1))


def test_nearest_takes_values_over():
    found = resize(PHOTO, (70, 50), Image.Resampling.NEAREST)
    assert np.array_equal(found, np.asarray(Image.fromarray(PHOTO).resize((70, 50), Image.Resampling.NEAREST)))
