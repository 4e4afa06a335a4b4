"""Which files are pictures, by their names and, where a name says nothing, by their first bytes."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from anmok.core import magic
from anmok.core.types import Quarantined, Skipped
from anmok.data.walk import Tree, readable

FOREIGN_SUFFIXES = frozenset(
    {
        ".heic",
        ".heif",
        ".avif",
        ".jxl",
        ".jp2",
        ".j2k",
        ".psd",
        ".tga",
        ".svg",
        ".eps",
        ".ico",
        ".exr",
        ".hdr",
        ".fits",
        ".fit",
    }
    | {".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".dcm"}
)
OTHER_SUFFIXES = frozenset(
    {".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".html", ".htm"}
    | {".py", ".ipynb", ".sh", ".m", ".mat", ".npy", ".npz", ".h5", ".hdf5", ".parquet", ".pkl", ".pt", ".pth"}
    | {".zip", ".tar", ".gz", ".tgz", ".xz", ".bz2", ".7z", ".rar", ".pdf", ".doc", ".docx", ".xls", ".xlsx"}
    | {".mp4", ".avi", ".mov", ".mkv", ".webm", ".mp3", ".wav", ".log", ".db", ".lock", ".bak", ".tmp"}
)


def sort_pictures(tree: Tree) -> tuple[list[str], list[Skipped], list[Quarantined]]:
    """The files of a tree as (pictures, what is none, pictures of kinds that are not read)."""
    pictures: list[str] = []
    others: list[Skipped] = []
    foreign: list[Quarantined] = []
    for path in tree.files:
        suffix = PurePosixPath(path).suffix.lower()
        if suffix in magic.PICTURE_SUFFIXES:
            pictures.append(path)
        elif suffix in FOREIGN_SUFFIXES:
            reason = f"pictures of the kind {suffix} are not read"
            foreign.append(Quarantined(readable(path), reason, "convert it to PNG, JPEG or TIFF"))
        elif suffix not in OTHER_SUFFIXES and looks_like_picture(tree.root / path):
            pictures.append(path)
        else:
            others.append(Skipped(readable(path), f"not a picture ({readable(suffix) or 'no suffix'})"))
    return pictures, others, foreign


def looks_like_picture(path: Path) -> bool:
    """Whether the first bytes are those of a picture that is read; False where the file cannot be opened."""
    try:
        with path.open("rb") as file:
            head = file.read(magic.HEAD)
    except OSError:
        return False
    return magic.sniff(head) is not None
