"""Two domains without pairs, for translation: garments as photographs on paper, and as drawings on a blueprint.

No garment of the training part is in both domains. In the test part, picture k of both domains shows the same garment:
the hidden pairing, which nothing but the common file name tells, and against which a translation can be measured.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from anmok.core.seeds import numpy_generator
from anmok.core.types import Dataset, Entry
from anmok.data.samples.garments import Garments, garments
from anmok.data.stores import ArrayPictures

SEED = 20170825
NAMES = ("photograph", "blueprint")
_ROOM = 0.08  # of the side, around a garment
_PAPER, _INK = np.array([242, 234, 214], np.float32), np.array([52, 44, 46], np.float32)
_CYANOTYPE, _CHALK = np.array([24, 62, 138], np.float32), np.array([236, 242, 250], np.float32)


@lru_cache(maxsize=2)
def domains(train: int = 400, test: int = 100, side: int = 64, seed: int = SEED) -> Dataset:
    """The data set of both domains, with the domain, 0 or 1, as target.

    Args:
        train, test: pictures a domain.
        side: in pixels.
        seed: another one takes other garments.
    """
    entries: list[Entry] = []
    pictures = np.empty((2 * (train + test), side, side, 3), np.uint8)
    for split, count in (("train", train), ("test", test)):
        stock = garments(split)
        own = numpy_generator(seed, "domains", split).permutation(len(stock))[
            : 2 * count if split == "train" else count
        ]
        for domain, draw in enumerate((photograph, blueprint)):
            shown = own[domain * count :] if split == "train" else own
            for number, which in enumerate(shown[:count].tolist()):
                place = len(entries)
                pictures[place] = draw(*enlarged(stock, which, side))
                name = which if split == "train" else number
                entries.append(Entry(f"{split}/{NAMES[domain]}/{name:04}.png", place, domain, split))
    return Dataset(
        root=Path("domains"),
        format="domains",
        task="translate",
        classes=NAMES,
        entries=entries,
        pictures=ArrayPictures(pictures, f"domains 1 {train} {test} {side} {seed}"),
        seen=len(entries),
        unit="pictures",
        why=f"bundled garments as photographs and as blueprints, {side} × {side}, built from seed {seed}",
    )


def enlarged(stock: Garments, which: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A garment's grey levels and cover, float32 (side, side) in [0, 1], with some room around it."""
    room = round(_ROOM * side)
    inner = side - 2 * room
    parts = (stock.grey[which], stock.cover[which])
    both = (Image.fromarray(part).resize((inner, inner), Image.Resampling.BICUBIC) for part in parts)
    grey, cover = (np.pad(np.asarray(part, np.float32) / 255, room) for part in both)
    return grey, np.clip(2 * cover - 0.5, 0, 1)


def photograph(grey: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """uint8 (side, side, 3): warm grey on paper, with a soft shadow to the lower right."""
    reach = max(1, len(cover) // 20)
    shadow = ndimage.shift(ndimage.uniform_filter(cover, 2 * reach + 1), (reach, reach), order=0)
    paper = _PAPER * (1 - 0.35 * shadow[..., None])
    cloth = _INK + (_PAPER + 8 - _INK) * grey[..., None]
    return np.rint(np.clip(paper + (cloth - paper) * cover[..., None], 0, 255)).astype(np.uint8)


def blueprint(grey: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """uint8 (side, side, 3): chalk outlines on blue paper; dark cloth is hatched, the darker the denser."""
    edges = np.hypot(*(ndimage.sobel(cover, axis) for axis in (0, 1))) / 4
    seams = cover * np.hypot(*(ndimage.sobel(grey, axis) for axis in (0, 1))) / 4
    place = np.add.outer(np.arange(len(grey)), np.arange(len(grey)))
    hatched = cover * (1 - grey) * (place % 4 == 0)
    chalk = np.clip(1.6 * edges + 1.2 * seams + 0.55 * hatched + 0.12 * cover, 0, 1)[..., None]
    return np.rint(_CYANOTYPE + (_CHALK - _CYANOTYPE) * chalk).astype(np.uint8)
