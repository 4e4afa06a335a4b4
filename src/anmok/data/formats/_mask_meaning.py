"""What the values or colours of masks mean: which classes there are, which pixels are to be ignored, what fits nothing.

Asked in turn: files beside the masks that declare classes, VOC's colours, black and white, and at last the numbers by
themselves. 255 in masks of numbers is ignored, as VOC and Cityscapes have it, and so is a class called void.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anmok.core.errors import DataError
from anmok.core.targets import IGNORE, MOST_CLASSES, Masks
from anmok.data.formats._class_map import ClassLine, read_class_map
from anmok.data.formats._mask_looks import Looks, shown_colours
from anmok.data.formats._voc_colours import VOC_CLASSES, VOID, voc_colour
from anmok.data.mask_files import BinaryMasks, ColourMasks, ValueMasks
from anmok.data.walk import readable

BINARY = ("background", "foreground")
_IGNORED = frozenset({"void", "ignore", "ignored", "unlabeled", "unlabelled", "don't care", "dontcare", "border"})
_SOFT = 0.03  # share of pixels neither nearly black nor nearly white up to which masks are black and white
_NEARLY = 16  # levels from black or white
_INVENTED = 64  # colours that become classes of their own where nothing declares them
_ENOUGH = 0.5  # share of masks that a declaration must explain to be one of them


@dataclass
class Meaning:
    """`masks` reads them; `bad`: (values or colours that no class has) by mask; `used`: files that declared classes."""

    masks: Masks
    classes: tuple[str, ...]
    why: str
    bad: dict[str, list[str]] = field(default_factory=dict)
    used: tuple[str, ...] = ()
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Map:
    """Keys (values or colours) → class numbers, 255 for ignored ones."""

    classes: tuple[str, ...]
    numbers: Mapping[int, int]
    file: str | None = None


def decide(
    root: Path,
    looks: Looks,
    files: Sequence[str],
    *,
    instance_folders: tuple[str, str] | None = None,
    is_voc: bool = False,
) -> Meaning:
    """The meaning of masks that hold all classes of their picture.

    Args:
        root: where paths start.
        looks: what the masks hold.
        files: those that may declare classes.
        instance_folders: see `ValueMasks`.
        is_voc: the data is Pascal VOC's own, whose classes are known.

    Raises:
        DataError: the masks do not speak for themselves, and nothing declares what they mean.
    """
    declared = {path: read_class_map(root / path) for path in files}
    if looks.has_colours:
        return _by_colour(root, looks, declared, is_voc)
    values = looks.values
    if found := _black_and_white(root, looks, declared):
        return found
    if looks.lossy and len(values) > 2 * _NEARLY:
        raise _blurred(root, looks)
    seen = set(values)
    ignored = {IGNORE} if seen > {0, IGNORE} and min(seen - {0}) < 2 * _NEARLY else set()
    chosen, warnings = _declared_numbers(declared, looks, ignored)
    if chosen is None:
        kept = sorted(seen - ignored)
        if len(kept) > MOST_CLASSES:
            raise DataError(
                "masks hold too many different values to be classes", path=root, got=f"{len(kept):,}",
                allowed=f"{MOST_CLASSES}", fix="are these numbers of objects? Name masks of classes",
            )  # fmt: skip
        chosen = _Map(tuple(map(str, kept)), dict(zip(kept, range(len(kept)), strict=True)))
        if is_voc and kept[-1] < len(VOC_CLASSES):
            chosen = _Map(VOC_CLASSES, {number: number for number in range(len(VOC_CLASSES))})
    numbers = {**dict.fromkeys(ignored, IGNORE), **chosen.numbers}
    why = f"masks by value, classes {f'from {readable(chosen.file)}' if chosen.file else 'called by their numbers'}"
    why = "masks by value, VOC's classes" if chosen.classes is VOC_CLASSES else why
    why += f", {IGNORE} ignored" if IGNORE in numbers and numbers[IGNORE] == IGNORE and IGNORE in seen else ""
    return Meaning(
        ValueMasks(root, tuple(sorted(numbers.items())), instance_folders), chosen.classes, why,
        _unexplained(looks, numbers), (chosen.file,) if chosen.file else (), warnings,
    )  # fmt: skip


def _unexplained(looks: Looks, numbers: Mapping[int, int]) -> dict[str, list[str]]:
    found = {
        path: [f"{value} ({pixels:,} pixels)" for value, pixels in (look.values or {}).items() if value not in numbers]
        for path, look in looks.read.items()
    }
    return {path: told for path, told in found.items() if told}


def _declared_numbers(
    declared: Mapping[str, list[ClassLine]], looks: Looks, ignored: set[int]
) -> tuple[_Map | None, list[str]]:
    """The declaration that explains most masks; and a word about one that explains too few."""
    maps = [one for file, lines in declared.items() for one in _number_maps(file, lines, looks, ignored)]
    best = max(maps, key=lambda one: (_explained(looks, {*one.numbers, *ignored}), len(one.numbers)), default=None)
    if best is None:
        return None, []
    share = _explained(looks, {*best.numbers, *ignored})
    if share < _ENOUGH:
        return None, [
            f"{readable(best.file or '')} names {len(best.classes)} classes, which are not those of the masks"
        ]
    return best, []


def _explained(looks: Looks, known: set[int]) -> float:
    return sum(set(look.values or ()) <= known for look in looks.read.values()) / max(1, len(looks.read))


def _number_maps(file: str, lines: Sequence[ClassLine], looks: Looks, ignored: set[int]) -> Iterable[_Map]:
    """What a file may declare of values: its numbers; its places, with or without the background."""
    numbered = [(line.number, line.name) for line in lines if line.number is not None]
    if len(numbered) == len(lines) and lines and len(dict(numbered)) == len(lines):
        yield _map(file, sorted(numbered))
    highest = max(set(looks.values) - ignored, default=0)
    places = all(number in (None, place) for place, number in enumerate(line.number for line in lines))
    if places and len(lines) == highest and not any(line.name.lower() == BINARY[0] for line in lines):
        yield _map(file, [(0, BINARY[0]), *((place, line.name) for place, line in enumerate(lines, 1))])


def _map(file: str | None, told: Iterable[tuple[int, str]]) -> _Map:
    """Classes in the order told; those called void get no class but are ignored."""
    classes: list[str] = []
    numbers = {}
    for key, name in told:
        if name.lower().strip() in _IGNORED:
            numbers[key] = IGNORE
        else:
            numbers[key] = len(classes)
            classes.append(name)
    return _Map(tuple(classes), numbers, file)


def _black_and_white(root: Path, looks: Looks, declared: Mapping[str, list[ClassLine]]) -> Meaning | None:
    """Masks of nothing but black and white, perhaps blurred where they meet; None where there is more in them."""
    values = looks.values
    if set(values) <= {0, 1}:
        return _binary(root, declared, 1, "masks of 0 and 1")
    if set(values) <= {0, 255}:
        return _binary(root, declared, 255, "black-and-white masks")
    pixels, between = sum(values.values()), {v: n for v, n in values.items() if _NEARLY <= v <= 255 - _NEARLY}
    extremes = sum(n for v, n in values.items() if v > 255 - _NEARLY)
    blurred = looks.lossy > 0 or len(between) > _NEARLY  # numbers of classes have no such many values between
    if not blurred or not extremes or max(values) > 255 or sum(between.values()) > _SOFT * pixels:
        return None
    found = _binary(root, declared, 255, "black-and-white masks, white from 128 on")
    soft = sum(any(0 < value < 255 for value in look.values or ()) for look in looks.read.values())
    found.warnings.append(f"{soft:,} masks hold greys where black and white meet, as JPEG and resizing make them: "
                          "save masks as PNG, and resize them without interpolation")  # fmt: skip
    return found


def _binary(root: Path, declared: Mapping[str, list[ClassLine]], bright: int, why: str) -> Meaning:
    for file, lines in declared.items():
        names = [line.name for line in lines if line.name.lower() != BINARY[0]]
        if len(names) == 1 or (len(lines) == 2 and len(names) == 2):
            classes = (BINARY[0], names[0]) if len(names) == 1 else (names[0], names[1])
            return Meaning(BinaryMasks(root, bright), classes, f"{why}, classes from {readable(file)}", used=(file,))
    return Meaning(BinaryMasks(root, bright), BINARY, why)


def _by_colour(root: Path, looks: Looks, declared: Mapping[str, list[ClassLine]], is_voc: bool) -> Meaning:
    """Colour by a declared map, by VOC's, or each a class of its own."""
    maps = [
        _map(file, [(_code(line.colour), line.name) for line in lines if line.colour is not None])
        for file, lines in declared.items() if any(line.colour is not None for line in lines)
    ]  # fmt: skip
    ranked = sorted(maps, key=lambda one: -_coloured(looks, one.numbers))
    if ranked and _coloured(looks, ranked[0].numbers) >= _ENOUGH:
        best = ranked[0]
        return _coloured_meaning(root, looks, best, f"masks by colour, classes from {readable(best.file or '')}")
    known = {_code(voc_colour(number)): number for number in range(MOST_CLASSES)}
    seen = set(looks.colours) - {_code(VOID)}
    if seen <= set(known) and looks.lossy == 0:
        highest = max(known[code] for code in seen)
        names = VOC_CLASSES if is_voc and highest < len(VOC_CLASSES) else tuple(map(str, range(highest + 1)))
        numbers = {_code(voc_colour(number)): number for number in range(len(names))} | {_code(VOID): IGNORE}
        return _coloured_meaning(root, looks, _Map(names, numbers), "masks in VOC's colours")
    if ranked or looks.lossy or len(looks.colours) > _INVENTED:
        raise _undeclared(root, looks, ranked)
    codes = sorted(looks.colours)
    invented = _Map(tuple(f"#{code:06x}" for code in codes), dict(zip(codes, range(len(codes)), strict=True)))
    found = _coloured_meaning(root, looks, invented, "masks by colour, each a class")
    found.warnings.append("no file declares what the masks' colours mean: put a classes.csv of name,r,g,b beside them")
    return found


def _coloured_meaning(root: Path, looks: Looks, chosen: _Map, why: str) -> Meaning:
    pairs = tuple(((code >> 16, code >> 8 & 255, code & 255), number) for code, number in chosen.numbers.items())
    bad = {} if looks.lossy else {
        path: told for path, look in looks.read.items()
        if (told := [f"#{code:06x} ({pixels:,} pixels)" for code, pixels in shown_colours(look).items()
                     if code not in chosen.numbers])
    }  # fmt: skip
    return Meaning(ColourMasks(root, pairs), chosen.classes, why, bad, (chosen.file,) if chosen.file else ())


def _coloured(looks: Looks, numbers: Mapping[int, int]) -> float:
    """The share of masks (of pixels, where files are lossy) whose colours are all known."""
    if looks.lossy:
        seen = looks.colours
        return sum(pixels for code, pixels in seen.items() if code in numbers) / max(1, sum(seen.values()))
    return sum(set(shown_colours(look)) <= set(numbers) for look in looks.read.values()) / max(1, len(looks.read))


def _code(colour: Any) -> int:
    return (colour[0] << 16) | (colour[1] << 8) | colour[2]


def _blurred(root: Path, looks: Looks) -> DataError:
    return DataError(
        "the masks were compressed as JPEG: their values no longer are class numbers", path=root,
        got=f"{len(looks.values)} different values", allowed="PNG, where every value is as it was drawn",
        fix="export the masks again as PNG",
    )  # fmt: skip


def _undeclared(root: Path, looks: Looks, ranked: Sequence[_Map]) -> DataError:
    common = ", ".join(f"#{code:06x}" for code, _ in looks.colours.most_common(8))
    told = f"; {readable(ranked[0].file or '')} declares {len(ranked[0].numbers)} others" if ranked else ""
    return DataError(
        "nothing declares what the colours of the masks mean", path=root,
        got=f"{len(looks.colours):,} colours, the commonest {common}{told}",
        allowed="a small file beside the masks with a line of name, red, green, blue for each class",
        fix="write classes.csv" + (", and export the masks as PNG: JPEG changes colours" if looks.lossy else ""),
    )  # fmt: skip
