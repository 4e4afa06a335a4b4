import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data
from torchvision.transforms import v2

from anmok.core.errors import UsageError
from anmok.core.preparation import Preparation, centre_crop, fit_picture
from anmok.core.seen import Seen

PHOTO = data.astronaut()


def grey(**changes):
    return Preparation(**{"size": 28, "store": 28, "channels": 1, "mean": [0.5], "std": [0.5], **changes})


def test_json_round_trip():
    preparation = Preparation(224, 256, fit="pad", mean=(0.1, 0.2, 0.3), std=(1, 2, 3))
    assert Preparation.from_json(json.loads(json.dumps(preparation.to_json()))) == preparation


@pytest.mark.parametrize(
    "changes", [{"size": 300}, {"channels": 2}, {"fit": "stretch"}, {"std": (0, 1, 1)}, {"interpolation": "magic"}]
)
def test_values_outside_are_refused(changes):
    with pytest.raises(UsageError):
        Preparation(**{"size": 224, "store": 256, **changes})


def test_a_right_picture_is_returned_itself():
    pixels = np.zeros((28, 28, 1), np.uint8)
    assert fit_picture(pixels, grey()) is pixels
    assert centre_crop(pixels, 28).base is pixels


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shape", [(512, 512), (480, 512), (512, 300), (64, 100), (100, 64), (333, 500), (481, 321)])
def test_crop_agrees_with_torchvision(shape, interpolation):
    pixels = np.ascontiguousarray(PHOTO[: shape[0], : shape[1]])
    found = centre_crop(fit_picture(pixels, Preparation(112, 128, interpolation=interpolation)), 112)
    mode = v2.InterpolationMode(interpolation)
    reference = v2.Compose([v2.Resize(128, interpolation=mode), v2.CenterCrop(112)])(Image.fromarray(pixels))
    difference = np.abs(found.astype(int) - np.asarray(reference))
    # Here, across goes before down. Pillow, which rounds in between, begins with what is less work: of tall pictures
    # the two may differ by a level or so.
    tall = shape[0] > shape[1]
    assert difference.max() <= (3 if tall else 1)
    assert difference.mean() < (0.2 if tall else 0.005)


def test_squash_is_pillows_resize():
    found = fit_picture(PHOTO[:300], Preparation(64, 64, fit="squash"))
    reference = Image.fromarray(PHOTO[:300]).resize((64, 64), Image.Resampling.BILINEAR)
    difference = np.abs(found.astype(int) - np.asarray(reference))
    assert difference.max() <= 1 and difference.mean() < 0.01  # 15 bits of a weight: see core/resizing.py


def test_pad_keeps_all_and_fills_with_the_mean():
    white = np.full((50, 100, 3), 255, np.uint8)
    found = fit_picture(white, Preparation(40, 40, fit="pad", mean=(0.2, 0.4, 0.6)))
    assert (found[10:30] == 255).all()
    assert (found[:10] == (51, 102, 153)).all() and (found[30:] == (51, 102, 153)).all()


def test_channels():
    luma = PHOTO[:28, :28] @ np.array([0.299, 0.587, 0.114])  # Rec. 601
    found = fit_picture(PHOTO[:28, :28], grey())
    assert found.shape == (28, 28, 1) and np.abs(found[..., 0] - luma).max() <= 1
    back = fit_picture(found, Preparation(28, 28))
    assert back.shape == (28, 28, 3) and (back == found).all()


def test_nearest_invents_no_values():
    mask = (PHOTO[..., :1] // 128 * 200).astype(np.uint8)
    assert set(np.unique(fit_picture(mask, grey(interpolation="nearest")))) <= {0, 200}


def test_crop_of_many_pictures_and_too_large_a_crop():
    stack = np.arange(2 * 5 * 5).reshape(2, 5, 5, 1)
    tensor = torch.from_numpy(stack).permute(0, 3, 1, 2)
    reference = v2.functional.center_crop(tensor, [3, 3]).permute(0, 2, 3, 1).numpy()
    assert (centre_crop(stack, 3) == reference).all()
    with pytest.raises(UsageError):
        centre_crop(stack, 6)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(1, 70), st.integers(1, 70), st.sampled_from([1, 3]), st.sampled_from([1, 3]), st.integers(1, 40),
    st.sampled_from(["crop", "squash", "pad"]),
)  # fmt: skip
def test_any_picture_gets_the_stored_shape(height, width, found, wanted, store, fit):
    pixels = np.full((height, width, found), 90, np.uint8)
    preparation = Preparation(1, store, wanted, fit, mean=(90 / 255,) * wanted, std=(1,) * wanted)
    fitted = fit_picture(pixels, preparation)
    assert fitted.shape == (store, store, wanted) and fitted.dtype == np.uint8
    assert np.abs(fitted.astype(int) - 90).max() <= 1


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.integers(20, 512), st.integers(20, 512), st.sampled_from([(24, 32), (23, 32), (24, 30), (32, 32), (224, 256)]),
    st.sampled_from(["crop", "squash", "pad"]), st.sampled_from(["bilinear", "bicubic"]), st.booleans(), st.booleans(),
)  # fmt: skip
def test_what_the_network_sees_made_directly_is_the_same_bytes(height, width, sizes, fit, interpolation, grey, colour):
    pixels = np.ascontiguousarray(PHOTO[-height:, -width:, : 1 if grey else 3])
    channels = 3 if colour else 1
    preparation = Preparation(*sizes, channels, fit, interpolation, (0.4,) * channels, (0.2,) * channels)
    seen = Seen(preparation).fitted(pixels, (height, width))
    assert seen.shape == Seen(preparation).shape
    assert np.array_equal(seen, centre_crop(fit_picture(pixels, preparation), preparation.size))
