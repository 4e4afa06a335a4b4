"""What a report can hold: plain data, every part optional. A part that is missing is left out of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

# A picture is a uint8 array (H, W), (H, W, 1) or (H, W, 3), or the bytes of a PNG or JPEG file.
Picture = np.ndarray | bytes


@dataclass(frozen=True)
class Figure:
    """One headline figure. `low`, `high`: its 95 % interval, where known. `kind`: a share is shown as per cent."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    kind: Literal["share", "number"] = "share"
    note: str = ""


@dataclass(frozen=True)
class SetAside:
    """One item set aside while reading the data."""

    path: str
    reason: str
    fix: str = ""
    line: int | None = None


@dataclass(frozen=True)
class Data:
    """What the pictures are.

    `counts`: class name → split name → pictures. `samples`: class name → some of its pictures. `facts`: e.g. format,
    folder, fingerprint, sizes. `warnings`: what should be looked at.
    """

    counts: Mapping[str, Mapping[str, int]]
    facts: Mapping[str, str] = field(default_factory=dict)
    quarantined: Sequence[SetAside] = ()
    warnings: Sequence[str] = ()
    samples: Mapping[str, Sequence[Picture]] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """One line of a chart: `y[i]` at `x[i]`. NaN leaves a gap."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Chart:
    """Lines over a common axis. `mark`: an x value worth a vertical line (the best epoch), and its label."""

    title: str
    series: Sequence[Series]
    x_label: str = "epoch"
    kind: Literal["share", "number"] = "number"
    log: bool = False
    mark: tuple[float, str] | None = None


@dataclass(frozen=True)
class Shown:
    """One answered picture: truth, answer and its score in [0, 1], and the explanation over it where there is one."""

    picture: Picture
    id: str
    answer: str
    score: float
    truth: str | None = None
    overlay: Picture | None = None
    note: str = ""


@dataclass(frozen=True)
class Confusion:
    """Rows are the truth, columns the answers. `pictures`: (row, column) → pictures of that cell.

    `counted`: what the numbers count; of anything but pictures there are so many that cells show shares of the row.
    """

    classes: Sequence[str]
    counts: np.ndarray
    pictures: Mapping[tuple[int, int], Sequence[Shown]] = field(default_factory=dict)
    counted: str = "pictures"


@dataclass(frozen=True)
class ClassLine:
    """One class's figures, each as (value, low, high) in [0, 1]."""

    name: str
    pictures: int
    precision: tuple[float, float, float]
    recall: tuple[float, float, float]
    f1: tuple[float, float, float]


@dataclass(frozen=True)
class GroupLine:
    """One group's accuracy (a video, a patient, a folder), as (value, low, high) in [0, 1]."""

    name: str
    pictures: int
    accuracy: tuple[float, float, float]


@dataclass(frozen=True)
class Calibration:
    """Reliability bins (see `anmok.metrics.calibration`): certainty, accuracy and pictures of each bin, in [0, 1].

    `error`: the expected calibration error. `temperature`: fitted on validation, and `error_before` it. `rejection`:
    below which certainty the run says "I don't know", and what that buys, in words. `limit`: why the temperature is no
    better, in words.
    """

    confidence: Sequence[float]
    accuracy: Sequence[float]
    count: Sequence[int]
    error: float
    temperature: float | None = None
    error_before: float | None = None
    rejection: str = ""
    limit: str = ""


@dataclass(frozen=True)
class Views:
    """One picture in several views side by side, each with its caption: the picture, the truth, the answer …"""

    id: str
    views: Sequence[tuple[str, Picture]]
    note: str = ""


@dataclass(frozen=True)
class Grid:
    """A table of plain values. A triple (value, low, high) in [0, 1] is a share with its interval.

    `drawn`: the column whose intervals are drawn as bars beside the table, or None.
    """

    heading: Sequence[str]
    rows: Sequence[Sequence[str | float | tuple[float, float, float]]]
    caption: str = ""
    drawn: int | None = None


@dataclass(frozen=True)
class Chapter:
    """A section of a task's own: in the page's order words, tables, pictures.

    `key`: letters, for links. `colours`: what each colour in the pictures stands for, uint8 RGB.
    """

    key: str
    title: str
    hint: str = ""
    grids: Sequence[Grid] = ()
    colours: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    pictures: Sequence[Views] = ()


@dataclass(frozen=True)
class Network:
    """The network as rows of plain values (`name`, `kind`, `output`, `parameters`, `macs`, `field`, … in any order).

    `drawing`: an SVG file's text. It is shown as a picture, so nothing in it can run.
    """

    name: str
    rows: Sequence[Mapping[str, Any]] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    drawing: str | None = None


@dataclass(frozen=True)
class Repeat:
    """How to do it again: the command, and what it depends on (seed, versions, fingerprint, machine)."""

    command: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportContent:
    """Everything a report shows. Only the title is required."""

    title: str
    summary: str = ""
    created: str = ""
    warnings: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    data: Data | None = None
    training: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    sheet: Picture | None = None  # what augmentation does: originals at the left, what training saw beside them
    curves: Sequence[Chart] = ()
    chapters: Sequence[Chapter] = ()
    confusion: Confusion | None = None
    classes: Sequence[ClassLine] = ()
    groups: Sequence[GroupLine] = ()
    calibration: Calibration | None = None
    mistakes: Sequence[Shown] = ()
    doubtful: Sequence[Shown] = ()
    network: Network | None = None
    repeat: Repeat | None = None
