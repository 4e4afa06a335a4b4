"""What one pass over all pictures finds: bad ones, notes, channels. Kept beside the pixels, to be found only once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from anmok.core.errors import PictureError
from anmok.core.pictures import Decoded
from anmok.core.types import Dataset, Quarantined
from anmok.data.decoding_process import DecoderLostError
from anmok.data.walk import readable

_ROW_ID = re.compile(r"(?P<path>.*):(?P<line>\d+)", re.DOTALL)


@dataclass(frozen=True)
class BadRow:
    """A picture without pixels. `lost` says that its decoder crashed or stalled, so that trying again is no use."""

    row: int
    reason: str
    fix: str
    lost: bool


@dataclass
class Findings:
    """`notes`: for each note the number of pictures and the first one's row. `channels`: pictures by channels.

    `sizes`: every picture's [height, width], bad ones' [0, 0]; None where nobody needs them.
    """

    bad: list[BadRow] = field(default_factory=list)
    notes: dict[str, list[int]] = field(default_factory=dict)
    channels: Counter[int] = field(default_factory=Counter)
    sizes: list[list[int]] | None = None

    def add(self, row: int, found: Decoded | PictureError) -> None:
        """Take in the answer for one row."""
        if self.sizes is not None:
            self.sizes.append([0, 0] if isinstance(found, PictureError) else list(found.original_size))
        if isinstance(found, PictureError):
            reason = found.what
            reason += f"; got {found.got}" if found.got is not None else ""
            reason += f"; allowed: {found.allowed}" if found.allowed is not None else ""
            fix = found.fix or "correct or remove it"
            self.bad.append(BadRow(row, reason, fix, isinstance(found, DecoderLostError)))
            return
        self.channels[found.channels] += 1
        for note in found.notes:
            self.notes.setdefault(note, [0, row])[0] += 1

    def bad_ids(self, dataset: Dataset) -> set[str]:
        """Ids of the entries to be left out."""
        return {dataset.entries[bad.row].id for bad in self.bad}

    def quarantined(self, dataset: Dataset) -> list[Quarantined]:
        """The bad pictures by file, or by table and line where the data set's items are rows."""
        return [_quarantined(dataset, bad) for bad in self.bad]

    def warnings(self, dataset: Dataset) -> tuple[str, ...]:
        """One sentence for each kind of note."""
        sentences = [
            f"{_pictures(count)}: {note} (first: {dataset.entries[row].id})"
            for note, (count, row) in sorted(self.notes.items())
        ]
        if len(self.channels) > 1:
            grey, colour = self.channels[1], self.channels[3]
            sentences.append(f"grey and colour pictures are mixed: {grey} grey, {colour} colour; all are made alike")
        return tuple(sentences)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        channels = {str(number): count for number, count in self.channels.items()}
        found = {"bad": [asdict(bad) for bad in self.bad], "notes": self.notes, "channels": channels}
        return found if self.sizes is None else found | {"sizes": self.sizes}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Findings:
        """The inverse of `to_json`. Raises `LookupError`, `TypeError` or `ValueError` where values are foreign."""
        notes = {str(note): [int(count), int(row)] for note, (count, row) in values["notes"].items()}
        channels = Counter({int(number): int(count) for number, count in values["channels"].items()})
        sizes = [[int(height), int(width)] for height, width in values["sizes"]] if "sizes" in values else None
        return cls([BadRow(**bad) for bad in values["bad"]], notes, channels, sizes)


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"


def _quarantined(dataset: Dataset, bad: BadRow) -> Quarantined:
    entry = dataset.entries[bad.row]
    row_id = _ROW_ID.fullmatch(entry.origin or entry.id) if dataset.unit == "rows" else None
    if row_id is None:
        return Quarantined(entry.id, bad.reason, bad.fix)
    where = f"picture {readable(entry.locator)}: " if isinstance(entry.locator, str) else ""
    return Quarantined(row_id["path"], where + bad.reason, bad.fix, int(row_id["line"]))
