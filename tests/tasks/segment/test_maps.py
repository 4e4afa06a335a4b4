"""Class maps of whole pictures: every fit brings answers back to the original's own pixels, tiles leave no seam."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from anmok.core.types import Prediction
from anmok.data import whole_pictures
from anmok.data.stores import PathPictures
from anmok.networks.unet import unet
from anmok.tasks.segment.answering import answers, overlay
from anmok.tasks.segment.maps import class_maps, mapper
from tests.tasks.segment.pointwise import CLASSES, model, painting

SIZES = [(40, 60), (90, 31), (7, 5), (128, 128)]


@pytest.fixture
def pictures(tmp_path) -> tuple[list[str], list[np.ndarray]]:
    names, masks = [], []
    for number, size in enumerate(SIZES):
        pixels, mask = painting(*size, seed=number)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        names.append(str(tmp_path / f"{number}.png"))
        masks.append(mask)
    return names, masks


def test_windows_answer_every_pixel_of_pictures_of_any_size(pictures) -> None:
    names, masks = pictures
    for found, mask in zip(class_maps(model(32, "window"), PathPictures(), names, batch=3), masks, strict=True):
        assert np.array_equal(found.mask, mask)


@pytest.mark.parametrize("fit", ["pad", "squash"])
def test_fitted_pictures_are_answered_in_their_own_size(pictures, fit: str) -> None:
    names, masks = pictures
    for found, mask in zip(class_maps(model(128, fit), PathPictures(), names, batch=3), masks, strict=True):
        assert found.mask.shape == mask.shape
        inner = ~maps_edges(mask)  # an edge may move by a pixel where the picture was enlarged and made smaller again
        assert np.array_equal(found.mask[inner], mask[inner])


def maps_edges(mask: np.ndarray) -> np.ndarray:
    from scipy.ndimage import maximum_filter, minimum_filter

    return maximum_filter(mask, 3) != minimum_filter(mask, 3)


def test_tiles_of_a_real_network_agree_with_the_whole_picture_away_from_its_edge() -> None:
    """A network that sees few pixels around each: inside the blend two tiles say the same as one."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1)).eval()
    one = model(64, "window", net)
    pixels, _ = painting(200, 150)
    whole = one.probabilities(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0].argmax(0).numpy()
    tiles, inside = mapper(one).tiled(pixels, batch=4)
    assert inside is None
    assert (whole == tiles).mean() > 0.995


def test_large_pictures_are_decoded_one_by_one_and_bad_ones_named(pictures, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(whole_pictures, "LARGE", 3000)
    names, masks = pictures
    (tmp_path / "torn.png").write_bytes(b"\x89PNG")
    asked = [names[0], str(tmp_path / "torn.png"), *names[1:]]
    found = list(answers(model(32, "window"), PathPictures(), asked, asked, batch=2))
    assert [answer.id for answer in found] == asked
    assert found[1].error and found[1].mask is None
    good: list[Prediction] = [answer for answer in found if answer.error is None]
    for answer, mask in zip(good, masks, strict=True):
        assert np.array_equal(answer.mask, mask) and answer.classes == CLASSES
        drawn = overlay(PathPictures().read(answer.id), answer.mask, answer.objects)
        assert drawn.shape == (*mask.shape, 3)
        shares = {name: float((mask == CLASSES.index(name)).mean()) for name in CLASSES}
        assert dict(zip(answer.labels, answer.scores, strict=True)) == pytest.approx(
            {name: share for name, share in shares.items() if share}
        )


def test_grey_pictures_reach_a_network_of_three_channels(tmp_path) -> None:
    Image.new("L", (20, 10), 255).save(tmp_path / "grey.png")
    (found,) = class_maps(model(16, "window"), PathPictures(), [str(tmp_path / "grey.png")], batch=1)
    assert found.mask.shape == (10, 20) and set(np.unique(found.mask)) <= {1, 2, 3}


def test_any_size_goes_through_a_unet() -> None:
    torch.manual_seed(0)
    one = model(32, "window", unet(num_classes=4).eval())
    for size in ((33, 47), (7, 90), (70, 7)):
        assert mapper(one).tiled(painting(*size)[0], batch=2).mask.shape == size
