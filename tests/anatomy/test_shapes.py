"""A sheet's shapes, by hand: the same places in the SVG and in the PNG, which two different writers make."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from anmok.anatomy.shapes import POINTS, Circle, Sheet, Text, Way
from anmok.core.errors import UsageError

DOTS = 150  # an inch of a PNG


def drawn() -> Sheet:
    """Two inches high: a red square 1 inch up, a green disc over its corner, a blue line below."""
    sheet = Sheet(4, 2)
    sheet.rectangle(1, 1, 0.5, 0.5, "#ff0000")
    sheet.shapes.append(Circle(1.5, 1.5, 0.2, "#00ff00", "#00ff00", 0.5))
    sheet.line((0.5, 0.5), (3.5, 0.5), "#0000ff", 7.2)
    return sheet


def elements(sheet: Sheet) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(sheet.svg())
    assert root.get("viewBox") == f"0 0 {sheet.width * POINTS:g} {sheet.height * POINTS:g}"
    ground, *others = root
    assert ground.get("width") == f"{sheet.width * POINTS:g}"
    return others


def test_places_count_from_the_lower_left_corner_in_inches():
    square, disc, line = elements(drawn())
    assert square.get("d") == "M72 72 L108 72 L108 36 L72 36Z"
    assert (disc.get("cx"), disc.get("cy"), disc.get("r")) == ("108", "36", "14.4")
    assert (line.get("d"), line.get("fill"), line.get("stroke-width")) == ("M36 108 L252 108", "none", "7.2")


def test_a_png_shows_the_same_and_later_shapes_cover_earlier_ones(tmp_path):
    pixels = np.asarray(Image.open(drawn().save(tmp_path / "a.png")).convert("RGB"))
    assert pixels.shape == (2 * DOTS, 4 * DOTS, 3)

    def at(x: float, y: float) -> list[int]:
        return pixels[round((2 - y) * DOTS), round(x * DOTS)].tolist()

    assert at(1.2, 1.2) == [255, 0, 0] and at(1.45, 1.45) == [0, 255, 0] and at(1.6, 1.6) == [0, 255, 0]
    assert at(2, 0.53) == at(2, 0.47) == [0, 0, 255]  # a tenth of an inch wide
    assert at(2, 0.57) == at(0.4, 0.5) == at(3, 1.5) == [255, 255, 255]


def test_curves_tell_their_letter_once():
    (way,) = elements(Sheet(1, 1, [Way([(0, 0), (0, 1), (1, 1), (1, 0), (1, 0.5)], "MCCCL", None, "#000000", 1, 0.25)]))
    assert way.get("d") == "M0 72 C0 0 72 0 72 72 L72 36"
    assert way.get("opacity") == "0.25"


def test_curves_after_each_other():
    points = [(0.0, 0.0), *[(0.5, 0.5)] * 6]
    (way,) = elements(Sheet(1, 1, [Way(points, "MCCCCCC", None, "#000000", 1)]))
    assert re.sub(r"[^A-Z]", "", str(way.get("d"))) == "MCC"


@pytest.mark.parametrize(("up", "below"), [("top", 0.76), ("middle", 0.36), ("bottom", -0.24)])
def test_words_hang_from_where_they_are_asked_for(up, below):
    (words,) = elements(Sheet(2, 2, [Text(1, 1, "a < b & 고양이", 10, "#123456", "right", up, bold=True)]))
    assert words.text == "a < b & 고양이"
    assert float(words.get("y")) == pytest.approx(72 + 10 * below)
    assert (words.get("text-anchor"), words.get("font-weight")) == ("end", "bold")


def test_upright_words_end_where_they_are_asked_for(tmp_path):
    sheet = Sheet(1, 2, [Text(0.5, 1.5, "upright", 12, "#000000", upright=True)])
    (words,) = elements(sheet)
    assert words.get("transform") == f"rotate(-90 {words.get('x')} {words.get('y')})"
    dark = np.argwhere(np.asarray(Image.open(sheet.save(tmp_path / "a.png")).convert("L")) < 128)
    top, left, foot, right = *dark.min(0), *dark.max(0)
    assert top == pytest.approx(0.5 * DOTS, abs=3) and foot > 0.8 * DOTS
    assert (left + right) / 2 == pytest.approx(0.5 * DOTS, abs=4)


def test_a_notebook_shows_it():
    assert drawn()._repr_svg_() == drawn().svg()


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(UsageError, match="PNG or SVG"):
        drawn().save(tmp_path / "a.jpg")
