"""IDX pairs, as MNIST and its relatives come: `train-images-idx3-ubyte.gz` with `train-labels-idx1-ubyte.gz`.

Files are known by their content, plain or gzip; names tell which labels belong to which pictures and to which part of
a split. A folder holds one family of files (`emnist-letters-…` and `emnist-digits-…` are two).
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anmok.core.errors import DataError
from anmok.core.magic import PICTURE_SUFFIXES
from anmok.core.registry import register
from anmok.core.types import Dataset, Entry, FileAccount, Skipped
from anmok.data.formats._idx_file import IdxHeader, read_header, read_idx, sniff
from anmok.data.kinds import FOREIGN_SUFFIXES, OTHER_SUFFIXES
from anmok.data.known import known_classes
from anmok.data.names import split_in_file_name
from anmok.data.source import Recognition, Source
from anmok.data.stores import ArrayPictures
from anmok.data.walk import readable


@dataclass(frozen=True)
class Pair:
    """The pictures of one part, and their labels where there are any."""

    pictures: Path
    labels: Path | None
    split: str | None


@register("format", name="idx")
class Idx:
    """Pictures and labels in IDX files."""

    tasks = ("classify",)

    def recognise(self, source: Source) -> Recognition:
        """Sure where a file's content is that of IDX pictures."""
        found, broken = _idx_files(source)
        pictures = [readable(path.name) for path, header in found.items() if len(header.shape) >= 3]
        if broken:
            return Recognition(0.7, f"{', '.join(readable(path.name) for path in broken)}: IDX by name, but damaged")
        if not pictures:
            return Recognition(0.0, "no IDX file of pictures")
        return Recognition(0.95, f"IDX pictures in {', '.join(sorted(pictures))}")

    def read(self, source: Source) -> Dataset:
        """Every picture becomes an entry, called by its file and its row from 1.

        Raises:
            DataError: a torn or mismatched file, labels of some parts missing, two families of files in one folder.
        """
        found, broken = _idx_files(source)
        for path in broken:
            read_header(path)  # says what is wrong with it
        pairs = _pairs(source, found)
        arrays = [_pictures_of(pair.pictures) for pair in pairs]
        labels = [_labels_of(pair, len(array)) for pair, array in zip(pairs, arrays, strict=True)]
        _agree(pairs, arrays, labels)
        labelled = [part for part in labels if part is not None]
        values = np.unique(np.concatenate(labelled)) if labelled else np.empty(0, np.int64)
        names, how = known_classes(source.path, values.tolist(), [_digest(part) for part in labelled])
        number = {int(value): index for index, value in enumerate(range(len(names)) if how else values)}
        stacked = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        why = self.recognise(source).why
        return Dataset(
            root=source.root,
            format="idx",
            task="classify",
            classes=names or tuple(str(value) for value in values),
            entries=_entries(pairs, arrays, labels, number),
            pictures=ArrayPictures(stacked, hashlib.blake2b(np.ascontiguousarray(stacked).data).digest()),
            seen=len(stacked),
            unit="rows",
            files=_file_account(source, pairs),
            why=f"{why}; {how}" if how else why,
        )


def _idx_files(source: Source) -> tuple[dict[Path, IdxHeader], list[Path]]:
    """The IDX files at the top of the folder (or beside the file given) with their headers, and those without one."""
    if source.is_folder:
        beside = [source.root / path for path in source.beside()]
    else:
        try:
            beside = sorted(path for path in source.root.iterdir() if path.is_file())
        except OSError:
            beside = []
    passed = PICTURE_SUFFIXES | FOREIGN_SUFFIXES | OTHER_SUFFIXES - {".gz"}
    likely = [path for path in beside if path.suffix.lower() not in passed or path == source.path]
    # A file and its .gz side by side are one; the file asked for goes before its twin.
    twins = {path.with_name(f"{path.name}.gz") for path in likely}
    if source.path in twins:
        twins = twins - {source.path} | {source.path.with_suffix("")}
    likely = [path for path in likely if path not in twins]
    headers = {path: header for path in likely if (header := sniff(path)) is not None}
    broken = [path for path in likely if path not in headers and re.search(r"idx\d|ubyte", path.name, re.IGNORECASE)]
    if source.is_folder:
        return headers, broken
    return headers if source.path in headers else {}, [path for path in broken if path == source.path]


def _pairs(source: Source, found: dict[Path, IdxHeader]) -> list[Pair]:
    """Pictures with their labels. A single file brings the labels beside it; a folder all pairs of its one family."""
    labels = {_stem(path.name): path for path, header in found.items() if len(header.shape) < 3}
    pictures = {path: header for path, header in found.items() if len(header.shape) >= 3}
    if not source.is_folder and source.path in found and len(found[source.path].shape) < 3:
        pictures = {path: header for path, header in pictures.items() if labels.get(_stem(path.name)) == source.path}
    elif not source.is_folder and source.path in found:
        pictures = {source.path: found[source.path]}
    by_stem = defaultdict(list)
    for path in pictures:
        by_stem[_stem(path.name)].append(path)
    doubled = [paths for paths in by_stem.values() if len(paths) > 1]
    families = {_family(path.name) for path in pictures}
    if doubled or len(families) > 1 or not pictures:
        raise DataError(
            "the IDX files do not make one data set",
            path=source.path,
            got=", ".join(readable(path.name) for path in found),
            allowed="one file of pictures and one of labels for each part of a split",
            fix="name one file of pictures, or move the other sets elsewhere",
        )
    pairs = [Pair(path, labels.get(_stem(path.name)), split_in_file_name(path.name)) for path in pictures]
    if len(pairs) == 1 and not source.is_folder:
        pairs = [Pair(pairs[0].pictures, pairs[0].labels, None)]
    order = {"train": 0, "val": 1, "test": 2, None: 3}
    return sorted(pairs, key=lambda pair: (order[pair.split], pair.pictures.name))


def _stem(name: str) -> str:
    """What a file of pictures and its file of labels have in common: `train-#-idx#-ubyte`."""
    name = re.sub(r"\.gz$", "", name.lower())
    return re.sub(r"idx\d", "idx#", re.sub(r"images?|labels?", "#", name)).replace(".", "-")


def _family(name: str) -> str:
    """What the files of one data set have in common, whatever their part."""
    return re.sub(r"train(ing)?|t10k|test(ing)?|val(id(ation)?)?", "*", _stem(name))


def _pictures_of(path: Path) -> np.ndarray:
    """uint8 (N, H, W, C) from (N, H, W) or (N, H, W, C)."""
    array = read_idx(path)
    array = array[..., None] if array.ndim == 3 else array
    if array.dtype != np.uint8 or array.shape[-1] not in (1, 3) or 0 in array.shape:
        raise DataError(
            "these numbers are no pictures",
            path=path,
            got=f"{array.dtype.newbyteorder('=')} of shape {array.shape}",
            allowed="unsigned bytes, (N, height, width) or (N, height, width, 1 or 3), at least one picture",
        )
    return array


def _labels_of(pair: Pair, count: int) -> np.ndarray | None:
    """int64 (N,) labels of a pair, or None where it has none."""
    if pair.labels is None:
        return None
    labels = read_idx(pair.labels)
    if labels.ndim != 1 or labels.dtype.kind not in "ui":
        raise DataError(
            "these numbers are no class labels",
            path=pair.labels,
            got=f"{labels.dtype.newbyteorder('=')} of shape {labels.shape}",
            allowed="whole numbers, one a picture",
        )
    if len(labels) != count:
        raise DataError(
            "there must be one label a picture",
            path=pair.labels,
            got=f"{len(labels)} labels for {count} pictures in {pair.pictures.name}",
            allowed=f"{count} labels",
            fix="download both files again",
        )
    return labels.astype(np.int64)


def _agree(pairs: list[Pair], arrays: list[np.ndarray], labels: list[np.ndarray | None]) -> None:
    """All parts have labels or none has, and all pictures have one shape."""
    missing = [pair.pictures.name for pair in pairs if pair.labels is None]
    if missing and len(missing) < len(pairs):
        raise DataError(
            "some pictures have no file of labels beside them",
            path=pairs[0].pictures.parent,
            got=", ".join(missing),
            fix="put the labels beside them, or name one file of pictures",
        )
    shapes = {array.shape[1:] for array in arrays}
    if len(shapes) > 1:
        listed = ", ".join(f"{pair.pictures.name} {array.shape[1:]}" for pair, array in zip(pairs, arrays, strict=True))
        raise DataError("the parts' pictures differ in shape", path=pairs[0].pictures.parent, got=listed)


def _entries(
    pairs: list[Pair], arrays: list[np.ndarray], labels: list[np.ndarray | None], number: dict[int, int]
) -> list[Entry]:
    entries: list[Entry] = []
    for pair, array, part in zip(pairs, arrays, labels, strict=True):
        name, first = readable(pair.pictures.name), len(entries)
        targets = [None] * len(array) if part is None else [number[value] for value in part.tolist()]
        entries += [Entry(f"{name}:{row + 1}", first + row, target, pair.split) for row, target in enumerate(targets)]
    return entries


def _file_account(source: Source, pairs: list[Pair]) -> FileAccount:
    files = [path for pair in pairs for path in (pair.pictures, pair.labels) if path is not None]
    used = {path.relative_to(source.root).as_posix() for path in files}
    if not source.is_folder:
        return FileAccount(seen=len(used), used=len(used))
    tree = source.tree
    others = [Skipped(readable(path), "not one of the IDX files read") for path in tree.files if path not in used]
    return FileAccount(tree.seen, len(used), tree.quarantined, (*tree.skipped, *others))


def _digest(labels: np.ndarray) -> str:
    return hashlib.sha256(labels.astype(np.uint8).tobytes()).hexdigest()
