"""Which file of labels belongs to which picture, by where both lie and what they are called.

People keep them side by side, in `images/` and `labels/`, with `train/` and `val/` above or below these, in
`JPEGImages/` and `Annotations/`, and in other words of their own. So folders are compared without the words that only
say what is in them, and files without their suffix.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

from anmok.data.names import split_named

PICTURE_WORDS = frozenset(
    {"images", "image", "imgs", "img", "jpegimages", "pngimages", "pictures", "picture", "pics", "photos", "photo"}
    | {"leftimg8bit", "rgb", "input", "inputs", "frames", "jpgs", "jpg", "png", "이미지", "사진", "원천데이터"}
)
LABEL_WORDS = frozenset(
    {"labels", "label", "annotations", "annotation", "annots", "annot", "anno", "annos", "bboxes", "boxes", "xmls"}
    | {"xml", "ann", "txt", "txts", "labeltxt", "라벨", "라벨링데이터"}
)
MASK_WORDS = frozenset(
    {"masks", "mask", "labels", "label", "segmentationclass", "segmentationclassraw", "segmentations", "segmentation"}
    | {"annotations", "annotation", "annots", "annot", "ann", "gt", "gts", "groundtruth", "gtfine", "gtcoarse", "seg"}
    | {"labelids", "labeltrainids", "trimaps", "trimap", "truth", "manual", "manual1", "lbl"}
    | {"1st", "ground", "matte", "mattes", "마스크"}
)  # fmt: skip


def words(name: str) -> list[str]:
    """The words of a folder's or file's name, in lower case; a split's word run together with a role's counts as two.

    >>> words("train_masks"), words("trainannot"), words("Ground Truth-2")
    (['train', 'masks'], ['train', 'annot'], ['ground', 'truth', '2'])
    """
    plain = unicodedata.normalize("NFC", name)
    found = []
    for word in re.split(r"[\W_]+", plain.lower()):
        run_together = re.fullmatch(r"(train|val|valid|test)([a-z]{3,})", word)
        if run_together and run_together[2] in PICTURE_WORDS | LABEL_WORDS | MASK_WORDS:
            found += list(run_together.groups())
        elif word:
            found.append(word)
    return found


@lru_cache(maxsize=1 << 14)
def place(folder: str, roles: frozenset[str] = PICTURE_WORDS | LABEL_WORDS | MASK_WORDS) -> tuple[str, ...]:
    """What is left of a folder's path without the words that only say what is in it; splits by their usual names.

    >>> place("images/train/a") == place("training/labels/a"), place("VOC2012/JPEGImages")
    (True, ('voc2012',))
    """
    left: list[str] = []
    for part in folder.split("/"):
        rest = [split_named(word) or word for word in words(part) if word not in roles]
        left += [" ".join(rest)] if rest else []
    return (*sorted(part for part in left if split_named(part)), *(part for part in left if not split_named(part)))


def stem(path: str) -> str:
    """A file's name without its last suffix, letters composed and case folded: as it is compared."""
    return unicodedata.normalize("NFC", posixpath.splitext(path.rpartition("/")[2])[0]).casefold()


class Pictures:
    """Pictures, to be found by the files that say something of them."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            self._by_stem[stem(path)].append(path)

    def of(self, path: str, name: str | None = None) -> list[str]:
        """The pictures that the label file `path` belongs to: one, none, or several that nothing tells apart.

        `name` is what the picture is called by, where that is not the label file's own name.
        """
        called = self._by_stem.get(stem(path if name is None else name), [])
        folder = path.rpartition("/")[0]
        for same in (
            [one for one in called if one.rpartition("/")[0] == folder],
            [one for one in called if place(one.rpartition("/")[0]) == place(folder)],
        ):
            if same:
                return same
        return called
