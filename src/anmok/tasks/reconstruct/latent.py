"""The space of codes, seen: a map of pictures, walks, directions, draws, neighbours. Pictures as arrays, uint8 each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from anmok.tasks.reconstruct.learning import Reconstruct, arrays

CANVAS, MARGIN = 1024, 2  # pixels of the map, and of the coloured frame around each picture on it
STEPS = 9  # of a walk
DRAWS = 8  # a side of the sheet of draws
GRID = 15  # a side of the sheet of a code of two numbers
KEPT = 50  # numbers of a code that t-SNE is given
REACH = 2.5  # deviations either way that a direction is followed


@dataclass(frozen=True)
class Codes:
    """Pictures with their codes. `pictures` uint8 (N, S, S, C), `codes` float32 (N, D), `targets` int (N,) or -1."""

    pictures: np.ndarray
    codes: np.ndarray
    targets: np.ndarray
    shape: tuple[int, ...]  # of one code as the network gives it


def unrolled(codes: Codes) -> np.ndarray:
    """Each picture's place on a plane where neighbours stay neighbours (N, 2): t-SNE (van der Maaten, Hinton, 2008).

    Distances between groups say little there. Codes of more than `KEPT` numbers are brought down to as many first.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    points = codes.codes
    if points.shape[1] > KEPT and len(points) > KEPT:
        points = PCA(KEPT, random_state=0).fit_transform(points)
    perplexity = min(30.0, (len(points) - 1) / 3)
    return TSNE(2, perplexity=perplexity, init="pca", random_state=0).fit_transform(points)


def mapped(codes: Codes) -> tuple[np.ndarray, tuple[float, float]]:
    """Each picture's place on the plane of the codes' two widest directions (N, 2), and the share of spread in each."""
    from sklearn.decomposition import PCA

    found = PCA(2, random_state=0).fit(codes.codes)
    shares = found.explained_variance_ratio_
    return found.transform(codes.codes), (float(shares[0]), float(shares[1]))


def draw_map(codes: Codes, places: np.ndarray, colours: np.ndarray | None, tile: int = 32) -> np.ndarray:
    """The plane with pictures at their places, uint8 (CANVAS, CANVAS, 3); where several fall together, one is shown.

    Places are ranked along both axes halfway, so that crowds spread and outliers do not take all the room. `colours`:
    of the frame of each class, uint8 (classes, 3).
    """
    cells = CANVAS // (tile + 2 * MARGIN)
    ranks = np.argsort(np.argsort(places, axis=0), axis=0) / max(1, len(places) - 1)
    spread = (places - places.min(0)) / np.maximum(np.ptp(places, axis=0), 1e-12)
    grid = np.minimum(((ranks + spread) / 2 * cells).astype(int), cells - 1)
    canvas = Image.new("RGB", (CANVAS, CANVAS), "white")
    taken: set[tuple[int, int]] = set()
    for place, (x, y) in enumerate(grid.tolist()):
        if (x, y) in taken:
            continue
        taken.add((x, y))
        corner = x * (tile + 2 * MARGIN), CANVAS - (y + 1) * (tile + 2 * MARGIN)
        if colours is not None and codes.targets[place] >= 0:
            frame = tuple(colours[codes.targets[place] % len(colours)].tolist())
            canvas.paste(frame, (*corner, corner[0] + tile + 2 * MARGIN, corner[1] + tile + 2 * MARGIN))
        canvas.paste(_image(codes.pictures[place]).resize((tile, tile)), (corner[0] + MARGIN, corner[1] + MARGIN))
    return np.asarray(canvas)


def with_more(model: Reconstruct, codes: Codes, pictures: np.ndarray) -> Codes:
    """The same with some pictures uint8 (n, S, S, C) and their codes at the end, whose classes nobody knows."""
    device = next(model.network.parameters()).device
    x = model.normalise(torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).to(device))
    with model.judging():
        own = model.codes(x).cpu().numpy()
    targets = np.concatenate([codes.targets, np.full(len(pictures), -1)])
    return Codes(np.concatenate([codes.pictures, pictures]), np.concatenate([codes.codes, own]), targets, codes.shape)


def walk(model: Reconstruct, codes: Codes, start: int, end: int) -> list[np.ndarray]:
    """What lies between two pictures' codes, in `STEPS` equal steps, both ends decoded as well."""
    share = np.linspace(0, 1, STEPS, dtype=np.float32)[:, None]
    return list(_decoded(model, (1 - share) * codes.codes[start] + share * codes.codes[end], codes.shape))


def directions(model: Reconstruct, codes: Codes, count: int = 4) -> list[list[np.ndarray]]:
    """The mean code moved along each of the `count` widest directions, from −`REACH` to `REACH` deviations."""
    from sklearn.decomposition import PCA

    found = PCA(min(count, *codes.codes.shape), random_state=0).fit(codes.codes)
    steps = np.linspace(-REACH, REACH, STEPS)[:, None]
    return [
        list(_decoded(model, found.mean_ + steps * np.sqrt(variance) * direction, codes.shape))
        for direction, variance in zip(found.components_, found.explained_variance_, strict=True)
    ]


def draws(model: Reconstruct, seed: int = 0) -> np.ndarray:
    """Of a VAE: what codes drawn from N(0, 1) decode to, as one sheet; of two numbers, the whole plane in order."""
    latent: int = model.network.latent  # type: ignore[assignment]
    if latent == 2:
        from scipy.stats import norm

        line = norm.ppf(np.linspace(0.03, 0.97, GRID))
        plane = np.stack(np.meshgrid(line, line[::-1]), -1).reshape(-1, 2)
        return sheet(_decoded(model, plane, (2,)), GRID)
    drawn = torch.randn(DRAWS**2, latent, generator=torch.Generator().manual_seed(seed))
    return sheet(_decoded(model, drawn.numpy(), (latent,)), DRAWS)


def neighbours(codes: Codes, places: Sequence[int], count: int = 7) -> list[list[int]]:
    """For each of `places`: the pictures whose codes lie nearest, nearest first, without itself."""
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=min(count + 1, len(codes.codes)), algorithm="brute").fit(codes.codes)
    rows = index.kneighbors(codes.codes[list(places)], return_distance=False)
    return [[row for row in found.tolist() if row != place][:count] for place, found in zip(places, rows, strict=True)]


def sheet(pictures: np.ndarray, columns: int) -> np.ndarray:
    """Pictures (n, S, S, C) side by side in rows, uint8 (h, w, C)."""
    rows = [np.concatenate(pictures[start : start + columns], 1) for start in range(0, len(pictures), columns)]
    return np.concatenate([row for row in rows if row.shape == rows[0].shape], 0)


def strip(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures side by side in one row."""
    return np.concatenate(list(pictures), 1)


def _decoded(model: Reconstruct, codes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    device = next(model.network.parameters()).device
    vectors: Tensor = torch.from_numpy(np.ascontiguousarray(codes, dtype=np.float32)).reshape(-1, *shape).to(device)
    size = model.preparation.size
    with model.judging():
        return np.rint(arrays(model.decoded(vectors)) * 255).astype(np.uint8)[:, :size, :size]


def _image(picture: np.ndarray) -> Image.Image:
    return Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).convert("RGB")
