"""What the words of a path say."""

from __future__ import annotations

import re

from anmok.data.names import split_named


def split_in_path(path: str) -> str | None:
    """The split that a path names: by a word of the file's name, else of its folders, the innermost first.

    Years behind a word are passed over; a part that names two splits (`train_val`) says nothing.

    >>> split_in_path("annotations/instances_train2017.json"), split_in_path("valid/_annotations.coco.json")
    ('train', 'val')
    >>> split_in_path("VOC2012/trainval.txt") is None
    True
    """
    for part in reversed(path.split("/")):
        found = {split_named(word) for word in re.findall(r"[^\W\d_]+", part)} - {None}
        if len(found) == 1:
            return found.pop()
    return None
