"""Where pictures to be answered for lie: files, folders, globs, tables, archives. Nothing here imports torch."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from anmok.core.errors import UsageError
from anmok.core.types import Dataset, Pictures, Prediction
from anmok.data.formats.flat_folder import FlatFolder
from anmok.data.source import Source
from anmok.data.stores import PathPictures

Answer = Callable[[Pictures, Sequence[str | int], Sequence[str]], Iterator[Prediction]]
"""(where pixels come from, which of them, what each is called) → a prediction each, in order."""

_HOLDS_MANY = {".csv", ".tsv", ".gz", ".zip", ".tar", ".tgz", ".bz2", ".xz"}  # and so are read by `load_data`


def answers_for(
    pictures: str | Path | Iterable[str | Path], answer: Answer, say: Callable[[str], None]
) -> Iterator[Prediction]:
    """The answers for everything asked, in the order asked; what cannot be read has `error` set.

    Args:
        pictures: a file, a folder, a glob, a table or archive of pictures, or a list of these.
        answer: who answers.
        say: is told what was passed over.

    Raises:
        UsageError: nothing was asked.
        DataError: nothing is there.
    """
    for single, places in groupby(_places(pictures), key=_is_picture_file):
        if single:
            names = [str(place) for place in places]
            yield from answer(PathPictures(), names, names)
        else:
            for place in places:
                yield from _of_place(place, answer, say)


def _places(pictures: str | Path | Iterable[str | Path]) -> list[Path]:
    """Every file or folder asked for; a glob stands for what it matches."""
    asked = [pictures] if isinstance(pictures, (str, Path)) else list(pictures)
    found: list[Path] = []
    for item in asked:
        if item == "":  # a variable of a shell that was never set, rather than the folder one is in
            raise UsageError("a picture or folder has no name", got="''", fix="a dot for the folder you are in")
        path = Path(item).expanduser()
        if not path.exists() and glob.has_magic(str(path)):
            matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute patterns too
            if not matches:
                raise UsageError("nothing matches", got=str(item), fix="quote the pattern, or name a folder")
            found.extend(Path(match) for match in matches)
        else:
            found.append(path)
    if not found:
        raise UsageError("there is nothing to answer for", fix="name a picture, a folder or a glob")
    return found


def _is_picture_file(place: Path) -> bool:
    """A file is a picture unless it is a table, IDX file or archive; a file without ending is asked to be one too."""
    return not place.is_dir() and place.suffix.lower() not in _HOLDS_MANY


def _of_place(place: Path, answer: Answer, say: Callable[[str], None]) -> Iterator[Prediction]:
    """A folder's pictures, at any depth; what a table, IDX file or archive holds."""
    plain = place.is_dir() and not any(item.suffix.lower() in _HOLDS_MANY for item in place.iterdir())
    dataset = FlatFolder().read(Source(place)) if plain else _load(place)
    names = [str(place / entry.id) if plain else entry.id for entry in dataset.entries]
    yield from answer(dataset.pictures, [entry.locator for entry in dataset.entries], names)
    for item in dataset.quarantined:
        yield Prediction(str(place / item.path), error=f"{item.reason}; try: {item.fix}")
    if dataset.skipped:
        say(f"{place}: {len(dataset.skipped)} files are no pictures and were passed over")


def _load(place: Path) -> Dataset:
    """What a table, IDX file or archive holds; `anmok-runtime`, the small distribution, leaves their readers out."""
    try:
        from anmok.data.load import load_data
    except ModuleNotFoundError as error:
        raise UsageError("this installation reads picture files and folders of them only", got=str(place),
                         fix="pip install anmok") from error  # fmt: skip
    return load_data(place)
