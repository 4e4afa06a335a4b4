"""Large pictures become arrays band by band: the same array."""

import numpy as np
import pytest
from PIL import Image

from anmok.core import colour


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("band", [1, 50, 64 * 7, 10**6])
def test_bands_make_the_same_array(monkeypatch, mode, band):
    monkeypatch.setattr(colour, "_BAND", band)
    pixels = np.random.default_rng(0).integers(0, 256, (31, 64, *((3,) if mode == "RGB" else ())), dtype=np.uint8)
    picture, notes = colour.plain_picture(Image.fromarray(pixels))
    found = colour.pixels_of(picture)
    assert np.array_equal(found, pixels.reshape(31, 64, -1)) and not notes and found.flags.writeable
