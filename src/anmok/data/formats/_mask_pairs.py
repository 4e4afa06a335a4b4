"""Which files are pictures, which are masks, and which mask belongs to which picture.

A file is a mask by a word of its folder (`masks`, `labels`, `SegmentationClass` …) or at an end of its name
(`cell_mask.png` beside `cell.png`). It belongs to the picture in the matching folder whose name is its own without
such words; what is left over tells a class (`x_cat.png`, `masks/cat/x.png`) or an object (`masks/x/17.png`).
"""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from anmok.data.formats._layout import MASK_WORDS, PICTURE_WORDS, place, words

INSTANCE_WORDS = frozenset({"segmentationobject", "instanceids", "instances", "instance", "inst"})
_SHOWN_WORDS = frozenset({"color", "colors", "colour", "colours", "visualized", "vis", "overlay", "preview", "rgb"})
_NAME_WORDS = MASK_WORDS | INSTANCE_WORDS | _SHOWN_WORDS | {"ids", "id", "class", "classes", "semantic", "final"}
_ROLES = MASK_WORDS | PICTURE_WORDS | INSTANCE_WORDS | _SHOWN_WORDS | {"raw", "semantic"}
_NOT_IN_NAMES = frozenset({"png", "jpg", "input", "1st", "ground"})
_BEST = ("labeltrainids", "segmentationclass", "segmentationclassraw", "labelids", "manual1", "manual", "gt", "labels")
_PARTS = frozenset({"train", "training", "val", "validation", "test", "testing"})
_MOST_CLASSES = 254


@dataclass
class Paired:
    """`masks`: picture → (extra words, mask) of each of its masks; `dangling`: masks without a picture; `others`:
    masks of other kinds than the one chosen, and why they are passed over; `alone`: pictures without a mask; `loose`:
    masks whose folder does not match their picture's."""

    masks: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    dangling: list[str] = field(default_factory=list)
    others: dict[str, str] = field(default_factory=dict)
    alone: list[str] = field(default_factory=list)
    instances: frozenset[str] = frozenset()
    loose: int = 0

    @property
    def kind(self) -> str:
        """What several masks of a picture are: "one" (there are none such), "classes" or "objects"."""
        if all(len(found) == 1 for found in self.masks.values()):
            extras = Counter(found[0][0] for found in self.masks.values())
            return "one" if len(extras) <= 1 or "" in extras or len(extras) > len(self.masks) / 2 else "classes"
        extras = Counter(extra for found in self.masks.values() for extra in {extra for extra, _ in found})
        named = not all(extra.isdigit() for extra in extras)
        again = sum(count > 1 for count in extras.values()) >= 0.5 * len(extras) or len(self.masks) == 1
        return "classes" if named and again and len(extras) <= _MOST_CLASSES else "objects"


def pair(paths: Iterable[str]) -> Paired:
    """Masks by picture."""
    sorted_out = _Sorted(list(paths))
    paired = Paired(instances=frozenset(sorted_out.instances))
    found: dict[str, dict[tuple[str, ...], list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for mask in sorted_out.masks:
        picture, extra = sorted_out.picture_of(mask)
        if picture is None:
            paired.dangling.append(mask)
        else:
            paired.loose += sorted_out.is_loose(mask, picture)
            found[picture][_family(mask)].append((extra, mask))
    best = _best_family(found)
    for picture, families in found.items():
        for family, masks in families.items():
            if family == best:
                paired.masks[picture] = masks
            else:
                reason = f"another kind of mask ({' '.join(family) or 'without a word for it'})"
                paired.others |= dict.fromkeys((mask for _, mask in masks), reason)
    paired.others |= dict.fromkeys(sorted_out.instances, "numbers objects, not classes")
    paired.alone = [picture for picture in sorted_out.pictures if picture not in paired.masks]
    return paired


def _family(mask: str) -> tuple[str, ...]:
    """The words that say what kind of mask this is."""
    folder, _, name = mask.rpartition("/")
    told = [word for part in folder.split("/") for word in words(part) if word in _ROLES]
    return tuple(sorted({*told, *(word for word in words(posixpath.splitext(name)[0]) if word in _NAME_WORDS)}))


def _best_family(found: dict[str, dict[tuple[str, ...], list[tuple[str, str]]]]) -> tuple[str, ...]:
    """Of several kinds of masks the one to learn from: most pictures have it, and its words are the likeliest."""
    pictures = Counter(family for families in found.values() for family in families)
    shown = {family: bool(set(family) & (_SHOWN_WORDS | INSTANCE_WORDS)) for family in pictures}

    def rank(family: tuple[str, ...]) -> tuple[bool, bool, int, int]:
        likely = min((_BEST.index(word) for word in family if word in _BEST), default=len(_BEST))
        enough = pictures[family] >= 0.5 * max(pictures.values())
        return shown[family], not enough, likely, -pictures[family]

    return min(pictures, key=lambda family: (rank(family), family), default=())


class _Sorted:
    """Pictures and masks apart, and pictures to be found by the names of their masks."""

    def __init__(self, paths: list[str]) -> None:
        roles = {path: _role(path) for path in paths}
        self.instances = [path for path in paths if roles[path] == "instances"]
        self.masks = [path for path in paths if roles[path] == "mask"]
        self.pictures = [path for path in paths if roles[path] in ("picture", "")]
        self._named: dict[tuple[tuple[str, ...], str], list[str]] = defaultdict(list)
        self._anywhere: dict[str, list[str]] = defaultdict(list)
        self._in_place: dict[tuple[str, ...], list[str]] = defaultdict(list)
        self._index(self.pictures)
        beside = [path for path in self.pictures if roles[path] == "" and self._is_mask_by_name(path)]
        if beside:
            self.masks += beside
            gone = set(beside)
            self.pictures = [path for path in self.pictures if path not in gone]
            for index in (self._named, self._anywhere, self._in_place):
                index.clear()
            self._index(self.pictures)

    def _index(self, pictures: list[str]) -> None:
        for path in pictures:
            where = place(path.rpartition("/")[0], _ROLES)
            self._in_place[where].append(path)
            full = _name(path)
            for name in dict.fromkeys((full, _stripped(full, PICTURE_WORDS), _stripped(full, PICTURE_WORDS | _PARTS))):
                self._named[where, name].append(path)
                self._anywhere[name].append(path)

    def _is_mask_by_name(self, path: str) -> bool:
        """Whether a file beside the pictures is called as one of them is, with a word for a mask at an end."""
        name = _name(path)
        bare = _stripped(name, _NAME_WORDS - _NOT_IN_NAMES)
        others = self._named[place(path.rpartition("/")[0], _ROLES), bare] if bare != name else ()
        return any(other != path for other in others)

    def picture_of(self, mask: str) -> tuple[str | None, str]:
        """(the picture, the words left over); None where there is none, or nothing tells several apart."""
        name, where = _name(mask), place(mask.rpartition("/")[0], _ROLES)
        bare, barest = _stripped(name, _NAME_WORDS), _stripped(name, _NAME_WORDS | _PARTS)
        *above, last = where or ("",)
        for at, extra in ((where, ""), (tuple(above), last)):
            for one in dict.fromkeys((name, bare, barest)):
                if found := self._one(self._named.get((at, one), ()), mask):
                    return found, extra
        parts = name.split(" ")
        for cut in range(len(parts) - 1, 0, -1):
            if found := self._one(self._named.get((where, " ".join(parts[:cut])), ()), mask):
                return found, _stripped(" ".join(parts[cut:]), _NAME_WORDS)
        if found := self._one(self._named.get((tuple(above), last), ()), mask):
            return found, name
        if len(self._in_place) > 1 and len(alone := self._in_place.get(where, [])) == 1:
            return alone[0], name
        for one in dict.fromkeys((name, bare)):
            if len(called := self._anywhere.get(one, [])) == 1:
                return called[0], ""
        return None, ""

    def is_loose(self, mask: str, picture: str) -> bool:
        """Whether the folders of the two say nothing of their belonging together."""
        one, other = (place(path.rpartition("/")[0], _ROLES) for path in (mask, picture))
        return one[: len(other)] != other

    @staticmethod
    def _one(found: Iterable[str], mask: str) -> str | None:
        """The only picture, or of several the one written most alike."""
        found = list(dict.fromkeys(found))
        if len(found) > 1:
            base = posixpath.splitext(mask.rpartition("/")[2])[0]
            found = [path for path in found if posixpath.splitext(path.rpartition("/")[2])[0] == base] or found
        return found[0] if len(found) == 1 else None


def has_masks(paths: Iterable[str]) -> bool:
    """Whether some of the folders sound like masks and others do not."""
    folders = {path.rpartition("/")[0] for path in paths}
    roles = {_role(f"{folder}/x") in ("mask", "instances") for folder in folders}
    return len(roles) > 1


def _role(path: str) -> str:
    """ "picture", "mask" or "instances" by the innermost folder with a word that says so; "" where none has."""
    for part in reversed(path.split("/")[:-1]):
        told = set(words(part))
        if told & INSTANCE_WORDS:
            return "instances"
        if told & MASK_WORDS:
            return "mask"
        if told & PICTURE_WORDS:
            return "picture"
    return ""


def _name(path: str) -> str:
    """A file's name as it is compared: its words, without the suffix."""
    return " ".join(words(posixpath.splitext(path.rpartition("/")[2])[0])) or path


def _stripped(name: str, roles: frozenset[str]) -> str:
    """A name without the words at its ends that only say what is in the file; itself where nothing would be left."""
    parts = name.split(" ")
    while parts and parts[-1] in roles:
        parts.pop()
    while parts and parts[0] in roles:
        parts.pop(0)
    return " ".join(parts) or name
