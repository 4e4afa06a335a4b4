"""From what `check` found to the plain data that `anmok.report` draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anmok.core.errors import sentence
from anmok.data.check import Check
from anmok.data.problems import Problem
from anmok.report import content
from anmok.report.check_page import CheckContent, ShownProblem, write_check
from anmok.tasks.invariance import MOVES
from anmok.tasks.pictures import Decoded
from anmok.verbs import check_boxes, check_masks
from anmok.verbs.card import now

SHOWN_PER_CLASS, SHOWN_PER_PROBLEM, SIDE_BY_SIDE = 6, 24, 4  # pictures, groups, pictures of a group


def write_check_page(path: Path, found: Check, problems: Sequence[Problem], decoded: Decoded | None) -> Path:
    """Write the page; `decoded` holds the pictures to be shown, None where nothing was decoded."""
    return write_check(
        path,
        CheckContent(
            title=f"{Path(found.path).name}: {_verdict(found)}",
            summary=_summary(found),
            data=_data(found, decoded),
            problems=[_shown(problem, decoded) for problem in problems],
            looks=_looks(found.statistics),
            histograms=[*check_boxes.histograms(found.statistics), *check_masks.histograms(found.statistics)],
            moved=_moved(found, decoded),
            settings={name: str(value) for name, value in found.settings.items()},
            command=found.suggestion,
            created=now(),
        ),
    )


def _verdict(found: Check) -> str:
    return "not ready for training" if found.spoils else "ready for training"


def _summary(found: Check) -> str:
    splits = ", ".join(f"{count:,} {name or 'without a split'}" for name, count in found.splits.items())
    pictures = sum(found.splits.values())
    return f"{pictures:,} pictures of {len(found.classes):,} classes ({splits}), read as {found.format}: {found.why}."


def _data(found: Check, decoded: Decoded | None) -> content.Data:
    sums = [
        f"{a['seen']:,} {unit} seen = {a['used']:,} used + {a['quarantined']:,} quarantined + {a['skipped']:,} skipped"
        for unit, a in found.accounts.items()
    ]
    facts = {"format": found.format, "place": found.path, "account": "; ".join(sums)}
    facts |= {f"skipped: {reason}": f"{count:,}" for reason, count in found.skipped.items()}
    aside = [content.SetAside(i["path"], i["reason"], i["fix"], i.get("line")) for i in found.quarantined]
    counts = {name or "(no label)": parts for name, parts in found.counts.items()}
    told = {problem["sentence"] for problem in found.problems}
    warnings = [text for text in found.warnings if text not in told]
    return content.Data(counts, facts, aside, warnings, _samples(decoded))


def _samples(decoded: Decoded | None) -> dict[str, list[np.ndarray]]:
    """Some pictures of each class, spread over it."""
    if decoded is None:
        return {}
    if check_boxes.has_boxes(decoded.dataset):
        return check_boxes.samples(decoded.dataset)
    if check_masks.has_masks(decoded.dataset):
        return check_masks.samples(decoded.dataset)
    targets = np.array([e.target if isinstance(e.target, int) else -1 for e in decoded.dataset.entries], int)
    samples = {}
    for index, name in enumerate(decoded.dataset.classes):
        own = np.flatnonzero(targets == index)
        chosen = own[:: max(1, len(own) // SHOWN_PER_CLASS)][:SHOWN_PER_CLASS]
        samples[name] = list(decoded.source.gather(decoded.rows[chosen])) if len(chosen) else []
    return samples


def _moved(found: Check, decoded: Decoded | None) -> dict[str, Sequence[np.ndarray]]:
    """Some pictures as they are and after each move that was measured."""
    if decoded is None or not found.augmentation:
        return {}
    spread = np.linspace(0, len(decoded.rows) - 1, min(SIDE_BY_SIDE, len(decoded.rows))).round().astype(int)
    pixels = decoded.source.gather(decoded.rows[spread])
    after = {sentence(one["advice"]): list(MOVES[one["move"]][1](pixels, 0)) for one in found.augmentation}
    return {"Pictures as they are.": list(pixels), **after}


def _shown(problem: Problem, decoded: Decoded | None) -> ShownProblem:
    groups: list[tuple[list[tuple[str, Any]], str]] = []
    if decoded is not None:
        notes = problem.notes or ("",) * len(problem.groups)
        for positions, note in list(zip(problem.groups, notes, strict=True))[:SHOWN_PER_PROBLEM]:
            chosen = np.array(positions[:SIDE_BY_SIDE], int)
            pictures = _pictures(decoded, problem, chosen)
            named = [(_called(decoded, int(i)), picture) for i, picture in zip(chosen, pictures, strict=True)]
            groups.append((named, note))
    return ShownProblem(problem.sentence, problem.fix, problem.spoils, groups, len(problem.groups) - len(groups))


def _pictures(decoded: Decoded, problem: Problem, chosen: np.ndarray) -> Sequence[np.ndarray]:
    """These pictures as they were decoded, with their boxes (those marked that the problem is about), or masks."""
    plain = list(decoded.source.gather(decoded.rows[chosen]))
    dataset = decoded.dataset
    shown: Sequence[np.ndarray | None] = plain
    if check_boxes.has_boxes(dataset):
        shown = [check_boxes.with_boxes(dataset, k, check_boxes.concerned(problem.kind, dataset.entries[k].target))
                 for k in chosen.tolist()]  # fmt: skip
    elif check_masks.has_masks(dataset):
        shown = [check_masks.with_mask(dataset, k) for k in chosen.tolist()]
    return [other if picture is None else picture for picture, other in zip(shown, plain, strict=True)]


def _called(decoded: Decoded, position: int) -> str:
    entry = decoded.dataset.entries[position]
    return f"{entry.split}: {entry.id}" if entry.split and not entry.id.startswith(entry.split) else entry.id


def _looks(statistics: Mapping[str, Any]) -> dict[str, str]:
    told = {}
    if statistics.get("sizes"):
        sizes = [f"{s['width']} × {s['height']} × {s['channels']} ({s['pictures']:,})" for s in statistics["sizes"][:8]]
        told["sizes"] = ", ".join(sizes)
    for name, unit in (
        ("brightness", "level of 255"),
        ("contrast", "level of 255"),
        ("sharpness", "share of contrast"),
    ):
        if name in statistics:
            values = ", ".join(f"{word} {value:.3g}" for word, value in statistics[name].items())
            told[f"{name} ({unit})"] = values
    return told
