"""Writing YOLO: shares of the picture's sides with as many digits as give back the same boxes."""

from __future__ import annotations

import itertools
import posixpath

import numpy as np
import yaml

from anmok.core.regions import Polygons, Region
from anmok.core.targets import Objects
from anmok.data.formats._box_text import centre_and_share, joined, plain, short
from anmok.data.formats._outgoing import Outgoing, Page


def write(outgoing: Outgoing) -> frozenset[str]:
    """`images/<part>`, `labels/<part>` and `data.yaml`; which marks are kept.

    Outlines are written where all objects have one, for segmentation or where no box says more than its outline.
    """
    targets: list[Objects] = [entry.target for entry in outgoing.dataset.entries]
    outlines = all(_has_outlines(target) for target in targets) and (
        outgoing.outlined or all(_boxes_follow(target) for target in targets)
    )
    for split in outgoing.splits:
        for page in outgoing.pages(split):
            path = outgoing.picture(page, f"images/{split}" if split else "images")
            text = "".join(f"{line}\n" for line in _lines(page, outlines))
            outgoing.text(f"labels/{posixpath.splitext(path.removeprefix('images/'))[0]}.txt", text)
    told = {"path": "."} | {split: f"images/{split}" for split in outgoing.splits if split}
    told |= {"nc": len(outgoing.classes), "names": list(outgoing.classes)}  # type: ignore[dict-item]
    outgoing.text("data.yaml", yaml.safe_dump(told, allow_unicode=True, sort_keys=False))
    return frozenset({"regions"} if outlines else ())


def _has_outlines(target: Objects) -> bool:
    crowd = target.crowd if target.crowd is not None else np.zeros(len(target), bool)
    regions = target.regions or (None,) * len(target)
    return all(skip or _is_one_ring(region) for region, skip in zip(regions, crowd, strict=True))


def _is_one_ring(region: Region | None) -> bool:
    """Whether a single ring holds the same pixels: of several, only if they do not overlap."""
    if not isinstance(region, Polygons) or len(region.rings) == 1:
        return isinstance(region, Polygons)
    right, bottom = np.ceil(region.box()[2:]).astype(int)
    one = Polygons((joined(region.rings),))
    return np.array_equal(one.draw((bottom, right)), region.draw((bottom, right)))


def _boxes_follow(target: Objects) -> bool:
    pairs = zip(target.regions or (), target.boxes, strict=False)
    return all(region is None or np.abs(region.box() - box).max() < 1e-3 for region, box in pairs)


def _lines(page: Page, outlines: bool) -> list[str]:
    height, width = page.size
    lines, objects = [], page.objects
    for place, (label, box) in enumerate(zip(objects.labels.tolist(), objects.boxes, strict=True)):
        if objects.crowd is not None and objects.crowd[place]:
            continue
        region = objects.regions[place] if outlines and objects.regions is not None else None
        if isinstance(region, Polygons):
            sides = zip(joined(region.rings).ravel(), itertools.cycle((width, height)), strict=False)
            shares = [_share(value, side) for value, side in sides]
        else:
            (x, w), (y, h) = centre_and_share(box[0], box[2], width), centre_and_share(box[1], box[3], height)
            shares = [x, y, w, h]
        lines.append(" ".join([str(label), *map(plain, shares)]))
    return lines


def _share(value: float, side: int) -> float:
    return short(float(value) / side, lambda told: np.float32(np.float32(told) * side) == np.float32(value))
