"""`anmok predict MODEL.anmok PICTURES…`: the one command that a shipped model needs, on the standard library alone.

Its flags are those of `anmok.verbs.settings.PredictSettings` that a shipped model understands, named and explained
alike (a test holds them together); neither the parser nor the settings of the other commands are imported, which would
take longer than the first answer.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NoReturn

import anmok
from anmok.core.errors import UsageError
from anmok.core.types import Prediction
from anmok.report import tables
from anmok.verbs.shipped import BATCH, ask_shipped

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
    made.add_argument("--batch", type=_count, default=BATCH, help="Pictures at once.")
    made.add_argument("--engine", help="onnxruntime or openvino; default: the first that is installed.")
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


def predict(arguments: Sequence[str]) -> int:
    """Answer, printing each answer as it comes. Exit code 1 where some pictures could not be read."""
    from anmok.ship.runtime import load_model

    asked = parser().parse_intermixed_args(list(arguments))
    silent = asked.quiet or asked.json
    model = load_model(asked.model, asked.engine)
    tally = _Tally()
    answers = tally.counted(
        ask_shipped(
            model, asked.pictures, batch=asked.batch, top=asked.top, threshold=asked.reject_below,
            say=(lambda _: None) if silent else _note,
        )
    )  # fmt: skip
    if asked.to is not None:
        _write(asked.to, answers, asked.top)
    elif asked.json:
        for row in tables.rows(answers, asked.top):
            print(json.dumps(row, ensure_ascii=False, default=str), flush=True)
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


def _write(path: Path, answers: Iterable[Prediction], top: int) -> None:
    try:
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
