"""The space of codes, seen: a map of pictures, walks, directions, draws, neighbours. Pictures as arrays, uint8 each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from anmok.core.errors import UsageError
from anmok.tasks.reconstruct.learning import Reconstruct, arrays
from anmok.tasks.reconstruct.spread import widest

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


def unrolled(codes: Codes, by: str = "tsne") -> np.ndarray:
    """Each picture's place on a plane where neighbours stay neighbours (N, 2); distances between groups say little.

    Args:
        codes: of more than `KEPT` numbers are brought down to as many first.
        by: "tsne" (van der Maaten, Hinton: Visualizing Data using t-SNE, JMLR, 2008) or "umap" (McInnes, Healy,
            Melville: UMAP, 2018, arXiv:1802.03426), which keeps more of how groups lie.

    Raises:
        UsageError: UMAP is asked for and not installed.
    """
    points = codes.codes
    if points.shape[1] > KEPT and len(points) > KEPT:
        points = widest(points, KEPT).along(points)
    if by == "umap":
        return _umap(points)
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(points) - 1) / 3)
    return TSNE(2, perplexity=perplexity, init="pca", random_state=0).fit_transform(points)


def umap_is_here() -> None:
    """Raises `UsageError` with the command that installs it where UMAP is missing."""
    if find_spec("umap") is None:
        raise UsageError("UMAP is not installed", fix="pip install 'anmok[umap]', or --map tsne")


def _umap(points: np.ndarray) -> np.ndarray:
    umap_is_here()
    from umap import UMAP

    near = min(15, len(points) - 1)
    begin = "spectral" if len(points) > 2 * near else "random"  # eigenvectors of too few pictures do not converge
    found: np.ndarray = UMAP(n_neighbors=near, init=begin, random_state=0, n_jobs=1).fit_transform(points)
    return found


def mapped(codes: Codes) -> tuple[np.ndarray, tuple[float, float]]:
    """Each picture's place on the plane of the codes' two widest directions (N, 2), and the share of spread in each."""
    found = widest(codes.codes, 2)
    across, along = np.divide(found.variances, max(found.total, 1e-12)).tolist()
    return found.along(codes.codes), (across, along)


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
    found = widest(codes.codes, count)
    steps = np.linspace(-REACH, REACH, STEPS)[:, None]
    return [
        list(_decoded(model, found.mean + steps * np.sqrt(variance) * direction, codes.shape))
        for direction, variance in zip(found.directions, found.variances, strict=True)
    ]


def draws(model: Reconstruct, seed: int = 0) -> np.ndarray:
    """Of a VAE: what codes drawn from N(0, 1) decode to, as one sheet; of two numbers, the whole plane in order."""
    latent: int = model.network.latent  # type: ignore[assignment]
    if latent == 2:
        line = torch.special.ndtri(torch.linspace(0.03, 0.97, GRID)).numpy()
        plane = np.stack(np.meshgrid(line, line[::-1]), -1).reshape(-1, 2)
        return sheet(_decoded(model, plane, (2,)), GRID)
    drawn = torch.randn(DRAWS**2, latent, generator=torch.Generator().manual_seed(seed))
    return sheet(_decoded(model, drawn.numpy(), (latent,)), DRAWS)


def neighbours(codes: Codes, places: Sequence[int], count: int = 7) -> list[list[int]]:
    """For each of `places`: the pictures whose codes lie nearest, nearest first, without itself."""
    found = []
    for place in places:
        nearest = np.square(codes.codes - codes.codes[place]).sum(1).argsort(kind="stable")
        found.append([row for row in nearest[: count + 1].tolist() if row != place][:count])
    return found


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
