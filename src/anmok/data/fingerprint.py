"""What a data set is, as a digest, and what has changed between two: a run never resumes on other data unknowingly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from anmok.core.errors import DataError, PictureError
from anmok.core.targets import Labels, Partner
from anmok.core.types import Dataset, Entry


@dataclass(frozen=True)
class Fingerprint:
    """`digest` covers everything; `items` holds a short hash for each id, so that two can be compared item by item."""

    digest: str
    classes: tuple[str, ...]
    items: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"digest": self.digest, "classes": list(self.classes), "items": dict(self.items)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Fingerprint:
        """The inverse of `to_json`.

        Raises:
            DataError: the values are no fingerprint, or one that was changed.
        """
        try:
            found = cls(str(values["digest"]), tuple(values["classes"]), dict(values["items"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("this is no fingerprint of a data set", got=str(error)) from error
        if found.digest != _digest(found.classes, found.items):
            raise DataError("the fingerprint of the data set is damaged", got=found.digest)
        return found


@dataclass(frozen=True)
class Difference:
    """What a data set gained, lost, and has under the same id with another content, label or split."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    classes: tuple[tuple[str, ...], tuple[str, ...]] | None = field(default=None)  # (before, now) where they differ

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.classes)

    def __str__(self) -> str:
        parts = [f"{what}: {_some(ids)}" for what in ("added", "removed", "changed") if (ids := getattr(self, what))]
        if self.classes:
            before, now = (", ".join(names) for names in self.classes)
            parts.append(f"classes were [{before}] and are [{now}]")
        return "; ".join(parts) or "nothing changed"


def fingerprint(dataset: Dataset) -> Fingerprint:
    """The fingerprint of a data set: ids, targets, splits, groups, and what identifies the stored bytes of pictures,
    masks and partners.

    Files are known by size and time of their last change, rows by their pixels; nothing is decoded.
    """
    told: dict[tuple[int, str | None, str | None], bytes] = {}  # the same few for all entries of a class and split
    items = {entry.id: _item(dataset, entry, told) for entry in dataset.entries}
    return Fingerprint(_digest(dataset.classes, items), dataset.classes, items)


def difference(before: Fingerprint, now: Fingerprint) -> Difference:
    """What changed from one data set to the other."""
    if before.digest == now.digest:
        return Difference()
    return Difference(
        added=tuple(sorted(now.items.keys() - before.items.keys())),
        removed=tuple(sorted(before.items.keys() - now.items.keys())),
        changed=tuple(sorted(name for name, hashed in now.items.items() if before.items.get(name, hashed) != hashed)),
        classes=None if before.classes == now.classes else (before.classes, now.classes),
    )


def _item(dataset: Dataset, entry: Entry, known: dict[tuple[int, str | None, str | None], bytes]) -> str:
    if isinstance(entry.target, int):
        kind = (entry.target, entry.split, entry.group)
        # A class by its name: one class more must not change all items.
        told = known.get(kind) or known.setdefault(kind, _told(dataset.classes[entry.target], entry))
    elif isinstance(entry.target, Labels):
        told = _told(repr([dataset.classes[number] for number in entry.target.numbers]), entry)
    else:
        told = _told(repr(entry.target), entry)
    identity = _identity(dataset, entry.locator)
    if isinstance(entry.target, Partner):
        identity += b"\0" + _identity(dataset, entry.target.locator)
    if dataset.masks is not None:
        identity += b"\0" + _gone_or(lambda: dataset.masks.identity(entry.target))  # type: ignore[union-attr]
    return hashlib.blake2b(told + b"\0" + identity, digest_size=8).hexdigest()


def _told(target: str, entry: Entry) -> bytes:
    return json.dumps([target, entry.split, entry.group]).encode()


def _identity(dataset: Dataset, locator: str | int) -> bytes:
    if getattr(dataset.pictures, "in_memory", False):
        # A table's identity changes with any of its rows; the row itself tells which.
        return _gone_or(lambda: np.ascontiguousarray(dataset.pictures.read(locator)).tobytes())
    return _gone_or(lambda: dataset.pictures.identity(locator))


def _gone_or(told: Callable[[], bytes]) -> bytes:
    try:
        return told()
    except PictureError:
        return b"gone"


def _digest(classes: Sequence[str], items: Mapping[str, str]) -> str:
    told = json.dumps([list(classes), sorted(items.items())]).encode()
    return hashlib.sha256(told).hexdigest()


def _some(ids: Sequence[str]) -> str:
    return f"{len(ids)} ({', '.join(ids[:5])}{', …' if len(ids) > 5 else ''})"
