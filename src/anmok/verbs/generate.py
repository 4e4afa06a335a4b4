"""Generate: pictures by seed from a run or a shipped generator, each of which can be had again. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anmok.core.codes import Canvas, classes_of
from anmok.core.errors import UsageError, unknown_name
from anmok.tasks import seed_sheets as sheets
from anmok.tasks.files import save_picture
from anmok.verbs.generate_settings import GenerateSettings
from anmok.verbs.shipped import is_shipped
from anmok.verbs.terminal import Terminal

if TYPE_CHECKING:
    from anmok.verbs.subject import Subject

MOST = 10_000  # pictures at once


@dataclass(frozen=True)
class Generated:
    """What was drawn.

    Attributes:
        pictures: uint8 (N, S, S, C).
        names: of each, saying how it can be had again: seed, class, truncation.
        sheet: the PNG with all of them side by side.
        files: the PNG of each one; none where only a sheet was asked for.
    """

    pictures: np.ndarray
    names: Sequence[str]
    sheet: Path
    files: Sequence[Path] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"sheet": str(self.sheet), "pictures": list(self.names), "files": [str(path) for path in self.files]}


@dataclass(frozen=True)
class _Drawn:
    """Pictures, their names, the sheet's columns and name; `sheet`: laid out already."""

    pictures: np.ndarray
    names: Sequence[str]
    columns: int
    title: str
    sheet: np.ndarray | None = None


def generate(subject: Subject | str | Path, *, quiet: bool = True, **settings: Any) -> Generated:
    """Draw pictures.

    The same seed gives the same picture, to the bit on one machine, alone or among others.

    Args:
        subject: a run that generates, or of a VAE, its folder, or a shipped generator's file.
        settings: see `anmok.verbs.generate_settings.GenerateSettings`.

    Raises:
        UsageError: the run draws nothing, or a setting does not fit it.
    """
    asked: GenerateSettings = GenerateSettings.of(**settings)
    canvas, folder = _canvas(subject, asked)
    drawn = _drawn(canvas, asked, parse_seeds(asked.seeds))
    out = asked.out or folder / "generated"
    sheet = out / f"{drawn.title}.png"
    save_picture(sheet, sheets.sheet(drawn.pictures, drawn.columns) if drawn.sheet is None else drawn.sheet)
    files = [out / f"{name}.png" for name in drawn.names] if asked.single else []
    terminal = Terminal(quiet)
    with terminal.bar("writing") as told:
        for done, (path, picture) in enumerate(zip(files, drawn.pictures, strict=False)):
            save_picture(path, picture)
            told(done + 1, len(files))
    return Generated(drawn.pictures, list(drawn.names), sheet, files)


def parse_seeds(text: str) -> list[int]:
    """Seeds as they are written: `0-15`, `7`, `3,7,20-22`.

    >>> parse_seeds("3,7,20-22")
    [3, 7, 20, 21, 22]
    """
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,18})\s*(?:-\s*(\d{1,18})\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last or last - first + len(found) >= MOST:
            raise UsageError("seeds are whole numbers and ranges", got=text,
                             allowed=f"such as 0-15 or 3,7,20-22; {MOST:,} at once", fix="--seeds 0-15")  # fmt: skip
        found += range(first, last + 1)
    return found


def _canvas(subject: Subject | str | Path, asked: GenerateSettings) -> tuple[Canvas, Path]:
    """What draws, and the folder of what it draws."""
    if is_shipped(subject):
        from anmok.ship.painter import load_painter

        return load_painter(Path(str(subject))), Path(str(subject)).parent
    from anmok.tasks._kind import Drawing  # torch, which a shipped generator does without
    from anmok.verbs.opened import subject_of

    one = subject_of(subject, device=asked.device)
    if not isinstance(one.kind, Drawing):
        raise UsageError("this run draws nothing", got=f"{one.title}: {one.kind.name}",
                         allowed="a run of generate, or of a VAE", fix="anmok train DATA --task generate")  # fmt: skip
    return one.kind.canvas(one.model), one.path


def _drawn(canvas: Canvas, asked: GenerateSettings, seeds: list[int]) -> _Drawn:
    classes, shares = _classes(canvas, asked.classes), _shares(asked.truncation)
    title = "seeds-" + re.sub(r"[^0-9,-]", "", asked.seeds)[:60]
    if asked.mix is not None:
        return _mixed(canvas, asked, seeds, title)
    if asked.walk:
        return _walk(canvas, asked, seeds, classes, shares, title)
    if classes is None:
        labels = classes_of(seeds, canvas)
        names = [_name(canvas, seed, label, share) for share in shares for seed, label in _paired(seeds, labels)]
        pictures = sheets.truncated(canvas, seeds, shares)
        columns = len(seeds) if len(shares) > 1 else sheets.columns(len(seeds))
    else:
        names = [_name(canvas, seed, label, share) for share in shares for label in classes for seed in seeds]
        rows = [sheets.truncated(canvas, seeds, [share], np.full(len(seeds), label))
                for share in shares for label in classes]  # fmt: skip
        pictures, columns = np.concatenate(rows), len(seeds)
    return _Drawn(pictures, names, columns, title + _told(shares))


def _walk(
    canvas: Canvas, asked: GenerateSettings, seeds: list[int], classes: list[int] | None, shares: list[float],
    title: str,
) -> _Drawn:  # fmt: skip
    if len(seeds) < 2 or len(shares) > 1:
        raise UsageError("a walk leads from seed to seed at one truncation", got=f"--seeds {asked.seeds}",
                         fix="--seeds 0-3 --walk")  # fmt: skip
    parts, names = [], []
    for label in classes or [None]:  # type: ignore[list-item]
        parts.append(sheets.walks(canvas, seeds, label, asked.steps, shares[0]))
        kind = "" if label is None else f"-{_plain(canvas.classes[label])}"
        names += [f"walk-{a}-{b}{kind}-{step}" for a, b in pairwise(seeds)
                  for step in range(asked.steps)]  # fmt: skip
    return _Drawn(np.concatenate(parts), names, asked.steps, f"{title}-walk{_told(shares)}")


def _mixed(canvas: Canvas, asked: GenerateSettings, seeds: list[int], title: str) -> _Drawn:
    fine = parse_seeds(str(asked.mix))
    if asked.classes or asked.walk or asked.truncation != "1":
        raise UsageError("mixed styles are drawn as they are", got="--mix with --classes, --walk or --truncation",
                         fix="--mix alone")  # fmt: skip
    from anmok.tasks.generate.mixing import laid_out, mixtures

    pictures = mixtures(canvas, seeds, fine, asked.crossover)
    names = [f"coarse-{a}-fine-{b}" for a in seeds for b in fine]
    layout = laid_out(canvas, seeds, fine, asked.crossover)
    return _Drawn(pictures.reshape(-1, *pictures.shape[2:]), names, len(fine), f"{title}-mixed", layout)


def _classes(canvas: Canvas, asked: str | None) -> list[int] | None:
    """Class ids by name; None: each seed's own."""
    if asked is None:
        return None
    if not canvas.classes:
        raise UsageError("this generator draws no classes", got=f"--classes {asked}", fix="leave it out")
    known = {name: number for number, name in enumerate(canvas.classes)}
    if asked == "all" and "all" not in known:
        return list(known.values())
    names = [asked] if asked in known else [name.strip() for name in asked.split(",")]
    for name in names:
        if name not in known:
            raise unknown_name("class", name, known)
    return [known[name] for name in names]


def _shares(text: str) -> list[float]:
    try:
        shares = [float(part) for part in text.split(",")]
    except ValueError:
        shares = []
    if not shares or not all(0 <= share <= 2 for share in shares):
        raise UsageError("truncations are numbers", got=f"--truncation {text}", allowed="0 (all alike) to 2",
                         fix="--truncation 0.5,0.7,1")  # fmt: skip
    return shares


def _paired(seeds: Sequence[int], labels: np.ndarray | None) -> list[tuple[int, int | None]]:
    return [(seed, None if labels is None else int(labels[row])) for row, seed in enumerate(seeds)]


def _name(canvas: Canvas, seed: int, label: int | None, share: float) -> str:
    kind = "" if label is None else f"-{_plain(canvas.classes[label])}"
    return f"seed-{seed:05d}{kind}" + ("" if share == 1 else f"-truncation-{share:g}")


def _told(shares: Sequence[float]) -> str:
    return "" if list(shares) == [1] else "-truncation-" + ",".join(f"{share:g}" for share in shares)


def _plain(name: str) -> str:
    return re.sub(r'[/\\\0:*?"<>|\s]+', "_", name)
