"""Damaged data sets inside archives, and damage to the archives themselves."""

from __future__ import annotations

import io
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np

from tests.faults.ledger import Ledger

KINDS = ("zip", "tar", "tar.gz")
HOSTILE = ("../outside.png", "/etc/outside.png", "C:\\outside.png")


def pack(root: Path, ledger: Ledger, rng: np.random.Generator) -> Ledger:
    """Put a finished data set into an archive beside its folder, and remove the folder; some archives are damaged."""
    kind = str(rng.choice(KINDS))
    path = root.with_name(f"data.{kind}")
    files = sorted(file for file in root.rglob("*") if file.is_file())
    hostile = str(rng.choice(HOSTILE)) if rng.random() < 0.1 else None
    (_zip if kind == "zip" else _tar)(path, root, files, hostile)
    fault = "" if hostile else str(rng.choice(["", "", "", "", "cut short", "a link outside"]))
    if fault == "cut short":
        content = path.read_bytes()
        # Within the first member: half of a small tar is its empty end.
        path.write_bytes(content[:600] if kind == "tar" else content[: len(content) // 2])
    elif fault == "a link outside" and kind != "zip":
        _tar(path, root, files, None, link="/etc")
    else:
        fault = ""
    if hostile or fault:
        ledger.fatal = hostile or fault
    shutil.rmtree(root)
    ledger.path = path
    ledger.story.append(f"in {kind}, {ledger.fatal or 'whole'}")
    return ledger


def _zip(path: Path, root: Path, files: list[Path], hostile: str | None) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for file in files:
            archive.writestr(file.relative_to(root).as_posix(), file.read_bytes())
        if hostile:
            archive.writestr(hostile, b"x")


def _tar(path: Path, root: Path, files: list[Path], hostile: str | None, link: str | None = None) -> None:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for file in files:
            archive.add(file, file.relative_to(root).as_posix())
        if hostile:
            entry = tarfile.TarInfo(hostile)
            entry.size = 1
            archive.addfile(entry, io.BytesIO(b"x"))
        if link:
            entry = tarfile.TarInfo("escape")
            entry.type, entry.linkname = tarfile.SYMTYPE, link
            archive.addfile(entry)
