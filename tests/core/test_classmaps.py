"""Scores brought back to the original picture: as torch interpolates, through every way pictures are fitted."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from anmok.core import classmaps
from anmok.core.classmaps import class_map, likeliest
from anmok.core.geometry import Geometry
from anmok.core.preparation import Preparation, fit_mask


def scores(classes: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).random((classes, height, width), dtype=np.float32)


def test_scores_of_the_same_size_are_compared_as_they_are() -> None:
    found = scores(4, 5, 7)
    assert np.array_equal(class_map(found, Geometry(), (5, 7)), found.argmax(0))


@pytest.mark.parametrize("size", [(31, 45), (6, 9), (100, 3)])
def test_squashed_pictures_are_enlarged_as_torch_does(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classmaps, "AT_ONCE", 500)  # several strips
    found = scores(3, 16, 16)
    expected = F.interpolate(torch.from_numpy(found)[None], size=size, mode="bilinear", align_corners=False)[0]
    ours = class_map(found, Preparation(16, 16, fit="squash").geometry(size), size)
    best = expected.topk(2, dim=0).values
    clear = (best[0] - best[1] > 1e-5).numpy()  # a tie may fall either way
    assert clear.mean() > 0.99 and np.array_equal(ours[clear], expected.argmax(0).numpy()[clear])


@pytest.mark.parametrize("fit", ["pad", "squash"])
def test_a_mask_survives_there_and_back(fit: str) -> None:
    mask = np.zeros((60, 100), np.uint8)
    mask[20:40, 30:80], mask[45:, :50] = 1, 2
    preparation = Preparation(96, 96, fit=fit)
    seen = fit_mask(mask, preparation, fill=0)
    back = class_map(np.eye(3, dtype=np.float32)[seen].transpose(2, 0, 1), preparation.geometry((60, 100)), (60, 100))
    assert (back == mask).mean() > 0.98


@pytest.mark.parametrize("size", [(101, 140), (140, 101), (33, 9), (96, 96)])
def test_what_is_answered_in_the_padding_reaches_no_pixel(size: tuple[int, int]) -> None:
    preparation = Preparation(64, 64, fit="pad")
    beside = fit_mask(np.zeros(size, np.uint8), preparation, fill=1)  # class 1 in the padding and nowhere else
    found = np.eye(2, dtype=np.float32)[beside].transpose(2, 0, 1)
    assert not class_map(found, preparation.geometry(size), size).any()


def test_of_equal_scores_the_first_class_is_taken() -> None:
    found = np.random.default_rng(0).integers(0, 3, (5, 40, 50)).astype(np.float32)  # ties all over
    assert np.array_equal(likeliest(found), found.argmax(0))
