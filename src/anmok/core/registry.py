"""Registries without lists: a room is scanned, and what is tagged in its files is found.

Adding a network, a format, a metric or an explainer touches one file. Tagging changes nothing but the tagged object;
two objects of one name are an error.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Generic, TypeVar

from anmok.core.errors import unknown_name

T = TypeVar("T")
_TAG = "__anmok_entries__"


def register(kind: str, *, name: str | None = None) -> Callable[[T], T]:
    """Tag a function or class as an entry of the registry for `kind`, under its own name unless `name` is given."""

    def tag(entry: T) -> T:
        entries = dict(vars(entry).get(_TAG, {}))
        entries[kind] = name or entry.__name__  # type: ignore[attr-defined]
        setattr(entry, _TAG, entries)
        return entry

    return tag


class Registry(Mapping[str, T], Generic[T]):
    """All entries of one `kind` tagged anywhere in the room `package`, by name, in alphabetical order.

    The room is imported on first use, but for an entry that has the name of its file: asked for by name, only that file
    is. Files whose names start with an underscore are helpers and are not scanned.
    """

    def __init__(self, package: str, kind: str) -> None:
        self.package, self.kind = package, kind

    @cached_property
    def _entries(self) -> dict[str, T]:
        found: dict[str, T] = {}
        for file in self._files:
            for name, entry in self._tagged(file):
                if name in found and found[name] is not entry:
                    raise RuntimeError(f"two {self.kind}s are called {name!r}: {found[name]} and {entry}")
                found[name] = entry
        return dict(sorted(found.items()))

    @cached_property
    def _files(self) -> list[str]:
        room = importlib.import_module(self.package)
        return sorted(info.name for info in pkgutil.iter_modules(room.__path__) if not info.name.startswith("_"))

    def _tagged(self, file: str) -> Iterator[tuple[str, T]]:
        module = importlib.import_module(f"{self.package}.{file}")
        for entry in vars(module).values():
            name = getattr(entry, "__dict__", {}).get(_TAG, {}).get(self.kind)
            if name is not None and entry.__module__ == module.__name__:
                yield name, entry

    def _namesake(self, name: object) -> T | None:
        """The entry of this name in the file of this name, if there is one."""
        return dict(self._tagged(str(name))).get(str(name)) if name in self._files else None

    def __getitem__(self, name: str) -> T:
        found = self._namesake(name)
        if found is not None:
            return found
        try:
            return self._entries[name]
        except KeyError:
            raise unknown_name(self.kind, name, self._entries) from None

    def __contains__(self, name: object) -> bool:
        return self._namesake(name) is not None or name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
