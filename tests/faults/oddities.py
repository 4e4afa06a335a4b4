"""G6: what is legal, however odd, is read: nothing set aside, and pixels within one level of the reference.

References are arithmetic on the array that was written, or Pillow's own conversion where the file's numbers are only
defined by it (palettes, CMYK); lossy files are compared with a plain decode of the same bytes.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from anmok.data.load import load_data
from tests.faults.ledger import encoded

SIDE = (12, 9)  # height, width
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # EXIF orientation → how the stored picture is to be shown
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: np.rot90(p.swapaxes(0, 1), 2),
    8: lambda p: np.rot90(p),
}

_STEMS = ("새 사진", "a\nb", "x.y.z", "'quoted'", "-dash", "%20", "tab\tname", "é", "e\u0301", "~tilde", "a" * 200)
_NAMES = (*(f"{stem}.png" for stem in _STEMS), "UPPER.PNG", "no suffix", "wrong.jpg")

Oddity = tuple[str, str, bytes, np.ndarray]  # what, file name, content, reference uint8 (H, W) or (H, W, 3)


def oddities() -> Iterator[Oddity]:
    """All of them; contents are made here, so that each is what its name says."""
    rng = np.random.default_rng(6)
    grey = rng.integers(0, 256, SIDE, dtype=np.uint8)
    colour = rng.integers(0, 256, (*SIDE, 3), dtype=np.uint8)
    for kind, suffix in (("PNG", "png"), ("BMP", "bmp"), ("TIFF", "tif"), ("PPM", "pgm")):
        yield f"grey {kind}", f"g.{suffix}", encoded(grey, kind), grey
        yield f"colour {kind}", f"c.{suffix}", encoded(colour, kind), colour
    yield "lossless WebP", "c.webp", encoded(colour, "WEBP", lossless=True), colour
    yield from _turned(colour)
    yield from _deep(rng)
    yield from _clear(rng, colour)
    yield from _palettes(rng)
    yield from _many(colour, grey)
    yield from _lossy(rng)
    for name in _NAMES:
        yield f"named {name[:20]!r}", name, encoded(grey), grey


def _turned(colour: np.ndarray) -> Iterator[Oddity]:
    for orientation, shown in _TURNS.items():
        for kind, suffix in (("PNG", "png"), ("TIFF", "tif")):
            exif = Image.Exif()
            exif[0x0112] = orientation
            yield f"EXIF {orientation} in {kind}", f"t.{suffix}", encoded(colour, kind, exif=exif), shown(colour)


def _deep(rng: np.random.Generator) -> Iterator[Oddity]:
    deep = rng.integers(0, 65536, SIDE).astype(np.uint16)
    expected = np.rint(deep / 65535 * 255).astype(np.uint8)
    for kind, suffix in (("PNG", "png"), ("TIFF", "tif"), ("PPM", "pgm")):
        yield f"16 bits in {kind}", f"d.{suffix}", encoded(deep, kind), expected
    floats = rng.random(SIDE).astype(np.float32)
    yield "floats in [0, 1]", "f.tif", encoded(floats, "TIFF"), np.rint(floats * 255).astype(np.uint8)
    yield "floats in [0, 255]", "f.tif", encoded(floats * 255, "TIFF"), np.rint(floats * 255).astype(np.uint8)
    bits = rng.random(SIDE) < 0.5
    for kind, suffix in (("PNG", "png"), ("TIFF", "tif"), ("BMP", "bmp"), ("PPM", "pbm")):
        stream = io.BytesIO()
        Image.fromarray(bits).save(stream, kind)
        yield f"1 bit in {kind}", f"b.{suffix}", stream.getvalue(), bits.astype(np.uint8) * 255


def _clear(rng: np.random.Generator, colour: np.ndarray) -> Iterator[Oddity]:
    alpha = rng.integers(0, 256, (*SIDE, 1), dtype=np.uint8)
    share = alpha / 255
    on_white = np.rint(colour * share + 255 * (1 - share)).astype(np.uint8)
    both = np.concatenate([colour, alpha], axis=2)
    for kind, suffix in (("PNG", "png"), ("TIFF", "tif")):
        yield f"transparent {kind}", f"a.{suffix}", encoded(both, kind), on_white
    yield "grey with alpha", "la.png", encoded(np.concatenate([colour[..., :1], alpha], axis=2)), on_white[..., 0]


def _palettes(rng: np.random.Generator) -> Iterator[Oddity]:
    for colours in (2, 4, 16, 256):
        table, index = rng.integers(0, 256, (colours, 3), dtype=np.uint8), rng.integers(0, colours, SIDE)
        image = Image.fromarray(index.astype(np.uint8)).convert("P")
        image.putdata(list(map(int, index.ravel())))
        image.putpalette(table.ravel().tolist())
        for kind, suffix in (("PNG", "png"), ("GIF", "gif"), ("BMP", "bmp")):
            stream = io.BytesIO()
            image.save(stream, kind)
            yield f"{colours} colours in {kind}", f"p.{suffix}", stream.getvalue(), table[index]


def _many(colour: np.ndarray, grey: np.ndarray) -> Iterator[Oddity]:
    first, second = Image.fromarray(colour), Image.fromarray(255 - colour)
    for kind, suffix in (("PNG", "png"), ("TIFF", "tif"), ("WEBP", "webp")):
        stream = io.BytesIO()
        options = {"lossless": True} if kind == "WEBP" else {}
        first.save(stream, kind, save_all=True, append_images=[second], **options)
        yield f"two frames in {kind}", f"m.{suffix}", stream.getvalue(), colour
    content = encoded(grey)
    yield "bytes after the end", "e.png", content + b"more", grey
    for packing in ("tiff_lzw", "tiff_deflate", "packbits"):
        yield f"TIFF packed by {packing}", "t.tif", encoded(colour, "TIFF", compression=packing), colour
    yield "one row", "r.png", encoded(grey[:1]), grey[:1]
    yield "one column", "k.png", encoded(grey[:, :1]), grey[:, :1]


def _lossy(rng: np.random.Generator) -> Iterator[Oddity]:
    smooth = np.asarray(Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize(SIDE[::-1]))
    for what, options in {
        "progressive": {"progressive": True}, "4:4:4": {"subsampling": 0}, "4:2:0": {"subsampling": 2},
        "optimised": {"optimize": True}, "of quality 5": {"quality": 5}, "with a comment": {"comment": b"x" * 99},
    }.items():  # fmt: skip
        content = encoded(smooth, "JPEG", **options)
        yield f"JPEG {what}", "j.jpg", content, np.asarray(Image.open(io.BytesIO(content)))
    content = encoded(smooth, "JPEG")
    plain = np.asarray(Image.open(io.BytesIO(content)))
    yield "JPEG without its end mark", "j.jpg", content[:-2], plain
    stream = io.BytesIO()
    Image.fromarray(smooth).convert("CMYK").save(stream, "JPEG", quality=95)
    shown = np.asarray(Image.open(io.BytesIO(stream.getvalue())).convert("RGB"))
    yield "CMYK JPEG", "k.jpg", stream.getvalue(), shown


def run(folder: Path) -> tuple[int, list[str]]:
    """(oddities, complaints): each alone in a folder of its own, read as one picture."""
    complaints, count = [], 0
    for count, (what, name, content, reference) in enumerate(oddities(), 1):
        root = folder / f"oddity{count}"
        (root / "a").mkdir(parents=True)
        (root / "a" / name).write_bytes(content)
        (root / "b").mkdir()
        (root / "b" / "other.png").write_bytes(encoded(np.arange(64, dtype=np.uint8).reshape(8, 8)))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset = load_data(root)
                entry = next(entry for entry in dataset.entries if dataset.classes[entry.target] == "a")
                pixels = dataset.pictures.read(entry.locator).astype(int)
        except Exception as error:
            complaints.append(f"{what}: {type(error).__name__}: {error}")
            continue
        if dataset.quarantined:
            complaints.append(f"{what}: set aside")
        expected = reference[..., None] if reference.ndim == 2 else reference
        if pixels.shape[:2] != expected.shape[:2]:
            complaints.append(f"{what}: shape {pixels.shape}, should be {expected.shape}")
        elif (away := int(np.abs(pixels - expected.astype(int)).max())) > 1:
            complaints.append(f"{what}: off by {away} levels")
    return count, complaints
