"""Every kind of picture file against pixels computed here, not by the code under test."""

import contextlib
import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from skimage import data

from anmok.core.errors import PictureError
from anmok.core.pictures import decode, decode_with_notes

PHOTO = np.ascontiguousarray(data.astronaut()[40:136, 150:310])  # 96 × 160 × 3
GREY = np.ascontiguousarray(data.camera()[100:196, 150:310])  # 96 × 160


def encoded(pixels, kind="PNG", **options):
    buffer = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def assert_close(found, expected, levels=1):
    expected = np.asarray(expected).reshape(*np.asarray(expected).shape[:2], -1)
    assert found.dtype == np.uint8 and found.shape == expected.shape
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= levels


def refused(content, *words):
    with pytest.raises(PictureError) as caught:
        decode(content)
    assert caught.value.fix
    for word in words:
        assert word in str(caught.value)
    return caught.value


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF", "PPM", "WEBP"])
def test_lossless_formats_give_back_their_pixels(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    if kind == "GIF":
        assert_close(decode(encoded(GREY, kind)), GREY, 0)
    else:
        assert_close(decode(encoded(PHOTO, kind, **options)), PHOTO, 0)


# Orientation by its definition in the EXIF standard: where row 0 and column 0 of the stored picture belong.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_orientation_is_applied(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(PHOTO, kind, exif=exif, **options)
    stored = np.asarray(Image.open(io.BytesIO(encoded(PHOTO, kind, **options))))
    found = decode_with_notes(content)
    assert_close(found.pixels, UPRIGHT[orientation](stored), 0)
    assert found.original_size == found.pixels.shape[:2] and not found.notes


def test_draft_keeps_twice_what_is_asked_for_and_tells_the_original_size():
    exif = Image.Exif()
    exif[0x0112] = 6
    large = np.asarray(Image.fromarray(PHOTO).resize((1600, 960), Image.Resampling.BICUBIC))
    content = encoded(large, "JPEG", exif=exif, quality=95)
    found = decode_with_notes(content, at_least=100)
    assert found.pixels.shape == (400, 240, 3) and found.original_size == (1600, 960)
    reference = Image.fromarray(decode(content)).resize((240, 400), Image.Resampling.BOX)
    assert np.abs(found.pixels.astype(int) - np.asarray(reference)).mean() < 1
    assert decode(content, at_least=500).shape == (1600, 960, 3)


@pytest.mark.parametrize("adobe_marker", [True, False])
def test_cmyk_without_profile(adobe_marker):
    ink = np.random.default_rng(0).integers(0, 256, (16, 24, 4), dtype=np.uint8)
    # (1 - c)(1 - k) in whole numbers; Pillow writes JPEG's CMYK inverted, with Adobe's marker, as Photoshop does
    naive = np.rint((255.0 - ink[..., :3]) * (255.0 - ink[..., 3:]) / 255)
    if adobe_marker:
        flat = np.ascontiguousarray(np.broadcast_to(ink[:1, :1], (16, 16, 4)))
        content = encoded(Image.fromarray(flat, "CMYK"), "JPEG", quality=100)
        assert b"Adobe" in content
        assert_close(decode(content), np.broadcast_to(naive[:1, :1], (16, 16, 3)), 2)
    else:
        assert_close(decode(encoded(Image.fromarray(ink, "CMYK"), "TIFF")), naive, 1)


def test_icc_profiles_lead_to_srgb():
    # A linear-light profile made here, so that the sRGB curve of IEC 61966-2-1 gives the expected values.
    linear = encoded_profile_with_gamma_one()
    content = encoded(PHOTO, "PNG", icc_profile=linear)
    value = PHOTO / 255.0
    expected = np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055) * 255
    assert_close(decode(content), np.rint(expected), 1)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert_close(decode(encoded(PHOTO, "PNG", icc_profile=srgb)), PHOTO, 0)
    assert_close(decode(encoded(GREY, "PNG", icc_profile=srgb)), GREY, 0)
    found = decode_with_notes(encoded(PHOTO, "PNG", icc_profile=b"not a profile" * 20))
    assert_close(found.pixels, PHOTO, 0)
    assert "profile" in found.notes[0]


def encoded_profile_with_gamma_one():
    """sRGB's profile with its three curves replaced by the identity (a `curv` of no entries, ICC.1 section 10.6)."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for number in range(struct.unpack(">I", profile[128:132])[0]):
        tag, start, size = struct.unpack(">4sII", profile[132 + 12 * number : 144 + 12 * number])
        if tag in (b"rTRC", b"gTRC", b"bTRC"):
            profile[start : start + size] = (b"curv" + bytes(size))[:size]
    return bytes(profile)


def test_palettes():
    colours = np.random.default_rng(1).integers(0, 256, (256, 3), dtype=np.uint8)
    image = Image.fromarray(GREY)
    image.putpalette(colours.tobytes())
    assert image.mode == "P"
    assert_close(decode(encoded(image)), colours[GREY], 0)
    ramp = np.repeat(255 - np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    image.putpalette(ramp.tobytes())
    assert_close(decode(encoded(image)), 255 - GREY, 0)


def on_white(colour, alpha):
    alpha = alpha[..., None] / 255.0
    return np.rint(colour * alpha + 255 * (1 - alpha))


def test_transparency_is_composited_on_white():
    alpha = np.random.default_rng(2).integers(0, 256, GREY.shape, dtype=np.uint8)
    assert_close(decode(encoded(np.dstack([PHOTO, alpha]))), on_white(PHOTO, alpha))
    assert_close(decode(encoded(np.dstack([GREY, alpha]))), on_white(GREY[..., None], alpha))
    for kind in ("TIFF", "WEBP"):
        options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
        assert_close(decode(encoded(np.dstack([PHOTO, alpha]), kind, **options)), on_white(PHOTO, alpha))


@pytest.mark.parametrize("mode", ["P", "L", "RGB", "1"])
def test_colour_keys_are_transparent(mode):
    image = Image.fromarray(PHOTO).convert(mode)
    rgb = np.asarray(image.convert("L" if mode in "1L" else "RGB")).reshape(*PHOTO.shape[:2], -1)
    first = image.getpixel((3, 5))
    stored = np.asarray(image)
    hit = (
        (stored == np.asarray(first)).reshape(*stored.shape[:2], -1).all(axis=2)
        if mode != "1"
        else stored == bool(first)
    )
    key = first if mode != "1" else int(bool(first))
    found = decode(encoded(image, transparency=key))
    assert_close(found, np.where(hit[..., None], 255, rgb), 0)


def test_palette_with_alpha_for_each_colour():
    image = Image.fromarray(PHOTO).quantize(16)
    alphas = np.arange(16, dtype=np.uint8) * 17
    rgb, index = np.asarray(image.convert("RGB")), np.asarray(image)
    assert_close(decode(encoded(image, transparency=alphas.tobytes())), on_white(rgb, alphas[index]))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_by_the_full_range(kind):
    wide = np.linspace(0, 65535, 96 * 160).astype(np.uint16).reshape(96, 160)
    found = decode_with_notes(encoded(wide, kind))
    assert_close(found.pixels, np.rint(wide / 257.0))
    assert not found.notes


def test_sixteen_bit_colour():
    rng = np.random.default_rng(3)
    wide = rng.integers(0, 65536, (8, 9, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in wide)
    assert_close(decode(png((9, 8, 16, 2), rows)), np.rint(wide.astype(float) / 257))


def png(header, rows, interlaced=0):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    width, height, bits, colour = header
    start = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    compressed = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", start) + compressed + chunk(b"IEND", b"")


def test_interlaced_png():
    grey = GREY[:19, :21]
    starts = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    passes = [grey[top::down, left::right] for top, left, down, right in starts]  # Adam7, PNG section 8.2
    rows = b"".join(b"\0" + row.tobytes() for part in passes for row in part)
    assert_close(decode(png((21, 19, 8, 0), rows, interlaced=1)), grey, 0)


def test_twelve_bits():
    values = np.arange(0, 4096, 64, dtype=np.uint16).reshape(8, 8)
    found = decode_with_notes(encoded(values, "PNG"))
    assert_close(found.pixels, np.rint(values / 257.0))
    assert "12-bit" in found.notes[0]
    flat = values.reshape(-1).astype(int)
    first, second = flat[::2], flat[1::2]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=1).astype(np.uint8).tobytes()
    assert_close(decode(tiff(packed, 8, 8, bits=12)), np.rint(values / 4095 * 255))


def tiff(body, width, height, *, bits, photometric=1):
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 8 + 2 + 12 * 9 + 4)]
    tags += [(277, 1), (278, height), (279, len(body))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + body


def test_white_is_zero():
    wide = np.linspace(0, 65535, 64).astype("<u2").reshape(8, 8)
    assert_close(decode(tiff(wide.tobytes(), 8, 8, bits=16, photometric=0)), 255 - np.rint(wide / 257.0))
    narrow = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert_close(decode(tiff(narrow.tobytes(), 8, 8, bits=8, photometric=0)), 255 - narrow, 0)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM"])
def test_one_bit_becomes_black_and_white(kind):
    bits = GREY > 128
    assert_close(decode(encoded(Image.fromarray(bits), kind)), bits * 255, 0)


def test_floats():
    ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    for top, notes in ((1, 0), (255, 0), (65535, 0), (1e9, 1)):
        found = decode_with_notes(encoded(ramp * np.float32(top), "TIFF"))
        assert_close(found.pixels, np.rint(ramp * 255))
        assert len(found.notes) == notes
    found = decode_with_notes(encoded(ramp - np.float32(0.5), "TIFF"))
    assert_close(found.pixels, np.rint(ramp * 255))
    for bad in (np.nan, np.inf):
        ramp[3, 3] = bad
        refused(encoded(ramp, "TIFF"), "NaN")


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_first_frame_of_many_with_a_note(kind):
    frames = [Image.fromarray(np.roll(GREY, 30 * number, axis=1)) for number in range(3)]
    options = {"lossless": True} if kind == "WEBP" else {}
    found = decode_with_notes(encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    assert_close(found.pixels[..., :1], GREY, 0)
    assert "first" in found.notes[0] and len(found.notes) == 1


def test_progressive_jpeg_equals_baseline():
    assert_close(decode(encoded(PHOTO, "JPEG", progressive=True)), decode(encoded(PHOTO, "JPEG")), 0)


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_without_its_end_marker(progressive):
    whole = encoded(PHOTO, "JPEG", progressive=progressive, quality=90)
    for cut in (1, 2):
        found = decode_with_notes(whole[:-cut])
        assert_close(found.pixels, np.asarray(Image.open(io.BytesIO(whole))), 0)
        assert "end marker" in found.notes[0]
    for cut in (8, 20, 300, len(whole) // 2, len(whole) - 300):
        refused(whole[:-cut], "truncated")


def test_png_without_its_end_marker():
    found = decode_with_notes(encoded(PHOTO)[:-12])
    assert_close(found.pixels, PHOTO, 0)
    assert "end marker" in found.notes[0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_truncated_files_are_refused(kind, part):
    whole = encoded(GREY if kind == "GIF" else PHOTO, kind)
    refused(whole[: int(part * len(whole))], "Try")


def test_names_do_not_decide(tmp_path):
    path = tmp_path / "고양이 사진.JPG"
    path.write_bytes(encoded(PHOTO))
    found = decode_with_notes(path)
    assert_close(found.pixels, PHOTO, 0)
    assert "PNG" in found.notes[0]
    fitting = tmp_path / "고양이.png"
    fitting.write_bytes(encoded(PHOTO))
    assert not decode_with_notes(str(fitting)).notes


STRANGERS = {
    "HTML": b"\n <!DOCTYPE html><html><body>404</body></html>",
    "Photoshop": b"8BPS\0\1" + bytes(20),
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "FITS": b"SIMPLE  =                    T" + b" " * 500,
    "LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n",
    "zero bytes": bytes(400),
    "empty": b"",
    "JSON": b'{"error": "not found"}',
    "unknown data": b"\x01\x02\x03\xffabc",
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_strangers_named_jpg_are_refused_by_what_they_are(kind, tmp_path, monkeypatch):
    def never(*_, **__):
        raise AssertionError("a decoder was called")

    monkeypatch.setattr(Image, "open", never)
    path = tmp_path / "picture.jpg"
    path.write_bytes(STRANGERS[kind])
    error = refused(path, kind, "picture.jpg")
    assert error.path == str(path)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    refused(tmp_path / "gone.jpg", "no such file")
    refused(tmp_path, "no regular file")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        refused(tmp_path / "pipe.jpg", "no regular file")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path):
    path = tmp_path / "locked.png"
    path.write_bytes(encoded(PHOTO))
    path.chmod(0)
    refused(path, "permissions")


def test_one_pixel_is_refused_and_strips_are_not():
    refused(encoded(GREY[:1, :1]), "one pixel")
    assert_close(decode(encoded(GREY[:1, :40])), GREY[:1, :40], 0)


def bombs():
    yield "png", png((30000, 30000, 8, 2), bytes(30000))
    yield "gif", b"GIF89a" + struct.pack("<HHBBB", 30000, 30000, 0, 0, 0) + encoded(GREY, "GIF")[13:]
    yield "ppm", b"P6 30000 30000 255\n" + bytes(100)
    yield "bmp", bytes(encoded(PHOTO, "BMP")[:18]) + struct.pack("<ii", 30000, 30000) + encoded(PHOTO, "BMP")[26:]
    yield "tiff", tiff(bytes(64), 30000, 30000, bits=8)
    lossy = bytearray(encoded(PHOTO, "WEBP"))
    lossy[26:30] = struct.pack("<HH", 16383, 16383)
    yield "webp", bytes(lossy)
    jpeg = bytearray(encoded(PHOTO, "JPEG"))
    start = jpeg.index(b"\xff\xc0")
    jpeg[start + 5 : start + 9] = struct.pack(">HH", 30000, 30000)
    yield "jpeg", bytes(jpeg)


@pytest.mark.parametrize("content", [pytest.param(body, id=name) for name, body in bombs()])
def test_bombs_are_refused_before_anything_is_allocated(content):
    import tracemalloc

    def never(*_):
        raise AssertionError("pixels were allocated")

    patch = pytest.MonkeyPatch()
    with patch.context() as inside:
        inside.setattr(Image.core, "new", never, raising=False)
        tracemalloc.start()
        refused(content, "too large", "200,000,000")
        assert tracemalloc.get_traced_memory()[1] < 10e6
        tracemalloc.stop()


def test_the_limit_can_be_set():
    with pytest.raises(PictureError, match="too large"):
        decode(encoded(PHOTO), max_pixels=96 * 160 - 1)
    assert decode(encoded(PHOTO), max_pixels=96 * 160).shape == PHOTO.shape


SEEDS = [
    encoded(PHOTO[:24, :24], "JPEG"),
    encoded(PHOTO[:24, :24], "JPEG", progressive=True),
    encoded(PHOTO[:16, :16]),
    encoded(Image.fromarray(PHOTO[:16, :16]).quantize(8), transparency=3),
    encoded(GREY[:16, :16], "GIF"),
    encoded(PHOTO[:16, :16], "BMP"),
    encoded(PHOTO[:16, :16], "TIFF"),
    encoded(PHOTO[:16, :16], "TIFF", compression="tiff_lzw"),
    encoded(GREY[:16, :16].astype(np.uint16), "TIFF"),
    encoded(PHOTO[:16, :16], "WEBP"),
    encoded(PHOTO[:8, :8], "PPM"),
    b"P3 2 2 255 1 2 3 4 5 6 7 8 9 10 11 12\n",
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    seed=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12),
    cut=st.one_of(st.just(1.0), st.floats(0, 1)),
)
def test_damaged_bytes_give_a_picture_or_a_picture_error(seed, changes, cut):
    content = bytearray(seed)
    for place, value in changes:
        # Headers decide more than pixels do: half of the changes go there.
        content[int(place * (len(content) if value % 2 else min(64, len(content))))] = value
    try:
        found = decode(bytes(content[: int(cut * len(content))]), max_pixels=4_000_000)
    except PictureError as error:
        assert error.fix
        return
    assert found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] in (1, 3) and found.size


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.binary(max_size=200), st.sampled_from([seed[:12] for seed in SEEDS]))
def test_arbitrary_bytes_after_a_true_start(body, start):
    with contextlib.suppress(PictureError):
        assert decode(start + body, max_pixels=4_000_000).size


@pytest.mark.parametrize("failure", [MemoryError(), RecursionError("deep"), Image.DecompressionBombError("bomb")])
def test_whatever_a_decoder_raises_becomes_a_picture_error(failure, monkeypatch):
    from anmok.core import pictures

    def fail(_):
        raise failure

    monkeypatch.setitem(pictures._OPENERS, "PNG", fail)
    refused(encoded(PHOTO))


def test_no_torch():
    modules = "anmok.core.pictures, anmok.data.stores, anmok.data.decoding, anmok.data.cache"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
