"""The space of a run's codes, seen: what `anmok inspect RUN --codes` and `--walk` write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anmok.core.errors import UsageError
from anmok.tasks._codes import Coding
from anmok.tasks.files import save_picture
from anmok.verbs.evaluate import labelled_pictures
from anmok.verbs.opened import OpenedRun
from anmok.verbs.predict import prepared_picture
from anmok.verbs.settings import EvalSettings
from anmok.verbs.subject import Subject
from anmok.verbs.terminal import Silence


def look_at_codes(one: Subject, walk: Sequence[Path] | None, out: Path, by: str = "tsne") -> list[Path]:
    """Write maps of the run's pictures, walks, directions, neighbours and draws as PNG files.

    Args:
        one: a run whose network gives codes.
        walk: two pictures between whose codes to walk; None: between a few of the run's own.
        out: folder to write to.
        by: how the second map is made, "tsne" or "umap".

    Raises:
        UsageError: UMAP is missing; it is no run, or of a task whose networks give no codes.
    """
    if not isinstance(one, OpenedRun) or not isinstance(one.kind, Coding):
        raise UsageError("only a run that reconstructs gives pictures codes", got=one.title,
                         fix="anmok train DATA --task reconstruct --net vae")  # fmt: skip
    split = next(name for name in ("test", "val", "train") if name in one.card["data"]["splits"])
    decoded, split_here = labelled_pictures(one, None, EvalSettings.of(split=split), Silence())
    ends = None if walk is None else [prepared_picture(path, one.preparation) for path in walk]
    made = []
    for name, picture in one.kind.space(one.model, decoded, split_here, ends, by).items():
        made.append(out / f"{one.folder.path.name}-{name}.png")
        save_picture(made[-1], picture)
    return made
