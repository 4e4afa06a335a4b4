"""Pictures without labels: one picture, or a folder of them, to predict or to learn from without classes."""

from __future__ import annotations

from anmok.core.errors import DataError
from anmok.core.registry import register
from anmok.core.types import Dataset, Entry
from anmok.data.kinds import FOREIGN_SUFFIXES, PICTURE_SUFFIXES, looks_like_picture
from anmok.data.source import Recognition, Source
from anmok.data.stores import FilePictures
from anmok.data.walk import readable


@register("format", name="flat_folder")
class FlatFolder:
    """Pictures that carry no label. Asked for by name, it takes any tree and ignores what its folders are called."""

    tasks = ("reconstruct", "generate", "classify")

    def recognise(self, source: Source) -> Recognition:
        """Sure where all pictures lie in one folder."""
        if not source.is_folder:
            suffix = source.path.suffix.lower()
            is_picture = suffix in PICTURE_SUFFIXES or suffix in FOREIGN_SUFFIXES or looks_like_picture(source.path)
            return Recognition(0.9 if is_picture else 0.0, "a single picture" if is_picture else "no picture")
        pictures, _, _ = source.sorted_files
        folders = {path.rpartition("/")[0] for path in pictures}
        if len(folders) == 1:
            return Recognition(0.6, f"{len(pictures)} pictures in one folder, without labels")
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
        return Dataset(
            root=source.root,
            format="flat_folder",
            task="reconstruct",
            classes=(),
            entries=[Entry(readable(path), path) for path in pictures],
            pictures=FilePictures(source.root),
            quarantined=(*source.tree.quarantined, *foreign),
            skipped=(*source.tree.skipped, *others),
            seen=source.tree.seen,
            why=why,
        )
