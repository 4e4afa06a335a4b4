"""What the names of classes tell: which is the background, and which a mirror would turn into another."""

from __future__ import annotations

import re
from collections.abc import Sequence

BACKGROUNDS = {"background", "bg", "back ground", "none", "nothing", "배경"}
_SIDED = re.compile(r"(?:^|[^a-z])(?:left|right)(?:$|[^a-z])|^[왼오좌우](?:른|쪽|측)|(?:왼쪽|오른쪽|좌측|우측)")


def background_of(classes: Sequence[str]) -> int | None:
    """The class that is no object; None where every class is something. Of mere numbers it is 0.

    >>> background_of(["background", "cell"]), background_of(["road", "car"]), background_of(["0", "1"])
    (0, None, 0)
    """
    names = [name.strip().lower().strip("_") for name in classes]
    if names and all(name.isdigit() for name in names):
        return 0 if names[0] == "0" else None
    return next((number for number, name in enumerate(names) if name in BACKGROUNDS), None)


def sided(classes: Sequence[str]) -> list[str]:
    """Classes that say left or right: mirrored, they would be each other.

    >>> sided(["left lung", "right_lung", "bright spot"])
    ['left lung', 'right_lung']
    """
    return [name for name in classes if _SIDED.search(name.strip().lower())]
