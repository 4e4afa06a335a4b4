"""Splits: kept where given, else seeded, stratified by class (by each of several), and never through a group.

Inside a class, pictures (or groups) are ranked by a hash of the seed and their id, so a picture's side depends on its
name rather than on the order of the list, and adding pictures moves few others.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from anmok.core.errors import DataError, UsageError
from anmok.core.files import whole_file
from anmok.core.targets import Labels
from anmok.core.types import SPLITS, Dataset, Entry

ENOUGH = 3000  # pictures tell 94 % from 93 %; more cost training pictures, and time every epoch


def assign_splits(dataset: Dataset, *, val: float | None = 0.15, test: float | None = None, seed: int = 0) -> Dataset:
    """The data set with every entry in a split.

    Entries that have a split keep it; the others count as training data. A missing val is cut from the training data,
    and so is a missing test.

    Args:
        val: share of the training data that becomes val where there is none; 0 for none, None: `validation_share`.
        test: the same for test; None means 0.15, but 0 where the data came as train and val.
        seed: decides the order of the ranks.

    Raises:
        DataError: no labels, one class, a class with one picture, or no training data.
        UsageError: shares that are none.
    """
    given = {entry.split for entry in dataset.entries} - {None}
    pool = [entry for entry in dataset.entries if entry.split in (None, "train")]
    test = (0.0 if given >= {"train", "val"} else 0.15) if test is None else test
    val = validation_share(len(pool)) if val is None else val
    shares = {"val": 0.0 if "val" in given else val, "test": 0.0 if "test" in given else test}
    _check_shares(shares)
    _check_labels(dataset)
    if not pool:
        raise DataError(
            "there is nothing to train on",
            path=dataset.root,
            got=f"splits {', '.join(sorted(map(str, given)))} only",
            fix="provide a train part, or name a folder that is not split",
        )
    cut = any(shares.values())
    warnings = _check_classes(dataset, pool) if cut else []
    grouped, several = any(e.group is not None for e in pool), any(isinstance(e.target, Labels) for e in pool)
    parts = (_cut_groups if grouped else _cut_several if several else _cut_singles)(pool, shares, seed)
    chosen = {entry.id: part for part, entries in parts.items() for entry in entries}
    entries = [
        entry if part == entry.split else replace(entry, split=part)
        for entry in dataset.entries
        for part in (chosen.get(entry.id, entry.split or "train"),)
    ]
    warnings += _group_leaks(entries)
    if cut:
        held = {entry.split for entry in entries}
        warnings += [f"no picture could be put into {part}" for part in shares if shares[part] and part not in held]
        warnings += _absences(entries, dataset.classes)
    fresh = tuple(warning for warning in dict.fromkeys(warnings) if warning not in dataset.warnings)
    return replace(dataset, entries=entries, warnings=(*dataset.warnings, *fresh))


def validation_share(pictures: int) -> float:
    """The share of so many training pictures worth keeping for validation: a tenth, and no more than `ENOUGH`."""
    return min(0.1, ENOUGH / max(pictures, 1))


def rank(seed: int, name: str) -> bytes:
    """Where a name stands among others under this seed: smaller bytes first."""
    return hashlib.blake2b(f"{seed}/{name}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _check_shares(shares: Mapping[str, float]) -> None:
    if not all(0 <= share < 1 for share in shares.values()) or sum(shares.values()) >= 1:
        raise UsageError(
            "val and test must leave something to train on",
            got=", ".join(f"{name}={share:g}" for name, share in shares.items()),
            allowed="shares from 0 to below 1 whose sum is below 1",
        )


def _check_labels(dataset: Dataset) -> None:
    least = {"classify": 2, "multilabel": 1}.get(dataset.task)
    if least is not None and (len(dataset.classes) < least or any(e.target is None for e in dataset.entries)):
        raise DataError(
            f"these pictures do not carry labels of at least {'two classes' if least == 2 else 'one class'}",
            path=dataset.root,
            got=f"{len(dataset.entries)} pictures, classes: {', '.join(dataset.classes) or 'none'}",
            allowed="two or more classes" if least == 2 else "one or more classes",
            fix="make a folder for each class, or a CSV with a column of paths and one of labels",
        )


def _check_classes(dataset: Dataset, pool: Sequence[Entry]) -> list[str]:
    """Refuse classes of one picture; warn of those that cannot be everywhere."""
    if dataset.task != "classify":
        return []
    total, ours = (Counter(entry.target for entry in entries) for entries in (dataset.entries, pool))
    lone = [name for index, name in enumerate(dataset.classes) if total[index] == 1]
    if lone:
        raise DataError(
            f"{'a class has' if len(lone) == 1 else 'classes have'} one picture only: it cannot be split",
            path=dataset.root,
            got=", ".join(map(repr, lone)),
            allowed="at least two pictures a class, three for train, val and test",
            fix="add pictures, merge or remove the class, or provide train, val and test yourself",
        )
    few = [name for index, name in enumerate(dataset.classes) if ours[index] < 3]
    return [f"classes with fewer than three training pictures, not in every split: {', '.join(few)}"] if few else []


def _strata(entry: Entry) -> tuple[Hashable, ...]:
    """What a split keeps in proportion: the class, each of several classes and their absence, else nothing."""
    if isinstance(entry.target, Labels):
        return entry.target.numbers or ("none of them",)
    return (entry.target if isinstance(entry.target, int) else None,)


def _cut_singles(pool: Sequence[Entry], shares: Mapping[str, float], seed: int) -> dict[str, list[Entry]]:
    strata: dict[Hashable, list[Entry]] = defaultdict(list)
    for entry in pool:
        strata[_strata(entry)].append(entry)
    parts: dict[str, list[Entry]] = defaultdict(list)
    for entries in strata.values():
        ranked = sorted(entries, key=lambda entry: rank(seed, entry.id))
        for part, count in part_sizes(len(ranked), shares).items():
            parts[part] += ranked[:count]
            ranked = ranked[count:]
    return parts


def part_sizes(count: int, shares: Mapping[str, float]) -> dict[str, int]:
    """How many of `count` pictures each part gets; train keeps the rest and at least one.

    A part with a share gets at least one where there are enough for all.

    >>> part_sizes(100, {"val": 0.15, "test": 0.15}), part_sizes(3, {"val": 0.15, "test": 0.15})
    ({'val': 15, 'test': 15}, {'val': 1, 'test': 1})
    >>> part_sizes(2, {"val": 0.15, "test": 0.15})
    {'val': 1, 'test': 0}
    """
    sizes, left = {}, count - 1
    for part, share in shares.items():
        wanted = max(1, int(count * share + 0.5)) if share else 0
        later = sum(1 for other in shares if other not in sizes and other != part and shares[other])
        sizes[part] = min(wanted, max(left - later, min(1, left), 0)) if wanted else 0
        left -= sizes[part]
    return sizes


def _cut_groups(pool: Sequence[Entry], shares: Mapping[str, float], seed: int) -> dict[str, list[Entry]]:
    """Whole groups, the largest first, each to the part that lacks most of what the group holds."""
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in pool:
        groups[f"entry/{entry.id}" if entry.group is None else f"group/{entry.group}"].append(entry)
    totals = _held(pool)
    wanted = {part: share for part, share in shares.items() if share} | {"train": 1 - sum(shares.values())}
    missing = {part: {stratum: share * totals[stratum] for stratum in totals} for part, share in wanted.items()}
    parts: dict[str, list[Entry]] = {part: [] for part in wanted}
    for name in sorted(groups, key=lambda name: (-len(groups[name]), rank(seed, name))):
        held = _held(groups[name])

        def gain(part: str, held: Counter = held) -> float:
            # How much nearer the part comes to its share, class by class, in units of that share.
            lacks = missing[part]
            return sum((lacks[s] ** 2 - (lacks[s] - n) ** 2) / (wanted[part] * totals[s]) ** 2 for s, n in held.items())

        part = max(wanted, key=lambda part: (gain(part), part == "train"))
        for stratum, count in held.items():
            missing[part][stratum] -= count
        parts[part] += groups[name]
    if not parts["train"]:
        raise DataError("all training pictures are in one group: it cannot be split", got=next(iter(groups)))
    return {part: entries for part, entries in parts.items() if part != "train"}


def _cut_several(pool: Sequence[Entry], shares: Mapping[str, float], seed: int) -> dict[str, list[Entry]]:
    """Pictures of several classes, those of the rarest first, each to the part that lacks the largest share of it.

    (Iterative stratification: Sechidis, Tsoumakas & Vlahavas, 2011; by shares and not by numbers, so that of three
    pictures each part gets one.)
    """
    wanted = {part: share for part, share in shares.items() if share} | {"train": 1 - sum(shares.values())}
    totals = _held(pool)
    missing = {part: {stratum: float(total) for stratum, total in totals.items()} for part in wanted}  # over its share
    parts: dict[str, list[Entry]] = {part: [] for part in wanted}
    waiting = sorted(pool, key=lambda entry: rank(seed, entry.id))
    while waiting:
        left = Counter(stratum for entry in waiting for stratum in _strata(entry))
        rarest = min(left, key=lambda stratum: (left[stratum], str(stratum)))
        for entry in [entry for entry in waiting if rarest in _strata(entry)]:
            others = [stratum for stratum in (*_strata(entry), "all") if stratum != rarest]

            lack = {
                part: (round(own[rarest], 6), sum(own[stratum] / totals[stratum] for stratum in others))
                for part, own in missing.items()
            }
            part = max(lack, key=lack.__getitem__)
            for stratum in (rarest, *others):
                missing[part][stratum] -= 1 / wanted[part]
            parts[part].append(entry)
        waiting = [entry for entry in waiting if rarest not in _strata(entry)]
    return {part: entries for part, entries in parts.items() if part != "train"}


def _held(entries: Sequence[Entry]) -> Counter[Hashable]:
    """Pictures by class, and all together under "all", so that parts come near their shares in both."""
    return Counter(stratum for entry in entries for stratum in _strata(entry)) + Counter(all=len(entries))


def _group_leaks(entries: Sequence[Entry]) -> list[str]:
    sides: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        if entry.group is not None and entry.split is not None:
            sides[entry.group].add(entry.split)
    torn = sorted(group for group, splits in sides.items() if len(splits) > 1)
    return [f"{len(torn)} groups are on more than one side of the given split: {', '.join(torn[:5])}"] if torn else []


def _absences(entries: Sequence[Entry], classes: Sequence[str]) -> list[str]:
    held: dict[str, set[Hashable]] = defaultdict(set)
    for entry in entries:
        held[entry.split or ""].update(_strata(entry))
    return [
        f"class {name!r} has no {'training' if split == 'train' else split} picture"
        for split in SPLITS
        if split in held and None not in held[split]
        for index, name in enumerate(classes)
        if index not in held[split]
    ]


def save_split(dataset: Dataset, path: str | Path) -> None:
    """Write `split.csv`: columns id and split, one row an entry. Raises `UnwrittenError`."""
    with whole_file(path) as file, io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("id", "split"))
        writer.writerows((entry.id, entry.split or "") for entry in dataset.entries)


def load_split(dataset: Dataset, path: str | Path) -> Dataset:
    """The data set with the splits that `save_split` wrote.

    Raises:
        DataError: the file is damaged, or its ids are not exactly those of the data set; both lists are named.
    """
    sides = _read_split(Path(path))
    ids = [entry.id for entry in dataset.entries]
    missing, unknown = [name for name in ids if name not in sides], sorted(sides.keys() - set(ids))
    if missing or unknown:
        raise DataError(
            "the split is not one of this data set",
            path=path,
            got=f"{len(missing)} pictures without a split ({_some(missing)}); "
            f"{len(unknown)} ids that are not in the data ({_some(unknown)})",
            fix="use the data that the split was made for, or make a new split",
        )
    return replace(dataset, entries=[replace(entry, split=sides[entry.id]) for entry in dataset.entries])


def _read_split(path: Path) -> dict[str, str | None]:
    sides: dict[str, str | None] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = next(rows, None)
            if header != ["id", "split"]:
                raise DataError("this is no split", path=path, line=1, got=header, allowed="columns id,split")
            for row in rows:
                if len(row) != 2 or row[1] not in (*SPLITS, "") or row[0] in sides:
                    allowed = f"id and one of {', '.join(SPLITS)}, each id once"
                    raise DataError("a row is wrong", path=path, line=rows.line_num, got=row, allowed=allowed)
                sides[row[0]] = row[1] or None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError("the split cannot be read", path=path, got=str(error)) from error
    return sides


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "") or "none"
