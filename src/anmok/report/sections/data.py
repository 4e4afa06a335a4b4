"""What the pictures are: counts by class and split, some of them to look at, and what was set aside."""

from __future__ import annotations

from collections.abc import Mapping

from anmok.report.content import Data, ReportContent, SetAside
from anmok.report.html import facts, fold, notes, number, section, strips, table, text

ORDER = ("train", "val", "test")
FOLD_BEYOND = 20  # classes; a longer table opens on a click


def data(content: ReportContent) -> str:
    """The section, or nothing where the content has no data part."""
    found = content.data
    if found is None:
        return ""
    return section(
        "data", "The pictures", facts(found.facts), notes(found.warnings), strips(found.samples), _counts(found.counts),
        _set_aside(found),
    )  # fmt: skip


def _counts(counts: Mapping[str, Mapping[str, int]]) -> str:
    if not counts:
        return ""
    known = dict.fromkeys(split for by_split in counts.values() for split in by_split)
    splits = sorted(known, key=lambda split: ORDER.index(split) if split in ORDER else len(ORDER))
    most = max(sum(by_split.values()) for by_split in counts.values()) or 1
    rows = []
    for name, by_split in counts.items():
        total = sum(by_split.values())
        bar = f'<span class="bar" style="--w:{total / most:.4f}"></span>'
        rows.append([text(name), *(number(by_split.get(split, 0)) for split in splits), number(total), bar])
    sums = [number(sum(by_split.get(split, 0) for by_split in counts.values())) for split in splits]
    sums.append(number(sum(sum(by_split.values()) for by_split in counts.values())))
    rows.append([f"<b>{len(counts)} classes</b>", *(f"<b>{value}</b>" for value in sums), ""])
    heads = ["class", *(split or "no split" for split in splits), "all", ""]
    shown = table(heads, rows, "t" + "n" * (len(splits) + 1) + "t")
    return fold("Pictures by class", shown) if len(counts) > FOLD_BEYOND else shown


def _set_aside(found: Data) -> str:
    if not found.quarantined:
        return ""
    rows = [[f"<code>{text(_place(item))}</code>", text(item.reason), text(item.fix)] for item in found.quarantined]
    count = len(found.quarantined)
    return fold(
        f"{count} {'item' if count == 1 else 'items'} set aside, and why",
        table(["file", "reason", "what to do"], rows, "ttt"),
    )


def _place(item: SetAside) -> str:
    return item.path if item.line is None else f"{item.path}:{item.line}"
