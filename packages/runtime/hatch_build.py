"""Packs what the light command imports, and nothing else: the files are found by following imports, not by a list.

An import under `if TYPE_CHECKING`, or that may fail (`try` … `except ModuleNotFoundError`), is not followed: what is
behind it belongs to the whole of anmok.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # read by a test, without the builder
    BuildHookInterface = object  # type: ignore[assignment, misc]

ROOTS = ("anmok.cli", "anmok.cli.light", "anmok.data.decoding_worker")
SCANNED = ("anmok.ship.answers",)  # registries that look for their entries in a folder


class PackedFiles(BuildHookInterface):
    """Adds the files to the wheel, or to the archive of sources that a wheel is later built from."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by the builder."""
        here = Path(self.root)
        source = here.parent.parent / "src"
        packed = here / "anmok_runtime" / "_packed"
        if packed.exists():  # inside an archive of sources: packed already
            return
        for name in ("LICENSE", "NOTICE"):
            build_data["force_include"][str(source.parent / name)] = f"anmok_runtime/{name}"
        for file in packed_files(source):
            build_data["force_include"][str(source / file)] = f"anmok_runtime/_packed/{file}"


def packed_files(source: Path) -> list[str]:
    """Paths below `source` of every module that the light command may import."""
    waiting, found = [*ROOTS, *_entries(source)], set()
    while waiting:
        name = waiting.pop()
        path = _file(source, name)
        if path is None or path in found:
            continue
        found.add(path)
        parents = name.split(".")[:-1]
        waiting += [".".join(parents[:depth]) for depth in range(1, len(parents) + 1)]
        waiting += _imports(ast.parse((source / path).read_text(encoding="utf-8")))
    return sorted(found)


def _entries(source: Path) -> Iterator[str]:
    for room in SCANNED:
        for path in (source / room.replace(".", "/")).glob("*.py"):
            yield f"{room}.{path.stem}"


def _file(source: Path, name: str) -> str | None:
    place = name.replace(".", "/")
    for path in (f"{place}.py", f"{place}/__init__.py"):
        if (source / path).is_file():
            return path
    return None


def _imports(node: ast.AST) -> Iterator[str]:
    """Modules of anmok that must be there for this one to work."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Try) and any("ModuleNotFoundError" in ast.unparse(h) for h in child.handlers):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names if alias.name.split(".")[0] == "anmok")
        elif isinstance(child, ast.ImportFrom) and child.module and child.module.split(".")[0] == "anmok":
            yield child.module
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        else:
            yield from _imports(child)
