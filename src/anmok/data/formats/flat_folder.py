"""Pictures without labels: one picture, or a folder of them, to predict or to learn from without classes."""

from __future__ import annotations

from anmok.core.errors import DataError
from anmok.core.magic import PICTURE_SUFFIXES
from anmok.core.registry import register
from anmok.core.types import Dataset, Entry
from anmok.data.formats._words import split_in_path
from anmok.data.kinds import FOREIGN_SUFFIXES, looks_like_picture
from anmok.data.names import split_named
from anmok.data.source import Recognition, Source
from anmok.data.stores import FilePictures
from anmok.data.walk import readable


@register("format", name="flat_folder")
class FlatFolder:
    """Pictures that carry no label. Asked for by name, it takes any tree and ignores what its folders are called.

    Such pictures serve to reconstruct and to generate, which is what they are taken for unless the task is named.
    """

    tasks = ("reconstruct", "generate", "classify")

    def recognise(self, source: Source) -> Recognition:
        """Sure where all pictures lie in one folder, or in one for each part of a split."""
        if not source.is_folder:
            suffix = source.path.suffix.lower()
            is_picture = suffix in PICTURE_SUFFIXES or suffix in FOREIGN_SUFFIXES or looks_like_picture(source.path)
            return Recognition(0.9 if is_picture else 0.0, "a single picture" if is_picture else "no picture")
        pictures, _, _ = source.sorted_files
        folders = {path.rpartition("/")[0] for path in pictures}
        if len(folders) == 1:
            return Recognition(0.6, f"{len(pictures)} pictures in one folder, without labels")
        if _are_parts(folders):
            return Recognition(0.6, f"{len(pictures)} pictures in {len(folders)} parts of a split, without labels")
        return Recognition(0.1 if pictures else 0.0, f"{len(pictures)} pictures in {len(folders)} folders")

    def read(self, source: Source) -> Dataset:
        """Every picture becomes an entry without a target.

        Raises:
            DataError: there is no picture at all.
        """
        why = self.recognise(source).why
        if not source.is_folder:
            entry = Entry(readable(source.path.name), source.path.name)
            store = FilePictures(source.root)
            return Dataset(source.root, "flat_folder", "reconstruct", (), [entry], store, seen=1, why=why)
        pictures, others, foreign = source.sorted_files
        if not pictures:
            raise DataError(
                "the folder holds no picture",
                path=source.path,
                got=f"{source.tree.seen} files, none of them a picture that can be read",
                allowed="JPEG, PNG, TIFF, WebP, BMP, GIF, PNM",
            )
        in_parts = _are_parts({path.rpartition("/")[0] for path in pictures})
        splits = [split_in_path(path.rpartition("/")[0]) if in_parts else None for path in pictures]
        return Dataset(
            root=source.root,
            format="flat_folder",
            task="reconstruct",
            classes=(),
            entries=[Entry(readable(path), path, None, split) for path, split in zip(pictures, splits, strict=True)],
            pictures=FilePictures(source.root),
            quarantined=(*source.tree.quarantined, *foreign),
            skipped=(*source.tree.skipped, *others),
            seen=source.tree.seen,
            why=why,
        )


def _are_parts(folders: set[str]) -> bool:
    """Whether several folders side by side are the parts of a split."""
    above = {folder.rpartition("/")[0] for folder in folders}
    return len(folders) > 1 and len(above) == 1 and all(split_named(folder.rpartition("/")[2]) for folder in folders)
