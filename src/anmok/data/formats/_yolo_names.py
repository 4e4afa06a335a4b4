"""What describes a YOLO data set: `data.yaml`, or a list of class names beside the pictures."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from anmok.core.errors import DataError
from anmok.core.types import SPLITS
from anmok.data.formats._finder import Finder, NotFound
from anmok.data.formats._yaml import read_yaml
from anmok.data.names import class_name
from anmok.data.source import Source
from anmok.data.walk import readable

_LISTS = ("classes.txt", "obj.names", "classes.names", "predefined_classes.txt", "_darknet.labels", "labels.txt")
NAME_FILES = frozenset(
    {*_LISTS, "train.txt", "val.txt", "valid.txt", "test.txt", "readme.txt", "requirements.txt", "notes.txt"}
    | {"license.txt", "readme.roboflow.txt", "readme.dataset.txt", "names.txt", "labelmap.txt"}
)


@dataclass(frozen=True)
class Description:
    """`file`: its path below the root. `names`: classes by number. `parts`: split → folders and lists of pictures.

    `keypoints`: numbers behind the box of a pose. `source`: where the pictures lie, if the description was what the
    user named.
    """

    file: str
    names: tuple[str, ...]
    is_yaml: bool
    finder: Finder
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    base: str = ""
    keypoints: int = 0
    warnings: tuple[str, ...] = ()
    source: Source | None = None

    def splits(self, pictures: Iterable[str]) -> dict[str, str]:
        """The split of each picture that a part names; the first of train, val and test that does."""
        pictures, found = list(pictures), dict[str, str]()
        for split in reversed(SPLITS):
            for told in self.parts.get(split, ()):
                found |= dict.fromkeys(self._named(told, pictures), split)
        return found

    def _named(self, told: str, pictures: list[str]) -> list[str]:
        """The pictures of a folder, or of a list; folders may start from the description, from its `path`, or above."""
        plain = told.replace("\\", "/")
        if plain.lower().endswith(".txt"):
            return self._listed(plain)
        here = self.file[: self.file.rfind("/") + 1]
        for start in (here + self.base + "/", here, ""):
            folder = posixpath.normpath(start + plain).lstrip("./")
            while folder.startswith("../"):
                folder = folder[3:]
            chosen = pictures if folder in ("", ".") else [one for one in pictures if one.startswith(folder + "/")]
            if chosen:
                return chosen
        return []

    def _listed(self, told: str) -> list[str]:
        try:
            lines = (self.finder.root / self.finder.find(told)).read_text("utf-8-sig", "replace").splitlines()
        except (NotFound, OSError):
            return []
        found = []
        for line in lines:
            for name in (line.strip(), line.strip().rpartition("/")[2]):
                try:
                    found.append(self.finder.find(name))
                    break
                except NotFound:
                    continue
        return found


def describe(source: Source) -> Description | None:
    """The description in a folder, or the one that was named itself; None where there is none.

    Raises:
        DataError: it is damaged or contradicts itself (`nc` is not the number of `names`, two classes of one name).
    """
    if not source.is_folder:
        is_yaml = source.path.suffix.lower() in (".yaml", ".yml")
        found = _from_yaml(source, source.path.name) if is_yaml else None
        return found and _elsewhere(found, source)
    for path in source.tree.files:
        if path.lower().endswith((".yaml", ".yml")) and (found := _from_yaml(source, path)):
            return found
    for path in source.tree.files:
        if path.rpartition("/")[2].lower() in _LISTS and (names := _listed_names(source.root / path)):
            return Description(path, names, False, Finder(source, source.root))
    return None


def _from_yaml(source: Source, path: str) -> Description | None:
    try:
        told = read_yaml(source.root / path)
    except DataError:
        if path.rpartition("/")[2].lower() in ("data.yaml", "dataset.yaml") or not source.is_folder:
            raise
        return None
    if not isinstance(told, dict) or not isinstance(told.get("names"), list | dict):
        return None
    file = source.root / path
    names = _names(told["names"], file)
    if isinstance(count := told.get("nc"), int) and count != len(names):
        raise DataError("nc is not the number of names", path=file, got=f"nc: {count}, and {len(names)} names",
                        allowed="as many names as nc says", fix="correct one of them")  # fmt: skip
    parts = {split: _strings(told.get(name)) for split in SPLITS for name in _KEYS[split] if told.get(name)}
    finder = Finder(source, source.root, path[: path.rfind("/") + 1])
    base = told.get("path") if isinstance(told.get("path"), str) else ""
    same = [f"{readable(path)} names the same pictures for train and {split}" for split in ("val", "test")
            if parts.get("train") and parts.get("train") == parts.get(split)]  # fmt: skip
    return Description(path, names, True, finder, parts, base or "", _keypoints(told.get("kpt_shape")), tuple(same))


_KEYS = {"train": ("train",), "val": ("valid", "val"), "test": ("test",)}


def _names(told: Any, file: Path) -> tuple[str, ...]:
    if isinstance(told, dict):
        numbers = [number for number in told if isinstance(number, int) and 0 <= number < 10_000]
        if len(numbers) < len(told) or not numbers:
            raise DataError("names must be a list, or names by numbers from 0", path=file, got=f"{told!r:.80}")
        listed = [told.get(number, str(number)) for number in range(max(numbers) + 1)]
    else:
        listed = told
    names = tuple(class_name(str(name).strip()) for name in listed)
    if repeated := {name for name in names if names.count(name) > 1}:
        raise DataError("two classes have one name", path=file, got=", ".join(sorted(repeated)),
                        fix="name each its own way")  # fmt: skip
    return names


def _strings(told: Any) -> list[str]:
    values = told if isinstance(told, list) else [told]
    return [value for value in values if isinstance(value, str)]


def _keypoints(shape: Any) -> int:
    """Numbers that a pose of this shape (points, numbers a point) has behind its box; 0 where it is no shape."""
    known = isinstance(shape, list) and len(shape) == 2 and all(isinstance(n, int) and 0 < n < 1000 for n in shape)
    return shape[0] * shape[1] if known else 0


def _listed_names(path: Path) -> tuple[str, ...]:
    try:
        if path.stat().st_size > 1 << 20:
            return ()
        lines = path.read_text("utf-8-sig", "replace").splitlines()
    except OSError:
        return ()
    names = tuple(class_name(line.strip()) for line in lines if line.strip())
    return names if len(set(names)) == len(names) else ()


def _elsewhere(found: Description, source: Source) -> Description:
    """The description with the folder of its pictures: that of its `path`, or its own."""
    own = source.root.absolute()
    for folder in (own / found.base, own):
        if folder.is_dir() and folder.name:
            there = Source(folder, source.options)
            if there.sorted_files[0]:
                base = found.base if folder == own else ""
                return replace(found, source=there, finder=Finder(there, folder), base=base)
    return found
