"""G5: seeded mutations over all readers. Most have a ledger; a fifth is blind damage, whose files are still counted."""

from __future__ import annotations

import itertools
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.contracts.format_writers import WRITERS, items
from tests.contracts.object_writers import OBJECT_WRITERS, scenes
from tests.contracts.test_formats import count_files, damage
from tests.faults import archived, beside, labels, numbers, objects, pictures
from tests.faults.judge import judge
from tests.faults.ledger import Ledger

PACKED = ("coco", "csv_boxes", "csv_pixels", "idx", "masks", "voc", "yolo")  # without links and pipes
KINDS = (
    "class_folders",
    "csv",
    "csv_pixels",
    "flat_folder",
    "idx",
    "blind",
    *OBJECT_WRITERS,
    *beside.KINDS,
    "archive",
    *labels.KINDS,
)
_BLIND = ("flip", "cut", "grow", "delete", "copy", "line", "cell", "stray", "fifo", "link", "empty")
_JUNK = (b"", b"\0", b'"', b"\xff\xfe", b",,", b"\n", b"\r", b"../..", b"-1", b"NaN", b";", b" ")


@dataclass
class Tally:
    """Cases by reader and outcome, complaints, and the longest time of any case in seconds."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    longest: float = 0.0
    planted: int = 0


def run(folder: Path, count: int, seed: int = 0) -> Tally:
    """Build and judge `count` damaged data sets below `folder`; every 50th is decoded in another process."""
    tally = Tally()
    for number, kind in zip(range(count), itertools.cycle(KINDS), strict=False):
        root, rng = folder / f"case{number}", np.random.default_rng([seed, number])
        ledger = build(root, kind, rng)
        complaints, outcome, seconds = judge(root, ledger, workers=int(number % 50 == 0))
        tally.outcomes[kind, outcome] += 1
        tally.longest = max(tally.longest, seconds)
        tally.planted += len(ledger.bad) + bool(ledger.fatal)
        tally.complaints += [f"case {number}, {kind}: {what} [{'; '.join(ledger.story)}]" for what in complaints]
        shutil.rmtree(root)
    return tally


def build(root: Path, kind: str, rng: np.random.Generator) -> Ledger:
    """One damaged data set."""
    if kind == "csv_pixels":
        return numbers.build_csv_pixels(root, rng)
    if kind == "idx":
        return numbers.build_idx(root, rng)
    if kind in OBJECT_WRITERS:
        return objects.build(root, kind, rng)
    if kind in beside.KINDS:
        return beside.build(root, kind, rng)
    if kind in labels.KINDS:
        return labels.build(root, kind, rng)[0]
    if kind == "archive":
        return archived.pack(root / "inner", build(root / "inner", str(rng.choice(PACKED)), rng), rng)
    return pictures.build(root, kind, rng) if kind != "blind" else _blind(root, rng)


def _blind(root: Path, rng: np.random.Generator) -> Ledger:
    name = str(rng.choice(sorted({**WRITERS, **OBJECT_WRITERS})))
    if name in WRITERS:
        WRITERS[name](root, items(bool(rng.integers(2))))
    else:
        OBJECT_WRITERS[name](root, scenes(6))
    story = [name]
    for _ in range(int(rng.integers(1, 5))):
        how, where, at = str(rng.choice(_BLIND)), *map(int, rng.integers(0, 10**6, 2))
        try:
            damage(root, how, where, at, _JUNK[int(rng.integers(len(_JUNK)))])
        except (FileExistsError, FileNotFoundError):
            continue
        story.append(how)
    return Ledger("any", files=count_files(root), may_refuse=True, story=story)
