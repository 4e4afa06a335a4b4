"""Writing Pascal VOC: pixels counted from 1, both corners inside, decimals only where boxes have them."""

from __future__ import annotations

import posixpath
from xml.sax.saxutils import escape

from anmok.data.formats._box_text import corner, from_one, plain
from anmok.data.formats._outgoing import Outgoing, Page

KEPT = frozenset({"crowd", "difficult"})


def write(outgoing: Outgoing) -> frozenset[str]:
    """`JPEGImages`, `Annotations`, `ImageSets/Main`, and `classes.txt` with their order; marks kept."""
    lists: dict[str | None, list[str]] = {}
    for page in outgoing.pages(everything=True):
        outgoing.picture(page, "JPEGImages")
        stem = posixpath.splitext(page.name)[0]
        outgoing.text(f"Annotations/{stem}.xml", _annotation(page, outgoing.classes))
        lists.setdefault(page.entry.split, []).append(stem)
    for split, stems in lists.items() if set(lists) != {None} else ():
        outgoing.text(f"ImageSets/Main/{split or 'trainval'}.txt", "".join(f"{stem}\n" for stem in stems))
    outgoing.text("classes.txt", "".join(f"{name}\n" for name in outgoing.classes))
    return KEPT


def _annotation(page: Page, classes: tuple[str, ...]) -> str:
    height, width = page.size
    lines = [
        "<annotation>", "  <folder>JPEGImages</folder>", f"  <filename>{escape(page.name)}</filename>",
        f"  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>", "  <segmented>0</segmented>",
    ]  # fmt: skip
    objects = page.objects
    for place, (label, box) in enumerate(zip(objects.labels.tolist(), objects.boxes, strict=True)):
        told = {"xmin": from_one(box[0]), "ymin": from_one(box[1]), "xmax": corner(box[2]), "ymax": corner(box[3])}
        corners = "".join(f"<{name}>{plain(value)}</{name}>" for name, value in told.items())
        crowd = objects.crowd is not None and objects.crowd[place]
        difficult = objects.difficult is not None and objects.difficult[place]
        lines += [
            "  <object>", f"    <name>{escape(classes[label])}</name>", f"    <difficult>{int(difficult)}</difficult>",
            *(["    <iscrowd>1</iscrowd>"] if crowd else []), f"    <bndbox>{corners}</bndbox>", "  </object>",
        ]  # fmt: skip
    return "\n".join([*lines, "</annotation>", ""])
