import itertools
import math
import re

import pytest

from anmok.report.chart import HEIGHT, WIDTH, line_chart, ticks
from anmok.report.content import Chart, Series


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.83, 0.94), (-3, 7), (1e-7, 3e-7), (0, 123456), (99.99, 100)])
def test_ticks_are_round_and_inside(low, high):
    found = ticks(low, high)
    assert 2 <= len(found) <= 7
    assert all(low - 1e-12 <= value <= high + 1e-12 for value in found)
    steps = {round((b - a) / (high - low), 6) for a, b in itertools.pairwise(found)}
    assert len(steps) == 1


@pytest.mark.parametrize(
    "values",
    [[1.0], [0.0, 0.0], [1e-300, 1e300], [math.nan, 2.0, math.nan], [math.inf, 1.0], [-5.0, 5.0], [1.0, 1.0, 1.0]],
)
@pytest.mark.parametrize("kind", ["share", "number"])
@pytest.mark.parametrize("log", [False, True])
def test_any_values_stay_inside_the_drawing(values, kind, log):
    svg = line_chart(Chart("t", [Series("s", range(len(values)), values)], kind=kind, log=log))
    places = re.findall(r'class="line s0" d="([^"]*)"', svg)
    for x, y in re.findall(r"[ML](\S+?) (\S+?)(?=[ML]|$)", "".join(places)):
        assert 0 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT
    assert "nan" not in svg and "inf" not in svg.replace("info", "")


def test_no_finite_value_no_chart():
    assert line_chart(Chart("t", [Series("s", [1, 2], [math.nan, math.nan])])) == ""


def test_long_series_are_thinned_but_keep_their_ends():
    svg = line_chart(Chart("t", [Series("s", range(100_000), [float(i) for i in range(100_000)])]))
    assert len(svg) < 20_000


def test_a_gap_breaks_the_line_and_a_lonely_point_is_a_dot():
    svg = line_chart(Chart("t", [Series("s", [0, 1, 2, 3, 4], [1, 2, math.nan, 3, math.nan])]))
    path = re.search(r'class="line s0" d="([^"]*)"', svg)[1]
    assert path.count("M") == 2 and path.count("L") == 1
    assert svg.count("<circle") == 1
