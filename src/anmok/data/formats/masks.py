"""Pictures beside masks: `images/` and `masks/`, `x.jpg` and `x_mask.png`, VOC's `SegmentationClass/`, and the like.

Masks may hold class numbers (as values or through a palette), colours that a small file beside them declares, black
and white, or be one file a class, or one an object. See `_mask_pairs` for where they lie, `_mask_meaning` for what
they say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from anmok.core.errors import DataError, PictureError
from anmok.core.registry import register
from anmok.core.targets import Frame
from anmok.core.types import Dataset, Entry, FileAccount, Quarantined, Skipped
from anmok.data.formats._assembly import account_files, read_frames
from anmok.data.formats._image_sets import ImageSets, read_image_sets
from anmok.data.formats._layout import stem
from anmok.data.formats._mask_looks import Looks, look_at
from anmok.data.formats._mask_meaning import BINARY, Meaning, decide
from anmok.data.formats._mask_pairs import Paired, pair
from anmok.data.formats._words import split_in_path
from anmok.data.mask_files import ClassFileMasks, ObjectFileMasks
from anmok.data.names import alike_warnings, class_order
from anmok.data.source import Recognition, Source
from anmok.data.stores import FilePictures
from anmok.data.walk import readable

_DECLARING = (".txt", ".csv", ".json", ".yaml", ".yml", ".names", ".tsv")
_MAKE = "make its mask, or remove it"


@register("format", name="masks")
class MaskFolders:
    """Pictures with class maps in files."""

    tasks = ("segment",)

    def recognise(self, source: Source) -> Recognition:
        """Sure where pictures have masks by their folders and names."""
        if not source.is_folder:
            return Recognition(0.0, "a file, not a folder of pictures and masks")
        found = pair(source.sorted_files[0])
        if not found.masks:
            return Recognition(0.0, "no folder of masks, and no pictures with a mask beside them")
        picture, ((_, mask), *_) = next(iter(found.masks.items()))
        why = f"{len(found.masks)} pictures with masks, such as {readable(picture)} with {readable(mask)}"
        count = len(found.masks)
        if 2 * count < count + len(found.dangling):
            return Recognition(0.3, why)
        if found.loose > 0.1 * count:
            return Recognition(0.5, why)
        return Recognition(0.96 if 2 * count >= count + len(found.alone) else 0.88, why)

    def read(self, source: Source) -> Dataset:
        """Every picture with a mask becomes an entry; those whose mask does not fit are set aside, one by one.

        Raises:
            DataError: no masks, masks whose meaning nothing declares, or nothing usable.
        """
        paired = pair(source.sorted_files[0])
        if not paired.masks:
            raise DataError("no picture has a mask", path=source.path, got=f"{len(paired.alone)} pictures",
                            allowed="pictures in images/ and masks of the same names in masks/")  # fmt: skip
        return _Reading(source, paired).dataset(self.recognise(source).why)


@dataclass
class _Reading:
    """One data set of pictures and masks."""

    source: Source
    paired: Paired
    lost: list[Quarantined] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def dataset(self, why: str) -> Dataset:
        """What `MaskFolders.read` gives."""
        root = self.source.root
        sets = read_image_sets(self.source, ("Segmentation", "Main"))
        looks = look_at(root, [mask for masks in self.paired.masks.values() for _, mask in masks])
        if not looks.read:
            raise DataError("no mask can be read", path=self.source.path, got=str(next(iter(looks.broken.values()))))
        meaning = self._meaning(looks)
        if len(meaning.bad) > 0.5 * len(looks.read):
            raise _unknown(self.source, meaning)
        frames = read_frames(FilePictures(root), list(self.paired.masks))
        entries = []
        for picture, masks in self.paired.masks.items():
            split = _split(picture, sets)
            problem = self._problem(frames[picture], [mask for _, mask in masks], looks, meaning)
            if problem is not None:
                self.lost.append(Quarantined(readable(picture), *problem))
            else:
                target = self._target(masks, meaning)
                entries.append(Entry(readable(picture), picture, target, split, origin=readable(masks[0][1])))
        self._without_masks({entry.split for entry in entries}, sets)
        if not entries:
            first = self.lost[0]
            raise DataError("no picture with its mask can be used", path=self.source.path,
                            got=f"{len(self.lost)} set aside, the first {first.path}: {first.reason}",
                            fix=first.fix)  # fmt: skip
        return Dataset(
            root=root,
            format="masks",
            task="segment",
            classes=meaning.classes,
            entries=entries,
            pictures=FilePictures(root),
            quarantined=tuple(self.lost),
            skipped=tuple(self.skipped),
            warnings=(*self.warnings, *meaning.warnings, *alike_warnings(meaning.classes)),
            seen=len(entries) + len(self.lost) + len(self.skipped),
            unit="pictures",
            files=self._files(meaning, sets.files),
            why=f"{why}; {meaning.why}",
            masks=meaning.masks,
        )

    def _meaning(self, looks: Looks) -> Meaning:
        root, kind = self.source.root, self.paired.kind
        if kind == "one":
            folders, is_voc = self._instance_folders(), _is_voc(self.source)
            return decide(root, looks, self._declaring(), instance_folders=folders, is_voc=is_voc)
        bright = 1 if set(looks.values) <= {0, 1} else 255
        if kind == "objects":
            return Meaning(ObjectFileMasks(root, bright), (BINARY[0], "object"), "one mask an object")
        names = class_order(extra for masks in self.paired.masks.values() for extra, _ in masks)
        names = tuple(name for name in names if name != BINARY[0])
        return Meaning(ClassFileMasks(root, bright), (BINARY[0], *names), "one mask a class")

    def _declaring(self) -> list[str]:
        """Files that may declare classes: at the top, or in a folder of masks."""
        folders = {mask.rpartition("/")[0] for masks in self.paired.masks.values() for _, mask in masks}
        folders |= {folder.rpartition("/")[0] for folder in folders} | {self.source.top.rstrip("/"), ""}
        return [
            path for path in self.source.tree.files
            if path.lower().endswith(_DECLARING) and path.rpartition("/")[0] in folders
        ]  # fmt: skip

    def _instance_folders(self) -> tuple[str, str] | None:
        """VOC's folders of classes and of objects, where every mask of the one has its twin in the other."""
        masks = [mask for found in self.paired.masks.values() for _, mask in found]
        swap = ("SegmentationClass/", "SegmentationObject/")
        twins = [mask.replace(*swap, 1) for mask in masks]
        return swap if self.paired.instances and set(twins) <= self.paired.instances else None

    def _target(self, masks: Sequence[tuple[str, str]], meaning: Meaning) -> str | tuple[str | None, ...]:
        if self.paired.kind == "one":
            return masks[0][1]
        if self.paired.kind == "objects":
            return tuple(mask for _, mask in masks)
        by_class = dict(masks)
        return tuple(by_class.get(name) for name in meaning.classes[1:])

    def _problem(
        self, frame: Frame | PictureError, masks: Sequence[str], looks: Looks, meaning: Meaning
    ) -> tuple[str, str] | None:
        """(reason, fix) why a picture cannot be used with its masks, or None."""
        if isinstance(frame, PictureError):
            return frame.what, frame.fix or "correct or remove it"
        for mask in masks:
            shown = readable(mask)
            if error := looks.broken.get(mask):
                return f"its mask {shown} cannot be read: {error.what}", error.fix or _MAKE
            if (size := looks.read[mask].size) not in (frame.size, frame.stored):
                (height, width), (own_height, own_width) = frame.size, size
                sizes = f"is {own_width} × {own_height}, the picture {width} × {height}"
                return f"its mask {shown} {sizes}", "make the mask again from this picture, or remove both"
            if unknown := meaning.bad.get(mask):
                fix = "declare them, or correct the mask"
                return f"its mask {shown} holds what no class has: {', '.join(unknown[:8])}", fix
        return None

    def _without_masks(self, with_masks: set[str | None], sets: ImageSets) -> None:
        """Pictures without a mask: of a part that has none, or in no list, they are passed over, else set aside."""
        bare: Counter[str | None] = Counter()
        for picture in self.paired.alone:
            split = _split(picture, sets)
            if sets and stem(picture) not in sets.split_of:
                self.skipped.append(Skipped(readable(picture), "no list of ImageSets names it"))
            elif split in with_masks:
                self.lost.append(Quarantined(readable(picture), "it has no mask", _MAKE))
            else:
                bare[split] += 1
                self.skipped.append(Skipped(readable(picture), f"no picture of {split or 'its part'} has a mask"))
        self.warnings += [
            f"{count:,} pictures of {split or 'a part'} were passed over: none has a mask"
            for split, count in bare.items()
        ]

    def _files(self, meaning: Meaning, lists: Sequence[str]) -> FileAccount:
        used = {*self.paired.masks, *self.paired.alone, *meaning.used, *lists}
        used |= {mask for masks in self.paired.masks.values() for _, mask in masks}
        used |= self.paired.instances if getattr(meaning.masks, "instance_folders", None) else set()
        fix = "restore the picture, or remove the mask"
        dangling = [Quarantined(readable(mask), "a mask without a picture", fix) for mask in self.paired.dangling]
        return account_files(self.source, used, dangling, self.paired.others)


def _split(picture: str, sets: ImageSets) -> str | None:
    name = stem(picture)
    return sets.split_of[name] if name in sets.split_of else split_in_path(picture.rpartition("/")[0])


def _is_voc(source: Source) -> bool:
    """Whether this is Pascal VOC itself: its layout, in a folder of its name."""
    own = any(re.search(r"voc[ _-]?(20)?(0[5-9]|1[0-2])", part, re.IGNORECASE)
              for part in (*source.root.absolute().parts, *source.tree.folders))  # fmt: skip
    return own and any(folder.rpartition("/")[2] == "SegmentationClass" for folder in source.tree.folders)


def _unknown(source: Source, meaning: Meaning) -> DataError:
    listed = Counter(item.split(" ")[0] for told in meaning.bad.values() for item in told)
    common = ", ".join(f"{value} (in {count:,} masks)" for value, count in listed.most_common(12))
    return DataError("most masks hold what no class has", path=source.path, got=common,
                     allowed=", ".join(meaning.classes), fix="declare these classes beside the masks")  # fmt: skip
