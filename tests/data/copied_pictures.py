"""Pictures that are distinct, and copies planted among them: what the search for copies is measured with."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data as photographs
from sklearn.datasets import load_digits

from anmok.core.types import Dataset, Entry
from anmok.data.duplicates import Duplicates, find_duplicates
from anmok.data.load import load_data
from anmok.data.pixel_sources import ArrayPixels
from anmok.data.stores import ArrayPictures

Change = Callable[[np.ndarray], np.ndarray]
TEXTURES = ("brick", "grass", "gravel")
PHOTOGRAPHS = ("astronaut", "camera", "chelsea", "coffee", "coins", "hubble_deep_field", "immunohistochemistry", "moon")


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    """As it comes back from a JPEG."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def sized(pixels: np.ndarray, side: int) -> np.ndarray:
    """At another size."""
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR))


def stored(pixels: np.ndarray, share: float, quality: int) -> np.ndarray:
    """Stored larger or smaller as a JPEG, and brought back to its size."""
    return sized(jpeg(sized(pixels, round(share * len(pixels))), quality), len(pixels))


def cropped(pixels: np.ndarray, share: float) -> np.ndarray:
    """Without this share of the side at the top and at the left, and enlarged again."""
    cut = max(1, round(share * len(pixels)))
    return sized(np.ascontiguousarray(pixels[cut:, cut:]), len(pixels))


CHANGES: dict[str, tuple[Change, float]] = {  # and the share that must be found
    "the same": (lambda p: p.copy(), 1.0),
    "re-encoded": (lambda p: jpeg(p, 75), 0.95),
    "enlarged": (lambda p: stored(p, 2, 75), 0.95),
    "made smaller": (lambda p: stored(p, 0.75, 85), 0.95),
    "mirrored": (lambda p: jpeg(np.ascontiguousarray(p[:, ::-1]), 85), 0.95),
    "upside down": (lambda p: np.ascontiguousarray(p[::-1]), 0.95),
    "brighter": (lambda p: np.clip(p * 1.1, 0, 255).astype(np.uint8), 0.95),
    "cropped by a 28th": (lambda p: cropped(p, 1 / 28), 0.7),
    "cropped by a 16th": (lambda p: cropped(p, 1 / 16), 0.0),
}


def garments(count: int, seed: int = 1) -> np.ndarray:
    """Of the bundled Fashion-MNIST: many that look much alike, uint8 (count, 28, 28)."""
    found = load_data("samples").pictures.array[..., 0]  # type: ignore[attr-defined]
    return found[np.random.default_rng(seed).permutation(len(found))[:count]]


def digits() -> np.ndarray:
    """Scikit-learn's: 1,797 of 8 × 8 pixels, which leaves little to tell them apart."""
    return (load_digits().images * (255 / 16)).astype(np.uint8)


def tiles(names: tuple[str, ...], side: int, contrast: float = 8.0) -> np.ndarray:
    """Tiles beside each other of scikit-image's pictures, uint8 (N, side, side, 3).

    Those of less `contrast` (standard deviation in levels), such as pieces of sky, are left out: they show nothing.
    """
    found = []
    for name in names:
        picture = getattr(photographs, name)()
        picture = np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture
        rows, columns = (range(0, length - side + 1, side) for length in picture.shape[:2])
        found += [picture[y : y + side, x : x + side] for y in rows for x in columns]
    return np.stack([tile for tile in found if tile.mean(-1).std() >= contrast])


def search(pictures: np.ndarray) -> Duplicates:
    """All copies among pictures (N, S, S) or (N, S, S, C)."""
    array = pictures if pictures.ndim == 4 else pictures[..., None]
    entries = [Entry(f"x:{row}", row) for row in range(len(array))]
    dataset = Dataset(Path(), "idx", "classify", (), entries, ArrayPictures(array, "x"))
    rows = np.arange(len(array))
    return find_duplicates(dataset, ArrayPixels(array, rows), rows)


def planted_and_found(distinct: np.ndarray, each: int, seed: int = 2) -> tuple[dict[str, float], float]:
    """Share found of each kind of copy, and share of the distinct pictures called copies of a stranger."""
    count = len(distinct)
    each = min(each, count // len(CHANGES))
    chosen = np.random.default_rng(seed).permutation(count)[: each * len(CHANGES)].reshape(len(CHANGES), each)
    plants = [change(distinct[i]) for (change, _), row in zip(CHANGES.values(), chosen, strict=True) for i in row]
    found = search(np.concatenate([distinct, np.stack(plants)]))
    group_of = {i: group for group in found.groups for i in group}
    origin = {count + k: int(i) for k, i in enumerate(chosen.ravel())}
    shares = {
        name: float(np.mean([i in group_of.get(count + k * each + at, ()) for at, i in enumerate(chosen[k])]))
        for k, name in enumerate(CHANGES)
    }
    strangers = [i for i in range(count) if any(origin.get(j, j) != i for j in group_of.get(i, ()))]
    return shares, len(strangers) / count
