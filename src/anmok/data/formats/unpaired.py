"""Two sets of pictures to translate between without pairs: `trainA`, `trainB`, `testA`, `testB`, or `A/` and `B/`.

Zhu et al. 2017, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks" (CycleGAN). A
picture's target is its domain: 0 for A, 1 for B.
"""

from __future__ import annotations

from anmok.core.errors import DataError
from anmok.core.registry import register
from anmok.core.types import Dataset, Entry, Skipped
from anmok.data.formats._domains import Place, train_a_train_b, two_folders
from anmok.data.source import Recognition, Source
from anmok.data.stores import FilePictures
from anmok.data.walk import readable

_MOST, _ALL = 0.5, 0.95  # share of pictures in the two folders, whose names say it all or might mean something else


@register("format", name="unpaired")
class Unpaired:
    """Pictures of two domains."""

    tasks = ("translate",)

    def recognise(self, source: Source) -> Recognition:
        """Sure where folders are called trainA and trainB; less so where they are called A and B."""
        if not source.is_folder:
            return Recognition(0.0, "a file, not two folders of pictures")
        pictures = source.sorted_files[0]
        asked = source.options.task == "translate"
        placed, names, told = _place(pictures, any_names=asked)
        if {place.domain for place in placed.values()} != {0, 1}:
            return Recognition(0.0, "no two folders of pictures to translate between")
        share, why = len(placed) / len(pictures), f"pictures of two domains, {names[0]} and {names[1]}"
        if told:
            return Recognition(0.97 if share > _MOST else 0.3, why)
        sure = 0.9 if share > _ALL else 0.3
        return Recognition(sure, why if asked else f"{why}; if these are classes: --format class_folders")

    def read(self, source: Source) -> Dataset:
        """Every picture of the two domains becomes an entry, its domain being its target.

        Raises:
            DataError: there are no two folders, or one of them is empty.
        """
        pictures, others, foreign = source.sorted_files
        placed, names, _ = _place(pictures, any_names=True)
        if {place.domain for place in placed.values()} != {0, 1}:
            raise DataError("there are no two folders of pictures", path=source.path, got=f"{len(pictures)} pictures",
                            allowed="trainA and trainB (and testA, testB), or A and B")  # fmt: skip
        passed = [Skipped(readable(path), "in neither of the two domains") for path in pictures if path not in placed]
        return Dataset(
            root=source.root,
            format="unpaired",
            task="translate",
            classes=names,
            entries=[Entry(readable(path), path, place.domain, place.split) for path, place in placed.items()],
            pictures=FilePictures(source.root),
            quarantined=(*source.tree.quarantined, *foreign),
            skipped=(*source.tree.skipped, *others, *passed),
            seen=source.tree.seen,
            why=self.recognise(source).why,
        )


def _place(pictures: list[str], *, any_names: bool) -> tuple[dict[str, Place], tuple[str, str], bool]:
    """Where each picture stands, what the domains are called, and whether the folders' names say it all."""
    if placed := train_a_train_b(pictures):
        return placed, ("A", "B"), True
    found = two_folders(pictures, any_names=any_names)
    return (*found, False) if found is not None else ({}, ("", ""), False)
