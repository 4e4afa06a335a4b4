import numpy as np
import pytest
from PIL import Image

from anmok.core.errors import PictureError
from anmok.core.pictures import decode_with_notes, load_picture
from anmok.core.preparation import Preparation, centre_crop, fit_picture
from anmok.core.seen import Seen
from anmok.ship.odd_pictures import make_odd_pictures, scene

REFUSED = {"cut_off.png", "empty.jpg", "text.png", "one_pixel.png"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_odd_pictures(tmp_path_factory.mktemp("odd"))


def test_what_the_issue_names_is_there(made):
    modes, turns, sides = set(), set(), []
    for path in made:
        if path.name in REFUSED - {"one_pixel.png"}:
            continue
        with Image.open(path) as image:
            modes.add(image.mode)
            turns.add(image.getexif().get(0x0112))
            sides += image.size
    assert {"CMYK", "RGBA", "LA", "L", "1", "P", "RGB", "F", "LAB"} <= modes
    assert any(mode.startswith("I;16") for mode in modes)
    assert turns >= set(range(1, 9))
    assert min(sides) == 1 and max(sides) >= 4000
    assert len({path.name for path in made}) == len(made) >= 45


def test_refused_and_answered(made):
    preparation = Preparation(32, 36)
    for path in made:
        if path.name in REFUSED:
            with pytest.raises(PictureError):
                load_picture(path, preparation)
        else:
            assert load_picture(path, preparation).pixels.shape == (36, 36, 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_in_one_go_the_same_bytes(made, channels):
    """What prediction decodes and fits without arrays in between is what training stores, cropped."""
    preparation = Preparation(32, 36, channels, mean=(0.5,) * channels, std=(0.2,) * channels)
    for path in [path for path in made if path.name not in REFUSED and "huge" not in path.name]:
        whole = decode_with_notes(path, at_least=preparation.at_least)
        expected = centre_crop(fit_picture(whole.pixels, preparation, whole.original_size), 32)
        found = load_picture(path, Seen(preparation))
        assert np.array_equal(found.pixels, expected), path.name
        assert (found.channels, found.original_size) == (whole.channels, whole.original_size)


def test_the_same_seed_the_same_scene():
    one, other = (np.asarray(scene(np.random.default_rng(3), (90, 60))) for _ in range(2))
    assert np.array_equal(one, other) and one.shape == (60, 90, 3)


def test_orientations_differ(made):
    preparation = Preparation(32, 32)
    shown = [load_picture(path, preparation).pixels for path in made if path.name.startswith("exif_")]
    assert len({pixels.tobytes() for pixels in shown}) == 8
    assert np.stack(shown).std() > 20
