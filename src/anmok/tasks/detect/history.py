"""The history of detection: who is compared, and what each paper said of those before it.

The claims are the papers' own: He et al. 2014 (SPPnet: 24 to 102 times as fast as R-CNN, proposals aside, and as
accurate); Girshick 2015 (Fast R-CNN: trained 9 times as fast as R-CNN and 3 times as fast as SPPnet, and more
accurate); Ren et al. 2015 (Faster R-CNN: 0.2 s a picture with its proposals, where searching them alone took 1.5 s and
more, and more accurate); Redmon et al. 2016 (YOLO: 45 pictures a second where Faster R-CNN answers 7; 63.4 against
73.2 mAP).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from anmok.tasks.detect.timing import PARTS

CONTESTANTS = ("rcnn", "sppnet", "fast_rcnn", "faster_rcnn", "yolo_v1_small", "anchor_free")
SHARED = ("proposals",)  # stages whose work is done once for all: no paper counts it as training
CLOSE = 0.05  # mAP 50: as accurate

Row = Mapping[str, float]  # `map50`, `training` (seconds), and seconds a picture by part


class Claim(NamedTuple):
    """Something that a paper said of its detector beside an earlier one."""

    one: str
    other: str
    said: str
    holds: Callable[[Row, Row], bool]
    value: Callable[[Row], float]
    unit: str


def network_s(row: Row) -> float:
    """Seconds a picture without proposals."""
    return row["features"] + row["heads"]


def whole_s(row: Row) -> float:
    """Seconds a picture, proposals included."""
    return sum(row[part] for part in PARTS)


def _time(one: str, other: str, said: str, value: Callable[[Row], float]) -> Claim:
    return Claim(one, other, said, lambda a, b: value(a) < value(b), value, "s")


def _accuracy(one: str, other: str, said: str, holds: Callable[[float, float], bool]) -> Claim:
    return Claim(one, other, said, lambda a, b: holds(a["map50"], b["map50"]), lambda row: row["map50"], "mAP 50")


CLAIMS = (
    _time("sppnet", "rcnn", "answers faster than R-CNN, proposals aside", network_s),
    _accuracy("sppnet", "rcnn", "is as accurate as R-CNN", lambda a, b: abs(a - b) < CLOSE),
    _time("fast_rcnn", "rcnn", "answers faster than R-CNN, proposals aside", network_s),
    _time("fast_rcnn", "rcnn", "trains faster than R-CNN", lambda row: row["training"]),
    _time("fast_rcnn", "sppnet", "trains faster than SPPnet", lambda row: row["training"]),
    _accuracy("fast_rcnn", "rcnn", "is more accurate than R-CNN", lambda a, b: a > b),
    _accuracy("fast_rcnn", "sppnet", "is more accurate than SPPnet", lambda a, b: a > b),
    _time("faster_rcnn", "fast_rcnn", "answers faster than Fast R-CNN with its proposals", whole_s),
    _accuracy("faster_rcnn", "fast_rcnn", "is more accurate than Fast R-CNN", lambda a, b: a > b),
    _time("yolo_v1_small", "faster_rcnn", "answers faster than Faster R-CNN", whole_s),
    _accuracy("yolo_v1_small", "faster_rcnn", "is less accurate than Faster R-CNN", lambda a, b: a < b),
    _accuracy("anchor_free", "yolo_v1_small", "is more accurate than YOLO v1", lambda a, b: a > b),
    _accuracy("anchor_free", "faster_rcnn", "is more accurate than Faster R-CNN", lambda a, b: a > b),
    _time("anchor_free", "faster_rcnn", "answers faster than Faster R-CNN", whole_s),
)


def remarks(rows: Mapping[str, Row]) -> list[str]:
    """Which of the papers' claims hold for these measurements, a sentence each; of detectors by their bare names."""
    found = []
    for claim in CLAIMS:
        if claim.one in rows and claim.other in rows:
            one, other = rows[claim.one], rows[claim.other]
            verdict = "holds" if claim.holds(one, other) else "does not hold here"
            figures = f"{_told(claim, one)} against {_told(claim, other)}"
            found.append(f"{claim.one} {claim.said}: {verdict} ({figures}).")
    return found


def _told(claim: Claim, row: Row) -> str:
    value = claim.value(row)
    if claim.unit != "s":
        return f"{value:.1%} {claim.unit}"
    return f"{value / 60:.1f} min" if value >= 60 else f"{value:.1f} s" if value >= 1 else f"{1e3 * value:.3g} ms"
