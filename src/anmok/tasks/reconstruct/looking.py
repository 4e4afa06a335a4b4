"""Answers made once more for the few pictures that a page shows: those of all would not fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from anmok.data.prepare_pictures import PreparedPictures
from anmok.tasks.reconstruct.choosing import batches
from anmok.tasks.reconstruct.latent import Codes
from anmok.tasks.reconstruct.learning import Reconstruct, arrays
from anmok.tasks.reconstruct.recipe import ReconstructRecipe

MAPPED = 2000  # pictures whose codes are looked at


@dataclass(frozen=True)
class Seen:
    """One picture as it should be, as it went in, and as it came out: uint8 (S, S, C). `error`: uint8 RGB."""

    id: str
    target: np.ndarray
    given: np.ndarray | None
    answer: np.ndarray
    error: np.ndarray


def seen(model: Reconstruct, decoded: PreparedPictures, split: str | None, places: Sequence[int]) -> dict[int, Seen]:
    """The pictures at `places` of a split (None: of all), damaged as they were when they were judged."""
    loader = batches(decoded, split, model.recipe)
    wanted, found, start = set(places), {}, 0
    for number in range(len(loader)):
        own = [place for place in range(start, start + loader.batch_size) if place in wanted]
        if own:
            batch = next(iter(loader.epoch(0, number)))
            x, target = model.ready(batch)
            with model.judging():
                out, clean, given = (arrays(part) for part in (model.reconstruct(x), target, x))
            for place in own:
                k = place - start
                damaged = None if batch.targets is None else _pixels(given[k])
                found[place] = Seen(batch.ids[k], _pixels(clean[k]), damaged, _pixels(out[k]),
                                    heat(np.abs(out[k] - clean[k]).mean(2), 0.5))  # fmt: skip
        start += loader.batch_size
    return {place: found[place] for place in places if place in found}


def codes_of(model: Reconstruct, decoded: PreparedPictures, split: str | None) -> Codes:
    """Some pictures of a split (None: of all), evenly spread, with their codes."""
    plain: ReconstructRecipe = replace(model.recipe, corrupt=None)
    loader = batches(decoded, split, plain, clean=True)
    every = max(1, -(-len(loader.rows) // MAPPED))
    thinned = replace(loader, rows=loader.rows[::every], ids=list(loader.ids)[::every])
    pictures, found, shape = [], [], (0,)
    with torch.no_grad():
        for batch, x, _ in model.asked(thinned.epoch(0)):
            code = model.network.encode(x)  # type: ignore[operator]
            shape = tuple(code.shape[1:])
            found.append(code.flatten(1).float().cpu().numpy())
            pictures.append(batch.pictures.permute(0, 2, 3, 1).numpy())
    of = {entry.id: entry.target for entry in decoded.dataset.entries}
    labels = [of[name] if isinstance(of[name], int) else -1 for name in thinned.ids]
    return Codes(np.concatenate(pictures), np.concatenate(found), np.array(labels, int), shape)


def heat(values: np.ndarray, most: float) -> np.ndarray:
    """Values (H, W) from 0 to `most` as colours from black over red and yellow to white, uint8 (H, W, 3)."""
    level = np.clip(values / max(most, 1e-12), 0, 1)[..., None] * 3 - np.arange(3)
    return np.rint(255 * np.clip(level, 0, 1)).astype(np.uint8)


def _pixels(picture: np.ndarray) -> np.ndarray:
    return np.rint(picture * 255).astype(np.uint8)
