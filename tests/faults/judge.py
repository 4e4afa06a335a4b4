"""What anmok made of a damaged data set, against the ledger. Complaints, not exceptions: the harness counts them."""

from __future__ import annotations

import re
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import numpy as np

from anmok.core.errors import DataError, UsageError
from anmok.core.preparation import Preparation
from anmok.core.targets import Frame, Partner
from anmok.core.types import Dataset, Entry, Quarantined
from anmok.data.load import load_data
from anmok.data.masks_statistics import measure_masks
from anmok.data.prepare_pictures import prepare_pictures
from anmok.data.walk import readable
from anmok.tasks.pictures import decode_all
from tests.contracts.test_formats import tree_hash
from tests.faults import beside, objects
from tests.faults.ledger import Key, Ledger

LONGEST = 20.0  # seconds: longer is a hang


class HangError(Exception):
    """The reader did not come back."""


@contextmanager
def guarded(seconds: float = LONGEST) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judge(root: Path, ledger: Ledger, workers: int = 0) -> tuple[list[str], str, float]:
    """(complaints, "used" or "refused" or "broken", seconds)."""
    before, started, refusal, dataset = tree_hash(root), monotonic(), None, None
    place = ledger.path or root
    complaints: list[str] = []
    try:
        with guarded(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = _read_whole(load_data(place), workers)
            accounts = dataset.accounts()
    except (DataError, UsageError) as error:
        refusal = error
    except HangError:
        complaints.append("hang")
    except Exception as error:
        complaints.append(f"traceback {type(error).__name__}: {error}")
    seconds = monotonic() - started
    if tree_hash(root) != before:
        complaints.append("the source was changed")
    if complaints:
        return complaints, "broken", seconds
    if refusal is not None:
        return _of_refusal(refusal, root, ledger), "refused", seconds
    assert dataset is not None
    return _of_dataset(dataset, accounts, ledger), "used", seconds


def _read_whole(dataset: Dataset, workers: int) -> Dataset:
    """The data set less everything that cannot be read: pictures, partners, masks."""
    grey = Preparation(8, 8, channels=1, mean=(0.5,), std=(0.5,))
    if any(isinstance(entry.target, Partner) for entry in dataset.entries):
        return prepare_pictures(dataset, grey, workers=workers).dataset
    dataset = decode_all(dataset, grey, workers=workers).dataset
    return dataset if dataset.masks is None or dataset.task != "segment" else measure_masks(dataset)[0]


def _of_refusal(error: DataError | UsageError, root: Path, ledger: Ledger) -> list[str]:
    complaints = []
    if ledger.fatal is None and not ledger.may_refuse and ledger.good:
        complaints.append(f"refused for nothing: {error}")
    if str(root) not in str(error):
        complaints.append(f"a refusal that names no file: {error}")
    if not (error.fix or error.allowed):
        complaints.append(f"a refusal without help: {error}")
    return complaints


def _of_dataset(dataset: Dataset, accounts: dict[str, dict[str, int]], ledger: Ledger) -> list[str]:
    complaints = []
    if ledger.fatal is not None:
        complaints.append(f"not refused: {ledger.fatal}")
    for unit, told in (("files", ledger.files), ("rows", ledger.rows)):
        if told is not None and unit in accounts and accounts[unit]["seen"] != told:
            complaints.append(f"{accounts[unit]['seen']} {unit} seen, {told} were there")
    if ledger.format == "any":
        return complaints + _told_in_full(dataset)
    if dataset.format != ledger.format:
        complaints.append(f"read as {dataset.format}, not {ledger.format}")
        return complaints
    if ledger.format in beside.KINDS or ledger.spoilt_rows is not None:
        return complaints + _told_in_full(dataset) + _of_pictures(dataset, accounts, ledger)
    used = {_key(entry, dataset): entry for entry in dataset.entries}
    for key, (label, pixels) in ledger.good.items():
        entry = used.get(_printed(key))
        if entry is None:
            complaints.append(f"lost: {key}")
        elif isinstance(label, str) and dataset.classes[entry.target] != label:
            complaints.append(f"{key} became {dataset.classes[entry.target]}, is {label}")
        elif pixels is not None and not np.array_equal(dataset.pictures.read(entry.locator)[..., 0], pixels):
            complaints.append(f"other pixels: {key}")
    complaints += _told_in_full(dataset)
    aside: set[Key] = {item.path if item.line is None else (item.path, item.line) for item in _aside(dataset)}
    bad, doubtful = ({_printed(key) for key in keys} for keys in (ledger.bad, ledger.doubtful))
    complaints += [f"not set aside: {key}" for key in sorted(bad - aside, key=str)]
    complaints += [f"set aside for nothing: {key}" for key in sorted(aside - bad - doubtful, key=str)]
    good = {_printed(key) for key in ledger.good}
    complaints += [f"used, though bad: {key}" for key in sorted(used.keys() - good - doubtful, key=str)]
    return complaints


def _of_pictures(dataset: Dataset, accounts: dict[str, dict[str, int]], ledger: Ledger) -> list[str]:
    """Pictures with something beside them: what is told of each, and who is named where it cannot be used."""
    used = {entry.id: entry for entry in dataset.entries}
    complaints = [f"used, though bad: {key}" for key in used if key not in ledger.good and key not in ledger.doubtful]
    for key, (target, pixels) in ledger.good.items():
        entry = used.get(str(key))
        if entry is None:
            complaints.append(f"lost: {key}")
        elif pixels is not None and not _same(dataset.pictures.read(entry.locator), pixels):
            complaints.append(f"other pixels: {key}")
        elif isinstance(target, tuple) and objects.told(entry.target, dataset.classes) != target:
            complaints.append(f"{key} holds {objects.told(entry.target, dataset.classes)}, not {target}")
        elif isinstance(target, np.ndarray):
            shown = dataset.masks.classes(entry.target, Frame(target.shape)) if dataset.masks else np.zeros(0)
            names = np.array([int(name) for name in dataset.classes])
            if not np.array_equal(names[shown], target):
                complaints.append(f"another map: {key}")
    words = " ".join(f"{item.path} {item.reason}" for item in dataset.set_aside)
    complaints += [f"not named: {key}" for key in ledger.bad if Path(str(key)).stem not in words]
    if ledger.spoilt_rows is not None:
        aside, most = accounts["rows"]["quarantined"], ledger.spoilt_rows + ledger.lost_rows
        if not ledger.spoilt_rows <= aside <= most:
            complaints.append(f"{aside} rows set aside, {ledger.spoilt_rows} to {most} are bad")
    return complaints


def _same(found: np.ndarray, pixels: np.ndarray) -> bool:
    return np.array_equal(found[..., 0] if pixels.ndim == 2 else found, pixels)


def _aside(dataset: Dataset) -> tuple[Quarantined, ...]:
    return (*dataset.quarantined, *(dataset.files.quarantined if dataset.files else ()))


def _told_in_full(dataset: Dataset) -> list[str]:
    """Every item set aside has path, reason and fix, and its line where it is a row."""
    rows = set(dataset.quarantined) if dataset.unit == "rows" else set()
    return [
        f"a quarantine that does not say all: {item}"
        for item in _aside(dataset)
        if not (item.path and item.reason and item.fix and (item.line or item not in rows))
    ]


def _key(entry: Entry, dataset: Dataset) -> Key:
    if dataset.unit == "files":
        return entry.id
    named = re.fullmatch(r"(.*):(\d+)", entry.origin or entry.id, re.DOTALL)
    return (named[1], int(named[2])) if named else entry.id


def _printed(key: Key) -> Key:
    return readable(key) if isinstance(key, str) else (readable(key[0]), key[1])
