"""Turning arrays, points and boxes agrees with Pillow's own turning of the same pixels."""

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from anmok.core.errors import PictureError
from anmok.core.orientation import turn_array, turn_boxes, turn_points, upright_size
from anmok.core.pictures import decode_with_notes, read_frame
from anmok.ship.odd_pictures import make_odd_pictures

PIXELS = np.arange(4 * 7, dtype=np.uint8).reshape(4, 7) * 9
EVERY = range(1, 9)


def saved(orientation: int, kind: str = "PNG") -> bytes:
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x112] = orientation
    Image.fromarray(PIXELS).save(buffer, kind, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", EVERY)
def test_arrays_turn_as_pillow_turns_pictures(orientation):
    theirs = ImageOps.exif_transpose(Image.open(io.BytesIO(saved(orientation))))
    assert np.array_equal(turn_array(PIXELS, orientation), np.asarray(theirs))
    assert upright_size(PIXELS.shape, orientation) == theirs.size[::-1]


@pytest.mark.parametrize("orientation", EVERY)
def test_points_and_boxes_go_where_their_pixels_go(orientation):
    marked = np.zeros_like(PIXELS)
    marked[1:3, 2:6] = 1  # the box [2, 1, 6, 3]
    rows, columns = np.nonzero(turn_array(marked, orientation))
    expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert turn_boxes(np.array([[2, 1, 6, 3]], np.float32), orientation, (4, 7))[0].tolist() == expected
    (x, y), turned = turn_points(np.array([4.5, 2.5]), orientation, (4, 7)), turn_array(PIXELS, orientation)
    assert turned[int(y), int(x)] == PIXELS[2, 4]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", EVERY)
def test_the_header_alone_tells_the_frame(kind, orientation):
    data = saved(orientation, kind)
    frame, decoded = read_frame(data), decode_with_notes(data)
    assert frame == decoded.frame and frame.orientation == orientation
    assert frame.size == decoded.pixels.shape[:2] and frame.stored == (4, 7)


def test_a_png_without_exif_is_not_decoded_for_its_frame():
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "PNG")
    damaged = bytearray(buffer.getvalue())
    damaged[damaged.index(b"IDAT") + 8] ^= 0xFF
    assert read_frame(bytes(damaged)).size == (4, 7)


MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "I", "I;16", "F")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "PPM"])
def test_the_header_alone_tells_the_channels_of_all_but_palettes(kind: str) -> None:
    generator, told = np.random.default_rng(0), {}
    for mode in MODES:
        picture, buffer = Image.new(mode, (9, 7)), io.BytesIO()
        if mode in ("L", "RGB", "CMYK"):
            picture = Image.fromarray(generator.integers(0, 256, (7, 9, len(mode)), np.uint8).squeeze(), mode)
        try:
            picture.save(buffer, kind)
        except (OSError, ValueError):  # this kind of file has no such pictures
            continue
        told[mode] = read_frame(buffer.getvalue()).channels, decode_with_notes(buffer.getvalue()).channels
    assert len(told) >= 2
    assert all(header in (None, decoded) for header, decoded in told.values()), told
    if kind != "GIF":  # palettes throughout
        assert told["RGB"] == (3, 3) and told["L"] == ((3, 3) if kind == "WEBP" else (1, 1))


def test_the_header_of_odd_pictures_promises_nothing_that_decoding_does_not_keep(tmp_path: Path) -> None:
    seen = 0
    for path in make_odd_pictures(tmp_path, huge=False):
        with suppress(PictureError):
            decoded = decode_with_notes(path)
            assert read_frame(path) == decoded.frame and read_frame(path).channels in (None, decoded.channels), path
            seen += 1
    assert seen > 20
