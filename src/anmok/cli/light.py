"""`anmok predict` where torch is not needed: shipped models, and what was made ready on this machine.

On the standard library alone. Its flags are those of `anmok.verbs.settings.PredictSettings` that make sense without
torch, named and explained alike (a test holds them together); neither the parser nor the settings of the other commands
are imported, which would take longer than the first answer.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NoReturn

import anmok
from anmok.cli import SHIPPED
from anmok.core.errors import UsageError
from anmok.core.types import Pictures, Prediction
from anmok.report import box_tables, tables
from anmok.ship.runtime import load_model
from anmok.verbs.places import Answer, answers_for
from anmok.verbs.prepared import find, of_file, settled
from anmok.verbs.shipped import shipped_answers

_TASKS = ("classify", "detect", "reconstruct")  # whose answers are tables
_FIRST = 16  # rows that decide how wide the table's first columns are


def parser() -> argparse.ArgumentParser:
    """The command's flags."""
    made = _Parser(prog="anmok predict", allow_abbrev=False, description="Answer for pictures: files, folders, globs.")
    made.add_argument("model", help="A shipped model, as anmok export wrote it.")
    made.add_argument("pictures", nargs="+", help="Files, folders and globs.")
    made.add_argument("--top", type=_count, default=1, help="Answers a picture.")
    made.add_argument("--to", type=Path, help="Write to this file: .csv, .jsonl or .parquet; default: a table.")
    made.add_argument(
        "--reject-below", type=_share,
        help="Certainty below which the answer is \"I don't know\"; default: the run's own; 0: never.",
    )  # fmt: skip
    made.add_argument("--batch", type=_count, default=32, help="Pictures at once.")
    made.add_argument("--engine", help="What computes; default: the fastest here whose answers are the same.")
    made.add_argument("--json", action="store_true", help="Print the result as JSON.")
    made.add_argument("--quiet", action="store_true", help="Print nothing but the result.")
    return made


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message[:1].lower() + message[1:], fix=f"{self.prog} --help")


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or more")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return share


def predict(arguments: Sequence[str]) -> int | None:
    """Answer, printing each answer as it comes. Exit code 1 where some pictures could not be read.

    Returns:
        None where a run or network is asked that was not made ready to answer without torch, or with other flags.
    """
    asks_shipped = any(word.endswith(SHIPPED) for word in arguments)
    try:
        asked = parser().parse_intermixed_args(list(arguments))
    except UsageError:
        if asks_shipped:
            raise
        return None
    found = _answerer(asked)
    return None if found is None else _answer(asked, *found)


def _answerer(asked: argparse.Namespace) -> tuple[Answer, str] | None:
    """Who answers, and for which task, if it can be done here."""
    settings = {"batch": asked.batch, "top": asked.top, "threshold": asked.reject_below}
    if asked.to is not None and asked.to.suffix.lower() not in tables.WRITERS:
        return None  # a folder of class maps, boxes as JSON: the tasks write these
    if asked.engine is not None:
        if not asked.model.endswith(SHIPPED):
            return None
        model = load_model(asked.model, asked.engine)
        return partial(shipped_answers, model, **settings), model.manifest.task
    found = of_file(asked.model) if asked.model.endswith(SHIPPED) else find(asked.model)
    if found is None or found.needs_torch or found.task not in _TASKS:
        return None
    say = (lambda _: None) if asked.quiet or asked.json else _note

    def answer(pictures: Pictures, locators: Sequence[str | int], names: Sequence[str]) -> Iterator[Prediction]:
        ready = settled(found, pictures, locators, say)
        return ready.answers(pictures, locators, names, **settings)

    return answer, found.task


def _answer(asked: argparse.Namespace, answer: Answer, task: str) -> int:
    silent = asked.quiet or asked.json
    tally = _Tally()
    answers = tally.counted(answers_for(asked.pictures, answer, (lambda _: None) if silent else _note))
    boxes = task == "detect"
    if asked.to is not None:
        _write(asked.to, answers, None if boxes else asked.top)
    elif asked.json:
        for row in box_tables.picture_rows(answers) if boxes else tables.rows(answers, asked.top):
            print(json.dumps(row, ensure_ascii=False, default=str), flush=True)
    elif boxes:
        _print(box_tables.HEADING, box_tables.terminal_rows(answers, asked.top))
    else:
        _print(tables.heading(asked.top), tables.terminal_rows(answers, asked.top))
    if not asked.quiet:
        tally.report()
    return 1 if tally.failed else 0


def explain(arguments: Sequence[str], missing: ModuleNotFoundError) -> int:
    """What this installation can do, where it is the small one."""
    if list(arguments) == ["--version"]:
        print(anmok.__version__)
        return 0
    usage = "anmok predict MODEL.anmok PICTURES… (anmok predict --help lists its flags)"
    if not arguments or arguments[0] in ("--help", "-h"):
        print(f"Usage: {usage}\nEvery other command needs the whole of anmok: pip install anmok")
        return 0
    if list(arguments) in (["predict", "--help"], ["predict", "-h"]):
        parser().print_help()
        return 0
    raise UsageError("this installation answers with shipped models only", got=f"no module {missing.name!r}",
                     allowed=usage, fix="pip install anmok")  # fmt: skip


class _Tally:
    """Counts answers on their way."""

    seen = failed = unsure = 0

    def counted(self, answers: Iterable[Prediction]) -> Iterator[Prediction]:
        for answer in answers:
            self.seen += 1
            self.failed += answer.error is not None
            self.unsure += answer.sure is False
            yield answer

    def report(self) -> None:
        if self.unsure:
            _note(f'"I don\'t know" for {self.unsure} of {self.seen}: the run is too unsure')
        if self.failed:
            _note(f"{self.failed} of {self.seen} could not be answered")


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _write(path: Path, answers: Iterable[Prediction], top: int | None) -> None:
    """`top`: classes a picture; None: boxes are written."""
    try:
        if top is None:
            box_tables.write_boxes(path, answers)
        else:
            tables.write_predictions(path, answers, top)
    except ModuleNotFoundError as error:
        raise UsageError(f"{path.suffix} tables need {error.name}, which is not installed", path=path,
                         allowed=".csv, .jsonl", fix=f"pip install {error.name}") from error  # fmt: skip


def _print(heading: Sequence[str], rows: Iterator[list[str]]) -> None:
    """A plain table whose rows appear as they come; the first few decide the widths."""
    first = list(islice(rows, _FIRST))
    widths = [max(len(row[place]) for row in [heading, *first]) for place in range(len(heading))]
    for row in ([*heading], *first):
        _print_row(row, widths)
    for row in rows:
        _print_row(row, widths)


def _print_row(row: Sequence[str], widths: Sequence[int]) -> None:
    cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
    print("  ".join(cells).rstrip().encode("utf-8", "backslashreplace").decode(), flush=True)
