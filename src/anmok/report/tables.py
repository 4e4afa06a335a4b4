"""Predictions as tables: for the eye, and as CSV, JSON lines and Parquet for other programs.

Files are written as the predictions arrive, some rows at a time, to a temporary file beside the target that takes its
name when all is written: a reader never meets half a table, and a million predictions need no more memory than a few.

Columns: `id`, `label`, `score`, then `label_2`, `score_2` … up to `top`, `sure` (false: below the run's threshold, read
it as "I don't know"; empty: the run has none), and `error`: why there is no answer.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from anmok.core.errors import UsageError
from anmok.core.files import whole_file
from anmok.core.types import Prediction
from anmok.report.label_tables import flat_rows, joined, nested_row, told

ROWS_AT_ONCE = 4096  # rows of a Parquet row group, held in memory together

UNSURE = "I don't know"

Row = dict[str, Any]


def columns(top: int = 1) -> list[str]:
    """Names of the columns for the `top` likeliest classes.

    >>> columns(2)
    ['id', 'label', 'score', 'label_2', 'score_2', 'sure', 'error']
    """
    if top < 1:
        raise UsageError("at least one class is written a picture", got=top, allowed="1 or more")
    more = [f"{name}_{place}" for place in range(2, top + 1) for name in ("label", "score")]
    return ["id", "label", "score", *more, "sure", "error"]


def rows(predictions: Iterable[Prediction], top: int = 1, several: bool = False) -> Iterator[Row]:
    """One row a prediction, with every column of `columns(top)`; what is not known is None.

    `several`: answers may name several classes, see `anmok.report.label_tables`.

    >>> next(rows([Prediction("a.jpg", ("cat", "dog"), (0.9, 0.1))]))
    {'id': 'a.jpg', 'label': 'cat', 'score': 0.9, 'sure': None, 'error': None}
    """
    if several:
        yield from map(nested_row, predictions)
        return
    names = columns(top)
    for prediction in predictions:
        row: Row = dict.fromkeys(names)
        row["id"], row["sure"], row["error"] = prediction.id, prediction.sure, prediction.error
        for place, (label, score) in enumerate(_likeliest(prediction, top), start=1):
            end = "" if place == 1 else f"_{place}"
            row[f"label{end}"], row[f"score{end}"] = label, float(score)
        yield row


def terminal_rows(predictions: Iterable[Prediction], top: int = 1) -> Iterator[list[str]]:
    """Rows of short texts for a table on the screen: id, then `label 97.3 %` for each class, or the error.

    Where the run is not sure, its best guess stands in brackets behind "I don't know".

    >>> list(terminal_rows([Prediction("a.jpg", ("cat",), (0.973,)), Prediction("b.jpg", error="is empty")]))
    [['a.jpg', 'cat 97.3 %'], ['b.jpg', 'is empty']]
    """
    for prediction in predictions:
        if prediction.error is not None:
            yield [prediction.id, prediction.error, *[""] * (top - 1)]
            continue
        if prediction.found is not None:
            yield [prediction.id, told(prediction), *[""] * (top - 1)]
            continue
        cells = [f"{label} {100 * score:.1f} %" for label, score in _likeliest(prediction, top)]
        if prediction.sure is False and cells:
            cells[0] = f"{UNSURE} ({cells[0]})"
        yield [prediction.id, *cells, *[""] * (top - len(cells))]


def _likeliest(prediction: Prediction, top: int) -> list[tuple[str, float]]:
    labels, scores = prediction.labels or (), prediction.scores or ()
    return list(zip(labels, scores, strict=True))[:top]


def write_csv(path: str | Path, predictions: Iterable[Prediction], top: int = 1, several: bool = False) -> int:
    """Write CSV (UTF-8, comma, one heading line; RFC 4180 quoting); returns the number of rows."""
    names, found = flat_rows(predictions) if several else (columns(top), rows(predictions, top))
    with whole_file(path) as file, io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        count = 0
        for row in found:
            if several:
                row["labels"] = joined(row["labels"])
            writer.writerow({name: _cell(value) for name, value in row.items()})
            count += 1
    return count


def write_json_lines(path: str | Path, predictions: Iterable[Prediction], top: int = 1, several: bool = False) -> int:
    """Write one JSON object a line (UTF-8); returns the number of rows."""
    with whole_file(path) as file, io.TextIOWrapper(file, encoding="utf-8", newline="\n") as text:
        count = 0
        for row in rows(predictions, top, several):
            plain = {name: encodable(value) for name, value in row.items()}
            text.write(json.dumps(plain, ensure_ascii=False, allow_nan=False) + "\n")
            count += 1
    return count


def write_parquet(path: str | Path, predictions: Iterable[Prediction], top: int = 1, several: bool = False) -> int:
    """Write Parquet (text columns, lists of labels, float64 scores, zstd); returns the number of rows."""
    import pyarrow as pa

    names, found = flat_rows(predictions) if several else (columns(top), rows(predictions, top))
    kinds_of = {"sure": pa.bool_(), "labels": pa.list_(pa.string())}
    kinds_of |= {name: pa.float64() for name in names if name.startswith("score")}
    kinds = [(name, kinds_of.get(name, pa.string())) for name in names]
    return save_parquet(path, pa.schema(kinds), found)


def save_parquet(path: str | Path, schema: Any, found: Iterator[dict[str, Any]]) -> int:
    """Write rows as they come, whole or not at all; returns their number. `schema`: of pyarrow."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = 0
    with whole_file(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while group := list(itertools.islice(found, ROWS_AT_ONCE)):
            plain = [{name: encodable(value) for name, value in row.items()} for row in group]
            writer.write_table(pa.Table.from_pylist(plain, schema))
            count += len(group)
    return count


WRITERS: dict[str, Callable[..., int]] = {
    ".csv": write_csv,
    ".jsonl": write_json_lines,
    ".ndjson": write_json_lines,
    ".parquet": write_parquet,
}


def write_predictions(path: str | Path, predictions: Iterable[Prediction], top: int = 1, several: bool = False) -> int:
    """Write predictions in the format that the file's ending names: .csv, .jsonl, .ndjson or .parquet.

    Args:
        top: classes a picture.
        several: answers may name several classes; then all found are written, whatever `top`.

    Returns:
        The number of rows.

    Raises:
        UsageError: another ending.
        UnwrittenError: the file cannot be written; nothing is then left behind, and an older file stays as it was.
    """
    writer = WRITERS.get(Path(path).suffix.lower())
    if writer is None:
        raise UsageError("the ending names no table format", path=path, got=repr(Path(path).suffix),
                         allowed=", ".join(WRITERS))  # fmt: skip
    return writer(path, predictions, top, several)


def encodable(value: Any) -> Any:
    """File names that are no UTF-8 reach Python as lone surrogates, which no table can hold: shown as \\udcXX."""
    if isinstance(value, dict):
        return {encodable(name): part for name, part in value.items()}
    if isinstance(value, list):
        return [encodable(part) for part in value]
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _cell(value: Any) -> Any:
    """As CSV holds it: true and false as other programs write them."""
    return str(value).lower() if isinstance(value, bool) else encodable(value)


def heading(top: int = 1) -> Sequence[str]:
    """The headings that go with `terminal_rows`.

    >>> heading(2)
    ['picture', 'answer', 'second']
    """
    names = ["answer", "second", "third", *(f"{place}th" for place in range(4, top + 1))]
    return ["picture", *names[:top]]
