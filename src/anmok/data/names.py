"""Words that folders, files and columns are called by: the parts of a split, and classes that look alike."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from anmok.data.walk import readable

_SPLIT_WORDS = {
    "train": ("train", "training", "trn", "trainset", "train set"),
    "val": ("val", "valid", "validation", "validate", "dev", "valset", "validation set", "publictest"),
    "test": ("test", "testing", "tst", "t10k", "testset", "test set", "privatetest"),
}
_SPLIT_OF = {word: split for split, words in _SPLIT_WORDS.items() for word in words}


def split_named(text: str) -> str | None:
    """The split that a folder or a cell names, or None. A year behind it is passed over.

    >>> split_named("Validation"), split_named("TEST_SET"), split_named("train2017"), split_named("cat")
    ('val', 'test', 'train', None)
    """
    words = re.sub(r"[\s_-]+", " ", text).strip().lower()
    return _SPLIT_OF.get(re.sub(r"\s?(19|20)\d\d$", "", words))


def split_in_file_name(name: str) -> str | None:
    """The split that one word of a file's name tells, or None where there is none or more than one.

    >>> split_in_file_name("emnist-letters-train-images-idx3-ubyte.gz"), split_in_file_name("labels.csv")
    ('train', None)
    """
    found = {split_named(word) for word in re.split(r"[^A-Za-z0-9]+", name)} - {None}
    return found.pop() if len(found) == 1 else None


def class_name(folder: str) -> str:
    """A class's name from its folder's: composed as Windows and Linux do, so that a macOS copy is the same class."""
    return readable(unicodedata.normalize("NFC", folder))


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Distinct class names in order: by number where all are whole numbers, else by name.

    >>> class_order(["10", "9", "9"]), class_order(["dog", "cat"])
    (('9', '10'), ('cat', 'dog'))
    """
    distinct = set(names)
    if all(re.fullmatch(r"-?\d{1,18}", name, re.ASCII) for name in distinct):
        return tuple(sorted(distinct, key=lambda name: (int(name), name)))
    return tuple(sorted(distinct))


def alike_warnings(classes: Iterable[str]) -> list[str]:
    """A warning for every set of classes that differ only in case or spaces.

    >>> alike_warnings(["Cat", "cat ", "dog"])
    ["classes 'Cat', 'cat ' differ only in case or spaces: rename them alike if they are one class"]
    """
    alike = defaultdict(list)
    for name in classes:
        key = unicodedata.normalize("NFKC", re.sub(r"[\s_]+", " ", name).strip()).casefold()
        alike[key].append(name)
    return [
        f"classes {', '.join(map(repr, names))} differ only in case or spaces: rename them alike if they are one class"
        for names in alike.values()
        if len(names) > 1
    ]
