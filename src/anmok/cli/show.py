"""How results look in a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_WIDE = 10_000  # columns where no terminal limits them: one line a row for grep
SHOWN = 20  # quarantined items listed before "and more"


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
    for name in heading:
        table.add_column(name, overflow="fold")  # never cut: half a path is no path
    for row in rows:
        table.add_row(*map(escape, map(str, row)))
    console = Console(highlight=False)
    console.print(table, width=None if console.is_terminal else _WIDE)


def print_report(report: Any) -> None:
    """Figures with intervals, then a line a class."""
    names = [name for name in report.figures if not name.endswith(("_low", "_high"))]
    rows = [[n.replace("_", " "), *(f"{report.figures[n + e]:.4f}" for e in ("", "_low", "_high"))] for n in names]
    print_table(["figure", "value", "95 % from", "to"], rows)
    print()
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
    if found.sizes:
        sizes = ", ".join(f"{s['width']} × {s['height']} ({s['pictures']:,})" for s in found.sizes[:5])
        lines.append(f"sizes: {sizes}")
    lines += [f"skipped: {count:,} × {reason}" for reason, count in found.skipped.items()]
    lines += [f"warning: {text}" for text in found.warnings]
    for item in found.quarantined[:SHOWN]:
        where = f"{item['path']}, line {item['line']}" if item.get("line") else item["path"]
        lines.append(f"quarantined: {where}: {item['reason']}. Try: {item['fix']}.")
    if len(found.quarantined) > SHOWN:
        lines.append(f"and {len(found.quarantined) - SHOWN:,} more; --json lists all")
    return "\n".join([*lines, "", f"next: {found.suggestion}"])
