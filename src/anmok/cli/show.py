"""How results look in a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_WIDE = 10_000  # columns where no terminal limits them: one line a row for grep
SHOWN = 20  # quarantined items listed before "and more"
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


def print_report(report: Any) -> None:
    """Figures with intervals, then a line a class."""
    names = [name for name in report.figures if not name.endswith(("_low", "_high"))]
    rows = [[n.replace("_", " "), *(f"{report.figures[n + e]:.4f}" for e in ("", "_low", "_high"))] for n in names]
    print_table(["figure", "value", "95 % from", "to"], rows)
    print()
    for bill in report.tables.get("leakage", ()):
        print(f"leakage: {bill['sentence']}\n")
    columns = ["class", "pictures", "precision", "recall", "f1"]
    print_table(columns, [[_short(row[name]) for name in columns] for row in report.tables["classes"]])


def _short(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def check_text(found: Any) -> str:
    """What `anmok check` prints."""
    lines = [f"{found.path}: {found.format}, for {found.task} ({found.why})", ""]
    for unit, a in found.accounts.items():
        sums = f"{a['used']:,} used + {a['quarantined']:,} quarantined + {a['skipped']:,} skipped"
        lines.append(f"{unit}: {a['seen']:,} seen = {sums}")
    splits = ", ".join(f"{name or 'unsplit'} {count:,}" for name, count in found.splits.items())
    lines += [f"splits: {splits}", f"classes: {len(found.classes)}"]
    for name, counts in found.counts.items():
        parts = ", ".join(f"{split} {count:,}" if split else f"{count:,}" for split, count in counts.items())
        lines.append(f"  {name or '(no label)'}: {parts or 0}")
    lines += _looks(found.statistics)
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
        lines.append(f"quarantined: {where}: {item['reason']}. Try: {item['fix']}.")
    if len(found.quarantined) > SHOWN:
        lines.append(f"and {len(found.quarantined) - SHOWN:,} more; --json lists all")
    lines += [f"written: {path}" for path in (found.html, found.split) if path]
    if found.left_out:
        lines.append(f"left out of the split, because they would leak: {len(found.left_out):,}")
    verdict = "this would spoil training" if found.spoils else "nothing found that would spoil training"
    flags = ", ".join(f"{name} {value}" for name, value in found.settings.items())
    return "\n".join([*lines, "", verdict, f"next: {found.suggestion}" + (f" (chooses {flags})" if flags else "")])


def _looks(statistics: Mapping[str, Any]) -> list[str]:
    """Sizes, brightness, contrast and sharpness, one line each."""
    if not statistics:
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
    lines = [f"{'SPOILS' if problem['spoils'] else 'look at'}: {problem['sentence']}. Try: {problem['fix']}."]
    notes = problem["notes"] or [""] * len(problem["pictures"])
    for pictures, note in list(zip(problem["pictures"], notes, strict=True))[:FEW]:
        lines.append(f"    {' = '.join(pictures[:4])}{' = …' if len(pictures) > 4 else ''}{note and f': {note}'}")
    if problem["groups"] > FEW:
        lines.append(f"    and {problem['groups'] - FEW:,} more; --json and --html list them")
    return lines


def print_comparison(found: Any) -> None:
    """A row a network, then the advice."""
    heading = [
        "network",
        "year",
        "parameters",
        "MACs",
        "sees",
        "top-1 %",
        "1 picture",
        "in a batch",
        "training",
        "memory",
    ]
    rows = []
    for knife in found.knives:
        cost = knife.cost
        seen = "all" if knife.field is None else f"{knife.field[0]}×{knife.field[1]}"
        times = ["–"] * 4
        if cost is not None:
            spent = (cost.one_s, cost.batch_s / cost.batch, cost.train_s / cost.batch)
            times = [*(f"{seconds * 1e3:.1f} ms" for seconds in spent), f"{cost.train_bytes / 2**20:,.0f} MiB"]
        top1 = "–" if knife.top1 is None else f"{knife.top1:.1f}"
        rows.append([knife.name, knife.year, f"{knife.parameters:,}", f"{knife.macs / 1e6:,.0f} M", seen, top1, *times])
    print_table(heading, rows)
    sources = sorted({knife.source for knife in found.knives if knife.source})
    print(
        f"\nAt {found.imgsz} pixels. Times are a picture's; memory is a training step's.",
        *sources,
        sep="\n  accuracy: ",
    )
    print(f"\n{found.advice}")
    if found.png is not None:
        print(found.png)
