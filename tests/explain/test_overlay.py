import io

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from anmok.core.errors import UsageError
from anmok.explain import Explanation
from anmok.explain.figure import explanation_png
from anmok.explain.overlay import overlay


def test_cold_places_show_the_picture_and_hot_ones_the_colour():
    picture = np.full((4, 6, 1), 100, np.uint8)
    heat = np.zeros((4, 6), np.float32)
    heat[0, 0] = 1
    laid = overlay(picture, heat)
    assert laid.shape == (4, 6, 3) and laid.dtype == np.uint8
    assert (laid[1:] == 100).all()
    # inferno ends at (252, 255, 164): a quarter of 100 and three quarters of that
    assert np.abs(laid[0, 0].astype(int) - [214, 216, 148]).max() <= 2


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (8, 8, 3)])
def test_grey_and_colour(shape):
    assert overlay(np.zeros(shape, np.uint8), np.zeros((8, 8))).shape == (8, 8, 3)


def test_sizes_must_agree():
    with pytest.raises(UsageError, match="differ in size"):
        overlay(np.zeros((8, 8), np.uint8), np.zeros((4, 4)))


def test_the_figure_is_a_png_whatever_the_class_is_called():
    heat = np.linspace(0, 1, 28 * 28, dtype=np.float32).reshape(28, 28)
    found = Explanation(heat, 1, 0.93, "class_activation", "0: none; 1: most", 2.0, "layer4")
    picture = np.random.default_rng(0).integers(0, 255, (28, 28, 1), dtype=np.uint8)
    data = explanation_png(picture, found, ["a", "$x^{ <b>고양이"], verdict="A sentence. " * 20)
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.format == "PNG" and opened.width > 500
        shown = np.asarray(opened.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(shown, axis=0)) > 500  # the heat's colours are in it


def test_colours_are_matplotlibs():
    heat = np.linspace(0, 1, 256)[None]
    black = np.zeros((1, 256), np.uint8)
    wanted = colormaps["inferno"](np.arange(256))[None, :, :3] * 255 * heat[..., None] ** 0.75
    assert np.abs(overlay(black, heat, strength=1.0) - wanted).max() < 2.5
