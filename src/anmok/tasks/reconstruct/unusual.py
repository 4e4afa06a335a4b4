"""What is unusual, as a page shows it: the strangest pictures, where it lies, and what was missed."""

from __future__ import annotations

import numpy as np
import torch

from anmok.core.strangeness import labelled
from anmok.data.prepare_pictures import PreparedPictures
from anmok.report.content import Chapter, Views
from anmok.tasks.reconstruct.choosing import batches
from anmok.tasks.reconstruct.learning import Reconstruct, arrays
from anmok.tasks.reconstruct.looking import heat
from anmok.tasks.reconstruct.novelty import judge

STRANGEST, MISSED = 6, 6  # pictures


def unusual_own(model: Reconstruct, decoded: PreparedPictures, split: str | None) -> Chapter:
    """The run's own strangest pictures: look here for what does not belong into the data."""
    scores, _ = judge(model, batches(decoded, split, model.recipe, clean=True).epoch(0))
    views = _shown(model, decoded, split, np.argsort(-scores, kind="stable")[:STRANGEST].tolist())
    hint = "The strangest of these pictures first, and where it lies: what does not belong into the data stands here."
    return Chapter("unusual", "Most unusual", hint, pictures=views)


def unusual_others(model: Reconstruct, decoded: PreparedPictures) -> Chapter:
    """Of pictures of kinds never learned: the strangest, and those that look most usual."""
    scores, _ = judge(model, batches(decoded, None, model.recipe, clean=True).epoch(0))
    order = np.argsort(-scores, kind="stable").tolist()
    chosen = [*order[:STRANGEST], *order[STRANGEST:][-MISSED:]]
    hint = (
        f"The {len(order[:STRANGEST])} strangest of {len(order):,} pictures of kinds the run never learned, then those "
        "it finds most usual."
    )
    return Chapter("unseen", "Kinds never learned", hint, pictures=_shown(model, decoded, None, chosen))


def _shown(model: Reconstruct, decoded: PreparedPictures, split: str | None, places: list[int]) -> list[Views]:
    """Each picture, what the network makes of it, and where it is strange."""
    assert model.novelty is not None and model.threshold is not None
    loader = batches(decoded, split, model.recipe, clean=True)
    views = []
    with torch.no_grad(), model.judging():
        for place in places:
            number, k = divmod(place, loader.batch_size)
            batch = next(iter(loader.epoch(0, number)))
            x = model.ready(batch)[0][k : k + 1]
            score, where = model.novelty.judge(model, x)
            shown = [("picture", arrays(x)[0]), ("answer", arrays(model.reconstruct(x))[0])]
            pictures = [(name, np.rint(picture * 255).astype(np.uint8)) for name, picture in shown]
            if where is not None:
                pictures.append(("where", heat(where[0].cpu().numpy(), float(where[0].max()))))
            labels, ranks = labelled(model.threshold, score.item())
            assert labels is not None and ranks is not None
            told = f"{labels[0]}: stranger than {ranks[0]:.1%} of validation pictures"
            views.append(Views(batch.ids[k], pictures, told))
    return views
