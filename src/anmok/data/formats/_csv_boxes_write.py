"""Writing a table of boxes: path, x1, y1, x2, y2, label, the part, and marks where there are any."""

from __future__ import annotations

import csv
import io

from anmok.data.formats._box_text import corner, plain
from anmok.data.formats._outgoing import Outgoing, Page

_MARKS = {"difficult": "difficult", "crowd": "iscrowd"}


def write(outgoing: Outgoing) -> frozenset[str]:
    """`images/`, `boxes.csv` and `classes.txt`; which marks are kept. Pictures that show nothing have a blank box."""
    targets = [entry.target for entry in outgoing.dataset.entries]
    marks = [mark for mark in _MARKS if any(getattr(target, mark) is not None for target in targets)]
    parts = outgoing.splits != (None,)
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(["path", "x1", "y1", "x2", "y2", "label", *(["split"] if parts else []), *map(_MARKS.get, marks)])
    for page in outgoing.pages(everything=True):
        path = outgoing.picture(page, "images")
        rows = _rows(page, outgoing.classes, marks) or [[""] * (5 + len(marks))]
        part = [page.entry.split or ""] if parts else []
        table.writerows([path, *row[:5], *part, *row[5:]] for row in rows)
    outgoing.text("boxes.csv", stream.getvalue())
    outgoing.text("classes.txt", "".join(f"{name}\n" for name in outgoing.classes))
    return frozenset(_MARKS)


def _rows(page: Page, classes: tuple[str, ...], marks: list[str]) -> list[list[str]]:
    objects = page.objects
    values = {mark: getattr(objects, mark) for mark in marks}
    return [
        [*(plain(corner(value)) for value in box), classes[label],
         *("" if value is None else str(int(value[place])) for value in values.values())]
        for place, (label, box) in enumerate(zip(objects.labels.tolist(), objects.boxes, strict=True))
    ]  # fmt: skip
