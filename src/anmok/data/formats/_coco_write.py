"""Writing COCO: one JSON a part, ids from 1, numbers with as few digits as give back the same boxes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from anmok.core.regions import Polygons, Region, RunLengths
from anmok.data.formats._box_text import corner, start_and_extent
from anmok.data.formats._outgoing import Outgoing, Page

KEPT = frozenset({"crowd", "difficult", "regions", "areas"})


def write(outgoing: Outgoing) -> frozenset[str]:
    """Pictures in `images/<part>`, labels in `annotations/instances_<part>.json`; which marks are kept."""
    categories = [{"id": number, "name": name} for number, name in enumerate(outgoing.classes, 1)]
    for split in outgoing.splits:
        folder = f"images/{split}" if split else "images"
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for page in outgoing.pages(split):
            height, width = page.size
            path = outgoing.picture(page, folder)
            images.append({"id": len(images) + 1, "file_name": path.removeprefix("images/"),
                           "width": width, "height": height})  # fmt: skip
            annotations += _annotations(page, len(images), len(annotations))
        told = {"images": images, "annotations": annotations, "categories": categories}
        name = f"instances_{split}" if split else "instances"
        outgoing.text(f"annotations/{name}.json", json.dumps(told, ensure_ascii=False))
    return KEPT


def _annotations(page: Page, image: int, before: int) -> list[dict[str, Any]]:
    objects, told = page.objects, []
    for place, (label, box) in enumerate(zip(objects.labels.tolist(), objects.boxes, strict=True)):
        (x, width), (y, height) = start_and_extent(box[0], box[2]), start_and_extent(box[1], box[3])
        region = objects.regions[place] if objects.regions is not None else None
        area = objects.areas[place] if objects.areas is not None else _area(region, width * height)
        annotation = {
            "id": before + place + 1, "image_id": image, "category_id": label + 1, "bbox": [x, y, width, height],
            "area": corner(area), "iscrowd": int(objects.crowd is not None and objects.crowd[place]),
            "segmentation": [] if region is None else _segmentation(region),
        }  # fmt: skip
        if objects.difficult is not None and objects.difficult[place]:
            annotation["difficult"] = 1
        told.append(annotation)
    return told


def _area(region: Region | None, of_box: float) -> float:
    if isinstance(region, RunLengths):
        return float(region.counts[1::2].sum())
    return of_box if region is None else float(region.draw(tuple(np.ceil(region.box()[[3, 2]]).astype(int))).sum())


def _segmentation(region: Region) -> Any:
    if isinstance(region, RunLengths):
        return {"size": list(region.size), "counts": region.to_text()}
    assert isinstance(region, Polygons)
    return [[corner(value) for value in ring.ravel()] for ring in region.rings]
