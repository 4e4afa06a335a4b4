"""How results look in a terminal."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from anmok.cli.show_targets import targets_text
from anmok.core.errors import ended
from anmok.verbs.terminal import figures_line

_WIDE = 10_000  # columns where no terminal limits them: one line a row for grep
SHOWN = 20  # quarantined items listed before "and more"
BUSY = 0.5  # processes a core beyond which measured times deserve a word
COLUMNS = 5  # figures of a class that fit a terminal; --json has all
FEW = 3  # pictures listed for each problem


def as_json(value: Any, indent: int | None = 2) -> str:
    """Readable JSON; Korean stays Korean."""
    return json.dumps(value, ensure_ascii=False, indent=indent, default=str)


def print_run(run: Any, as_text: bool) -> int:
    """Where the run lies, or what it came to as JSON; always exit code 0."""
    if not as_text:
        print(as_json({"run": str(run.path), "report": str(run.report), "metrics": run.metrics}))
    else:
        print(run.path)
    return 0


def print_table(heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A plain table on standard output."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(heading):  # never cut: half a path is no path
        table.add_column(name, overflow="fold", no_wrap=place > 0 and len(heading) > 3)
    for row in rows:
        table.add_row(*map(escape, map(str, row)))
    console = Console(highlight=False)
    (console if console.is_terminal else Console(highlight=False, width=_WIDE)).print(table)


def answer_rows(answers: Sequence[Any], top: int) -> Iterable[Mapping[str, Any]]:
    """What `--json` says of each picture: its likeliest classes, or all boxes in it."""
    from anmok.report import box_tables, tables

    return box_tables.picture_rows(answers) if _are_boxes(answers) else tables.rows(answers, top, _are_sets(answers))


def print_answers(answers: Sequence[Any], top: int) -> None:
    """A table of answers: the likeliest `top` classes, or how many objects of which class and the surest `top`."""
    from anmok.report import box_tables, tables

    if _are_boxes(answers):
        print_table(box_tables.HEADING, box_tables.terminal_rows(answers, top))
    elif any(answer.picture is not None and answer.labels is None for answer in answers):
        print_table(["id", "answer"], ([answer.id, answer.error or _size(answer.picture)] for answer in answers))
        print("Answers are pictures: --to FOLDER writes them.", file=sys.stderr)
    else:
        print_table(tables.heading(top), tables.terminal_rows(answers, top))


def _size(picture: Any) -> str:
    return f"a picture of {picture.shape[1]} × {picture.shape[0]}"


def _are_boxes(answers: Sequence[Any]) -> bool:
    return any(answer.boxes is not None for answer in answers)


def _are_sets(answers: Sequence[Any]) -> bool:
    return any(answer.found is not None for answer in answers)


def print_report(report: Any) -> None:
    """Figures with intervals, then a line a class."""
    names = [name for name in report.figures if not name.endswith(("_low", "_high"))]
    rows = [[_words(n), *(f"{report.figures[n + e]:.4f}" for e in ("", "_low", "_high"))] for n in names]
    print_table(["figure", "value", "95 % from", "to"], rows)
    print()
    for line in _sentences(report.tables):
        print(f"{line}\n")
    classes = report.tables.get("classes", ())
    if classes:
        figures = [name for name in classes[0] if f"{name}_low" in classes[0]][:COLUMNS]
        heading = ["class", "pictures", *map(_words, figures)]
        print_table(heading, [[row["class"], row["pictures"], *(_ranged(row, name) for name in figures)]
                              for row in classes])  # fmt: skip
    sizes = report.tables.get("sizes", ())
    if sizes:
        print()
        rows = [[row["class"], f"{row['size']}, {row['least']:,} to {row['most']:,}", row["objects"],
                 _ranged(row, "recall")] for row in sizes]  # fmt: skip
        print_table(["objects of", "pixels", "there", "found"], rows)
    groups = report.tables.get("groups", ())
    if groups:
        print()
        rows = [[row["group"], row["pictures"], _ranged(row, "accuracy")] for row in groups[:SHOWN]]
        print_table(["group, weakest first", "pictures", "accuracy"], rows)
        if len(groups) > SHOWN:
            print(f"and {len(groups) - SHOWN:,} more; --json lists all")


def _words(name: str) -> str:
    """A figure's name as people write it."""
    return name.replace("_", " ").replace("iou", "IoU").replace("f1", "F1")


def seeds_text(found: Any) -> str:
    """The runs, then each figure's mean and spread."""
    lines = [str(run.path) for run in found.runs]
    lines += ["", f"{found.split} split, {len(found.runs)} seeds: mean ± standard deviation (lowest to highest)"]
    for name, spread in found.figures.items():
        around = "" if spread.deviation is None else f" ± {spread.deviation:.4f}"
        told = f"{spread.mean:.4f}{around} ({spread.lowest:.4f} to {spread.highest:.4f})"
        lines.append(f"{name.replace('_', ' ')}: {told}")
    return "\n".join([*lines, str(found.path)])


def duel_text(found: Any) -> str:
    """Figures of two runs side by side, the interval of their difference, and the verdict."""
    first, second = found.names
    lines = [f"{first} against {second} on {found.pictures:,} pictures", ""]
    for name, (a, b, difference) in found.rows.items():
        told = f"difference {a - b:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"
        lines.append(f"{name.replace('_', ' ')}: {a:.4f} and {b:.4f}, {told}")
    lines += found.notes
    return "\n".join([*lines, "", found.verdict])


def _sentences(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """What the smaller tables of an evaluation say."""
    found = [f"leakage: {bill['sentence']}" for bill in tables.get("leakage", ())]
    found += [row["sentence"] for name in ("novelty", "ways") for row in tables.get(name, ())]
    before_after = [f"{row['error']:.3f} ({row['error_low']:.3f} to {row['error_high']:.3f})"
                    for row in tables.get("calibration", ())]  # fmt: skip
    if before_after:
        found.append(f"calibration error: {' before the temperature, after it '.join(before_after)}")
    for row in tables.get("rejection", ()):
        found.append(f"{row['sentence']}.\n  Here {_ranged(row, 'coverage')} are answered, and of these "
                     f"{_ranged(row, 'accuracy')} rightly.")  # fmt: skip
    for row in tables.get("unseen", ()):
        told = f"certainty tells pictures of known classes from {row['pictures']:,} of unseen ones with AUROC "
        answered = f"; {_ranged(row, 'answered')} of the unseen are answered all the same" if "answered" in row else ""
        found.append(f"{told}{_ranged(row, 'auroc')}{answered}")
    return found


def _ranged(row: Mapping[str, Any], name: str) -> str:
    """A figure with its interval, in short."""
    return f"{row[name]:.3f} ({row[f'{name}_low']:.3f}–{row[f'{name}_high']:.3f})"


def check_text(found: Any) -> str:
    """What `anmok check` prints."""
    lines = [f"{found.path}: {found.format}, for {found.task} ({found.why})", ""]
    for unit, a in found.accounts.items():
        sums = f"{a['used']:,} used + {a['quarantined']:,} quarantined + {a['skipped']:,} skipped"
        lines.append(f"{unit}: {a['seen']:,} seen = {sums}")
    splits = ", ".join(f"{name or 'unsplit'} {count:,}" for name, count in found.splits.items())
    counted = f" ({found.counted})" if found.counted not in ("", "pictures") else ""
    lines += [f"splits: {splits}", f"classes: {len(found.classes)}{counted}"]
    for name, counts in found.counts.items():
        parts = ", ".join(f"{split} {count:,}" if split else f"{count:,}" for split, count in counts.items())
        lines.append(f"  {name or '(no label)'}: {parts or 0}")
    lines += [*_looks(found.statistics), *targets_text(found.statistics)]
    if found.sizes and not found.statistics:
        sizes = ", ".join(f"{s['width']} × {s['height']} ({s['pictures']:,})" for s in found.sizes[:5])
        lines.append(f"sizes: {sizes}")
    lines += [f"skipped: {count:,} × {reason}" for reason, count in found.skipped.items()]
    told = " ".join(problem["sentence"] for problem in found.problems)
    lines += [f"warning: {text}" for text in found.warnings if text not in told]
    for problem in found.problems:
        lines += _problem(problem)
    for item in found.quarantined[:SHOWN]:
        where = f"{item['path']}, line {item['line']}" if item.get("line") else item["path"]
        lines.append(f"quarantined: {where}: {item['reason']}. Try: {ended(item['fix'])}")
    if len(found.quarantined) > SHOWN:
        lines.append(f"and {len(found.quarantined) - SHOWN:,} more; --json lists all")
    lines += [one["advice"] for one in found.augmentation]
    lines += [f"written: {path}" for path in (found.html, found.split) if path]
    if found.written:
        lines.append(f"written as {found.written['format']}: {found.written['path']}, {found.written['pictures']:,} "
                     f"pictures, {found.written['objects']:,} objects, read back and the same")  # fmt: skip
        lines += [f"  not kept: {what}" for what in found.written["lost"]]
    if found.left_out:
        lines.append(f"left out of the split, because they would leak: {len(found.left_out):,}")
    verdict = "this would spoil training" if found.spoils else "nothing found that would spoil training"
    flags = ", ".join(f"{name} {value}" for name, value in found.settings.items())
    return "\n".join([*lines, "", verdict, f"next: {found.suggestion}" + (f" (chooses {flags})" if flags else "")])


def _looks(statistics: Mapping[str, Any]) -> list[str]:
    """Sizes, brightness, contrast and sharpness, one line each."""
    if not statistics.get("sizes"):
        return []
    sizes = [f"{s['width']} × {s['height']} × {s['channels']} ({s['pictures']:,})" for s in statistics["sizes"][:5]]
    more = f", and {statistics['sizes_in_all'] - 5:,} others" if statistics["sizes_in_all"] > 5 else ""
    lines = [f"sizes: {', '.join(sizes)}{more}"] if sizes else []
    for name in ("brightness", "contrast", "sharpness"):
        if name in statistics:
            lines.append(f"{name}: {', '.join(f'{word} {value:.3g}' for word, value in statistics[name].items())}")
    return lines


def _problem(problem: Mapping[str, Any]) -> list[str]:
    """One problem: what, where (the first few), what to do."""
    lines = [f"{'SPOILS' if problem['spoils'] else 'look at'}: {problem['sentence']}. Try: {ended(problem['fix'])}"]
    notes = problem["notes"] or [""] * len(problem["pictures"])
    for pictures, note in list(zip(problem["pictures"], notes, strict=True))[:FEW]:
        lines.append(f"    {' = '.join(pictures[:4])}{' = …' if len(pictures) > 4 else ''}{note and f': {note}'}")
    if problem["groups"] > FEW:
        lines.append(f"    and {problem['groups'] - FEW:,} more; --json and --html list them")
    return lines


def print_comparison(found: Any) -> None:
    """A row a network within 80 columns, what was measured and how, then the advice."""
    tried = any(knife.probe is not None for knife in found.knives)
    heading = ["network", "weights", "MACs", "sees", "yours" if tried else "top-1", "alone", "batch", "train", "MiB"]
    rows = []
    for knife in found.knives:
        cost = knife.cost
        measured = ["–"] * 4
        if cost is not None:
            spent = (cost.one_s, cost.batch_s / cost.batch, cost.train_s / cost.batch)
            measured = [
                *(f"{seconds * 1e3:.3g}" for seconds in spent),
                f"{cost.train_bytes / 2**20:,.0f}" if cost.train_bytes else "–",
            ]
        seen = "all" if knife.field is None else "×".join(map(str, dict.fromkeys(knife.field)))
        top1 = "–" if knife.top1 is None else f"{knife.top1:.1f}"
        if knife.probe is not None:
            top1 = f"{100 * knife.probe.value:.1f}"
        rows.append([knife.name, _count(knife.parameters), _count(knife.macs), seen, top1, *measured])
    print_table(heading, rows)
    print(f"\nAt {found.imgsz} pixels. sees: pixels across that one cell of the last map sees.")
    batch = next((knife.cost.batch for knife in found.knives if knife.cost), None)
    if batch is not None:
        m = found.machine
        print(
            f"Milliseconds a picture, measured: answering one alone; answering {batch} in a batch; a training step\n"
            f"with {batch}. MiB: most memory of that step. On {m['device']} ({m['cpu']}, {m['threads']} threads), "
            f"{m['precision']}, channels last,\nas training computes here; random weights and pictures."
        )
        if m["busy"] > BUSY:
            print(f"The machine was busy with other work ({m['busy']:.1f} processes a core): times are too long.")
    for knife in found.knives if tried else ():
        print(f"{knife.name} on your pictures, frozen and cross-validated: {figures_line({'accuracy': knife.probe})}")
    for source in sorted({knife.source for knife in found.knives if knife.top1 is not None and not tried}):
        print(f"top-1: ImageNet, per cent; {source}")
    print(f"\n{textwrap.fill(found.advice, 100)}")
    if found.png is not None:
        print(found.png)


def _count(number: int) -> str:
    """Three figures and a unit."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{float(f'{number / size:.3g}'):g} {unit}"
    return str(number)
