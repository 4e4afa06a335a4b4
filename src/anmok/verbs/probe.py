"""The knife tried on your own pictures: how well a line on a network's frozen features tells your classes apart."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anmok.core.errors import DataError, UsageError
from anmok.core.seeds import numpy_generator
from anmok.core.types import Dataset
from anmok.data.cache import fingerprint
from anmok.data.load import load_data
from anmok.engine.devices import choose
from anmok.metrics.proportion import Interval, share
from anmok.tasks.classify.features import Centres
from anmok.tasks.classify.frozen import Frozen
from anmok.tasks.classify.head import fit_head
from anmok.tasks.classify.learning import Classify
from anmok.tasks.pictures import decode_all
from anmok.tasks.published import bring, build_published, preparation_of, version_here

FOLDS = 5
MOST = 2_000  # pictures; more would tell little and take long


@dataclass(frozen=True)
class Probe:
    """A trial of networks, ready to be run: whatever could be refused has been looked at.

    Args:
        dataset: the pictures drawn.
        folds: the fifth (N,) that each is in.
        versions: of each network, which published weights.
        imgsz: side in pixels; None: each network's own.
    """

    dataset: Dataset
    folds: np.ndarray
    versions: Mapping[str, str]
    imgsz: int | None = None

    @classmethod
    def of(
        cls, data: str, networks: Sequence[str], *, weights: str | None = None, imgsz: int | None = None, seed: int = 0
    ) -> Probe:  # fmt: skip
        """Draw pictures and find weights.

        Args:
            data: labelled pictures, as `anmok train` takes them; of more than 2,000 so many, drawn evenly by class.
            networks: names, all with published weights.
            weights: `imagenet` to download them; None: those that are here.
            imgsz: side in pixels; None: each network's own.
            seed: of the draw and the folds.

        Raises:
            UsageError: a network has no weights here.
            DataError: fewer than two classes, or classes of fewer than five pictures.
        """
        versions = {name: weights or version_here(name) for name in networks}
        for name, version in versions.items():
            bring(name, version)
        dataset = _drawn(load_data(data, task="classify"), seed, data)
        return cls(dataset, _folds(dataset, seed), versions, imgsz)

    def run(self, on_progress: Callable[[int, int], None] | None = None) -> dict[str, Interval]:
        """Cross-validated accuracy of a linear head on each network's frozen features, with its 95 % interval.

        Each fifth of the pictures is answered by a head that saw three other fifths and was held back as the fourth
        asked for; pictures of one group stay in one fifth. Pictures that cannot be read are left out, with a warning.

        Raises:
            DataError: too few of a class can be read.
        """
        found = {}
        for done, name in enumerate(self.versions):
            if on_progress is not None:
                on_progress(done, len(self.versions))
            found[name] = self._accuracy(name)
        return found

    def _accuracy(self, name: str) -> Interval:
        version, classes = self.versions[name], self.dataset.classes
        decoded = decode_all(self.dataset, preparation_of(name, version, self.imgsz))
        targets = np.array([entry.target for entry in decoded.dataset.entries], np.int64)
        folds = self.folds[decoded.rows]
        self._tell_unread(targets, folds)
        network, _, _ = build_published(name, version, num_classes=len(classes), in_channels=3)
        devices = choose("auto")
        devices.place(network)
        model = Classify(network, classes, decoded.preparation, devices)
        pictures = fingerprint(self.dataset, decoded.preparation)
        x = Centres(Frozen(model, len(decoded.rows)), decoded.source, decoded.rows, pictures).of(decoded.rows)[:, 0]
        return share(_hits(x, targets, folds, len(classes)), len(targets))

    def _tell_unread(self, targets: np.ndarray, folds: np.ndarray) -> None:
        """What the classes (n,) and fifths (n,) of the pictures that were read lack."""
        unread, root = len(self.dataset) - len(targets), str(self.dataset.root)
        counts = np.bincount(targets, minlength=len(self.dataset.classes))
        if counts.min() < FOLDS or len(np.unique(folds)) < FOLDS:
            raise DataError("too few pictures can be read to try networks on", path=root,
                            got=f"{counts.tolist()} a class", fix=f"anmok check {root}")  # fmt: skip
        if unread:
            those = "1 picture cannot be read and is" if unread == 1 else f"{unread:,} pictures cannot be read and are"
            warnings.warn(f"{those} left out; anmok check {root} says why", stacklevel=2)


def _drawn(dataset: Dataset, seed: int, data: str) -> Dataset:
    """At most `MOST` entries, evenly over the classes."""
    targets = np.array([-1 if entry.target is None else entry.target for entry in dataset.entries])
    counts = np.bincount(targets[targets >= 0], minlength=len(dataset.classes))
    if len(dataset.classes) < 2 or counts.min() < FOLDS:
        raise DataError("too few pictures to try networks on", path=data, got=f"{counts.tolist()} a class",
                        allowed=f"two classes or more of at least {FOLDS} pictures")  # fmt: skip
    if (targets < 0).any():
        raise UsageError("networks are tried on labelled pictures", path=data)
    order = numpy_generator(seed, "probe").permutation(len(targets))
    rank = np.empty(len(targets), np.int64)  # of each picture within its class
    for number in range(len(counts)):
        own = order[targets[order] == number]
        rank[own] = np.arange(len(own))
    left_out = order[np.argsort(rank[order], kind="stable")][MOST:]
    return dataset.without((), {dataset.entries[position].id for position in left_out.tolist()})


def _folds(dataset: Dataset, seed: int) -> np.ndarray:
    """The fifth (N,) each entry is in: stratified, groups whole."""
    from sklearn.model_selection import StratifiedGroupKFold

    targets = np.array([entry.target for entry in dataset.entries])
    groups = np.array([entry.group or entry.id for entry in dataset.entries])
    fold = np.zeros(len(targets), np.int64)
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for number, (_, asked) in enumerate(splitter.split(targets, targets, groups)):
        fold[asked] = number
    return fold


def _hits(x: np.ndarray, y: np.ndarray, fold: np.ndarray, classes: int) -> int:
    hits = 0
    for number in range(FOLDS):
        asked, chooses = fold == number, fold == (number + 1) % FOLDS
        learned = ~(asked | chooses)
        head = fit_head(x[learned], y[learned], classes, (x[chooses], y[chooses]))
        logits = x[asked] @ head.weight.numpy().T + head.bias.numpy()
        hits += int((logits.argmax(1) == y[asked]).sum())
    return hits
