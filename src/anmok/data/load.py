"""From a path to a data set: an archive is extracted, the formats are asked, and the surest one reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from anmok.core.errors import DataError, UsageError, nearest, unknown_name
from anmok.core.targets import Partner
from anmok.core.types import Dataset, Entry
from anmok.data.archive import extracted, is_archive
from anmok.data.known import BUILT, KNOWN
from anmok.data.source import FORMATS, ReadOptions, Recognition, Source

_ENOUGH = 0.5  # a format less sure than this is not believed
_TIE = 0.05  # two formats nearer than this are both believed, which is one too many
_FORMS = (
    "a folder of class folders (with or without train, val and test), a CSV of paths and labels, "
    "a CSV of pixels, IDX files (plain or .gz), pictures beside their masks, boxes in COCO, VOC, YOLO or CSV, "
    "two folders or halves to translate between, a folder of pictures without labels, or one archive of these"
)
TASKS = ("classify", "multilabel", "segment", "detect", "reconstruct", "generate", "translate")
_ANY = ("reconstruct", "generate")  # whatever the pictures are labelled with


def load_data(
    path: str | Path,
    *,
    task: str | None = None,
    format: str | None = None,
    path_column: str | None = None,
    label_column: str | None = None,
    split_column: str | None = None,
    group_column: str | None = None,
    pictures: str | Path | None = None,
    shape: tuple[int, int, int] | None = None,
    follow_links: bool = False,
) -> Dataset:
    """The data set at `path`, whatever its form. Nothing is decoded, and nothing is written beside it.

    Args:
        path: a folder, a file, an archive (.zip, .tar, .tar.gz …), or the name of a known data set: "fashion-mnist",
            "fashion-mnist-small", "samples"; or of one that is made when it is asked for: "collages", "scenes",
            "scenes-96", "scenes-192", "domains", "noisy", "masked".
        task: what the data is for, where it fits more than one: masks drawn from COCO's outlines for "segment", say.
            Pictures of any kind serve to "reconstruct" and to "generate".
        format: the format's name, where it should not be recognised.
        path_column, label_column, split_column, group_column: a table's columns, where they should not be recognised.
        pictures: the folder that a table's paths start from; by default the table's own.
        shape: (height, width, channels) of pictures stored as numbers in a table, where they are not square.
        follow_links: also read what symbolic links outside the folder lead to.

    Raises:
        DataError: the path is missing, of no known form, of two, or damaged as a whole.
        UsageError: there is no format or task of this name, or the format does not serve the task.

    >>> load_data("samples").splits
    {'train': 6000, 'test': 1000}
    """
    if task is not None and task not in TASKS:
        raise unknown_name("task", task, TASKS)
    if (built := _built(path, task)) is not None:
        return built
    place = find_data(path)
    options = ReadOptions(
        path_column=path_column,
        label_column=label_column,
        split_column=split_column,
        group_column=group_column,
        pictures=None if pictures is None else Path(pictures),
        shape=shape,
        follow_links=follow_links,
        task=task,
    )
    source, note = Source(place, options), ""
    if place.is_file() and is_archive(place):
        source, note = Source(extracted(place), options), f"inside the archive {place.name}: "
    with _named_inside(place, source.root) if note else nullcontext():
        name = format if format is not None else recognise(source)[0]
        if not _serves(name, task):
            raise UsageError(
                f"the format {name} does not serve this task", got=task, allowed=", ".join(FORMATS[name].tasks)
            )
        dataset = _for_task(FORMATS[name]().read(source), task)
        dataset.accounts()
    return replace(dataset, why=note + dataset.why)


@contextmanager
def _named_inside(place: Path, root: Path) -> Iterator[None]:
    """Errors about what was extracted from an archive name the archive: nobody knows where it was extracted to."""
    try:
        yield
    except (DataError, UsageError) as error:
        if error.path is None or not Path(error.path).is_relative_to(root):
            raise
        inside = Path(error.path).relative_to(root)
        path = f"{place}, {inside}" if inside.parts else place
        told = type(error)(error.what, path=path, line=error.line, got=error.got, allowed=error.allowed, fix=error.fix)
        raise told from error


def _built(path: str | Path, task: str | None) -> Dataset | None:
    """The data set that is made under this name, unless the name is that of a file or folder."""
    name = str(path).lower()
    if name not in BUILT or Path(path).expanduser().exists():
        return None
    known = BUILT[name]
    if task is not None and task not in (*known.tasks, *_ANY):
        raise UsageError(f"{name} do not serve this task", got=task, allowed=", ".join((*known.tasks, *_ANY)))
    dataset = _for_task(known.make(task if task in known.tasks else known.tasks[0]), task)
    dataset.accounts()
    return dataset


def _serves(name: str, task: str | None) -> bool:
    return task is None or task in _ANY or task in FORMATS[name].tasks


def _for_task(dataset: Dataset, task: str | None) -> Dataset:
    """The data set for this task: to reconstruct and to generate, only classes are kept of what it is labelled with.

    Pairs are kept to reconstruct: damaged pictures, and the same ones whole.
    """
    if task is None or task == dataset.task:
        return dataset
    kept = (int, Partner, type(None)) if task == "reconstruct" else (int, type(None))
    if task not in _ANY or all(isinstance(entry.target, kept) for entry in dataset.entries):
        return replace(dataset, task=task)
    entries: list[Entry] = [replace(entry, target=None) for entry in dataset.entries]
    return replace(dataset, task=task, classes=(), entries=entries, rows=None, masks=None)


def find_data(path: str | Path) -> Path:
    """The path itself where something is there, else the folder of the known data set of this name.

    Raises:
        DataError: neither.
    """
    if path == "":  # a variable of a shell that was never set, rather than the folder one is in
        raise DataError("the data has no name", got="''", allowed=_FORMS, fix="a dot for the folder you are in")
    place = Path(path).expanduser()
    try:
        exists = place.exists()
    except (OSError, ValueError) as error:
        raise DataError("this is no usable path", got=repr(str(path)), fix="check the name") from error
    if not exists and str(path).lower() in KNOWN:
        return KNOWN[str(path).lower()]()
    if not exists:
        guess = nearest(str(path), [*KNOWN, *BUILT]) or _neighbour(place)
        raise DataError(
            "nothing is there",
            path=place,
            allowed=f"{_FORMS}; or one of the known data sets {', '.join(sorted([*KNOWN, *BUILT]))}",
            fix=guess and f"{guess!r}",
        )
    if not place.is_file() and not place.is_dir():
        raise DataError("neither a file nor a folder", path=place, got="a FIFO, socket or device", allowed=_FORMS)
    return place


def recognise(source: Source) -> tuple[str, Recognition]:
    """The name of the surest format and what it saw.

    Raises:
        DataError: no format is sure enough, or two are equally sure.
    """
    answers = {name: kind().recognise(source) for name, kind in FORMATS.items() if _serves(name, source.options.task)}
    ranked = sorted(answers, key=lambda name: -answers[name].sure)
    best = answers[ranked[0]]
    if best.sure < _ENOUGH:
        raise DataError("the form of this data is not recognised", path=source.path, got=_seen(source), allowed=_FORMS)
    rivals = [name for name in ranked if best.sure - answers[name].sure < _TIE]
    if len(rivals) > 1:
        if agreed := _agreed(source, rivals):
            return agreed, answers[agreed]
        raise DataError(
            "this data can be read in more than one way",
            path=source.path,
            got="; ".join(f"{name} ({answers[name].why})" for name in rivals),
            fix=f"--format {' or --format '.join(rivals)}",
        )
    return ranked[0], best


def _agreed(source: Source, rivals: list[str]) -> str | None:
    """The rival that tells most, where all give the pictures that they share the same classes.

    So it is with class folders beside a table that lists what lies in them.
    """
    try:
        readings = {name: FORMATS[name]().read(source) for name in rivals}
    except DataError:
        return None
    told = {
        name: {(str(data.root), entry.locator): data.classes[entry.target] for entry in data.entries}
        for name, data in readings.items()
        if data.classes and all(isinstance(entry.target, int) for entry in data.entries)
    }
    if len(told) < len(rivals) or len({data.task for data in readings.values()}) > 1:
        return None
    shared = set.intersection(*(set(classes) for classes in told.values()))
    if not shared or any(len({classes[picture] for classes in told.values()}) > 1 for picture in shared):
        return None
    return max(rivals, key=lambda name: (bool(set(readings[name].splits) - {""}), len(readings[name])))


def _neighbour(place: Path) -> str | None:
    """A path beside the missing one that was probably meant."""
    try:
        guess = nearest(place.name, (item.name for item in place.parent.iterdir()))
    except OSError:
        return None
    return guess and str(place.parent / guess)


def _seen(source: Source) -> str:
    """What lies there, for the error that says it was not recognised."""
    if not source.is_folder:
        return f"a file of {source.path.stat().st_size} bytes"
    if not source.tree.seen:
        return "an empty folder"
    pictures, others, _ = source.sorted_files
    hints = [f"{len(pictures)} pictures", f"{len(others)} other files", f"{len(source.tree.folders)} folders"]
    if others:
        hints.append(f"among them {', '.join(item.path for item in others[:3])}")
    return ", ".join(hints)
