"""Data sets known by name, and the class names of those whose files carry numbers only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from anmok.core.errors import DataError
from anmok.core.types import Dataset
from anmok.data import samples
from anmok.data.places import cache_folder
from anmok.data.samples import FASHION_MNIST

FER2013 = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
_FASHION_MNIST_LABELS = {  # SHA-256 of the label bytes of the published parts
    "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7": "training",
    "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9": "test",
}
_DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")


def known_classes(
    path: Path, values: Sequence[int], digests: Sequence[str] = (), files: Sequence[str] = (),
    columns: Collection[str] = (),
) -> tuple[tuple[str, ...], str]:  # fmt: skip
    """Names for numbered classes, and how they were recognised; both empty where nothing is known.

    Args:
        path: what the user named; its own name is looked at, and that of the folder that a file lies in.
        values: the distinct labels.
        digests: SHA-256 of each part's label bytes.
        files: names of the files read, looked at as well.
        columns: what the columns of labels are called.
    """
    if set(columns) == {"emotion"} and set(values) <= set(range(len(FER2013))):
        return FER2013, "class names of FER2013, because labels stand in 'emotion'"
    if not values or not set(values) <= set(range(10)):
        return (), ""
    parts = [_FASHION_MNIST_LABELS[digest] for digest in digests if digest in _FASHION_MNIST_LABELS]
    if parts:
        return FASHION_MNIST, f"class names of Fashion-MNIST: its {' and '.join(parts)} labels, by their SHA-256"
    path = path.resolve()
    names = [path.name, *files] if path.is_dir() else [path.name, path.parent.name]
    telling = next((name for name in names if "fashion" in name.lower()), None)
    if telling is not None:
        return FASHION_MNIST, f"class names of Fashion-MNIST, because the name {telling!r} says so"
    return (), ""


def fashion_mnist_folder() -> Path:
    """The folder of the full Fashion-MNIST: Debian's package, else the user's cache.

    Raises:
        DataError: it is in neither place.
    """
    places = (_DEBIAN_FOLDER, cache_folder("datasets") / "fashion-mnist")
    for place in places:
        if any(place.glob("train-images-idx3-ubyte*")):
            return place
    raise DataError(
        "the full Fashion-MNIST is not on this machine",
        got=f"no train-images-idx3-ubyte.gz in {' or '.join(map(str, places))}",
        allowed="its four IDX files, plain or .gz, in one of these folders or in a folder that you name",
        fix="apt install dataset-fashion-mnist, put the files into the second folder, or use the bundled part "
        "'fashion-mnist-small'",
    )


def small_fashion_mnist_folder() -> Path:
    """The folder of the bundled part of Fashion-MNIST."""
    return samples.path("fashion_mnist")


KNOWN: dict[str, Callable[[], Path]] = {
    "fashion-mnist": fashion_mnist_folder,
    "fashion-mnist-small": small_fashion_mnist_folder,
    "samples": small_fashion_mnist_folder,
}


@dataclass(frozen=True)
class Built:
    """A data set that is made when it is asked for: the tasks it serves, and what makes it for one of them."""

    tasks: tuple[str, ...]
    make: Callable[[str], Dataset]


# What makes them is imported when one is asked for: SciPy's filters take a third of a second.
def _scenes(side: int, train: int, test: int) -> Built:
    def make(task: str) -> Dataset:
        from anmok.data.samples.scenes import as_segmentation, scenes

        dataset = scenes(train, test, side)
        return dataset if task == "detect" else as_segmentation(dataset)

    return Built(("detect", "segment"), make)


def _domains(task: str) -> Dataset:
    from anmok.data.samples.domains import domains

    return domains()


def _collages(task: str) -> Dataset:
    from anmok.data.samples.collages import collages

    return collages()


def _damaged(how: str) -> Built:
    def make(task: str) -> Dataset:
        from anmok.data.samples.damaged import damaged

        return damaged(how)

    return Built(("reconstruct",), make)


BUILT: dict[str, Built] = {
    "scenes": _scenes(128, 600, 200),
    "scenes-96": _scenes(96, 600, 200),
    "scenes-192": _scenes(192, 1000, 300),
    "collages": Built(("multilabel",), _collages),
    "domains": Built(("translate",), _domains),
    "noisy": _damaged("noise"),
    "masked": _damaged("strokes"),
}
