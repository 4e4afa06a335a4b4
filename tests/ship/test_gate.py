from dataclasses import replace

import numpy as np
import pytest

from anmok.core.errors import ParityError
from anmok.core.types import Prediction
from anmok.ship.gate import compare


def answer(name="a.jpg", cat=0.7, sure=None):
    return Prediction(name, ("cat", "dog") if cat >= 0.5 else ("dog", "cat"), (max(cat, 1 - cat), min(cat, 1 - cat)),
                      sure=sure)  # fmt: skip


def test_equal_answers_hold():
    answers = [answer(), answer("b.jpg", 0.2), Prediction("c.jpg", error="is empty")]
    found = compare(answers, answers)
    assert found.holds and (found.pictures, found.refused, found.largest) == (2, 1, 0.0)
    found.demand("it", "nothing")


def test_nothing_compared_is_nothing_shown():
    with pytest.raises(ParityError):
        compare([], []).demand("it", "pictures")
    refused = [Prediction("c.jpg", error="is empty")]
    assert not compare(refused, refused).holds


def test_probabilities_and_decisions_are_judged_apart():
    found = compare([answer(cat=0.7)], [answer(cat=0.69)], tolerance=1e-3)
    assert not found.holds and not found.different and found.largest == pytest.approx(0.01)
    found = compare([answer(cat=0.7)], [answer(cat=0.3)], tolerance=0.5, share=0.5)
    assert found.different == ("a.jpg",)
    with pytest.raises(ParityError, match=r"1 decisions differ \(a\.jpg\)"):
        found.demand("it", "again")


def test_a_permuted_class_list_is_a_difference():
    """The same numbers in the same places under other names."""
    one = answer(cat=0.7)
    other = replace(one, labels=("dog", "cat"))
    assert compare([one], [other]).different == ("a.jpg",)
    assert compare([one], [replace(one, labels=("cat", "elk"))]).different == ("a.jpg",)


def test_a_tie_may_fall_either_way_and_no_further():
    tied = compare([answer(cat=0.50004)], [answer(cat=0.49996)])
    assert tied.holds
    apart = compare([answer(cat=0.52)], [answer(cat=0.48)], tolerance=1e-3)
    assert apart.different


def test_being_sure_is_a_decision():
    assert compare([answer(cat=0.7, sure=True)], [answer(cat=0.7, sure=False)]).different  # another threshold
    assert compare([answer(cat=0.7, sure=True)], [answer(cat=0.7, sure=None)]).different
    assert compare([answer(cat=0.7000001, sure=True)], [answer(cat=0.7, sure=False)]).holds  # on the threshold
    assert compare([answer(cat=0.7, sure=True)], [answer(cat=0.7000001, sure=False)]).different  # no threshold does so


def test_answering_or_refusing_is_a_decision():
    assert compare([answer()], [Prediction("a.jpg", error="no")]).different == ("a.jpg",)


@pytest.mark.parametrize("others", [[], [answer("b.jpg")], [answer(), answer("b.jpg")]])
def test_other_pictures_are_no_comparison(others):
    with pytest.raises(ParityError, match="same pictures"):
        compare([answer()], others)


def test_a_share_of_decisions_may_be_allowed():
    expected = [answer(f"{n}.jpg", 0.7) for n in range(200)]
    found = [answer(f"{n}.jpg", 0.3 if n == 5 else 0.7) for n in range(200)]
    assert compare(expected, found, tolerance=1.0, share=0.995).holds
    assert compare(expected, found, tolerance=1.0, share=0.995).agreement == pytest.approx(0.995)
    assert not compare(expected, found, tolerance=1.0, share=0.996).holds


def test_nan_never_passes():
    broken = Prediction("a.jpg", ("cat", "dog"), (float("nan"), float("nan")))
    found = compare([answer()], [broken])
    assert not found.holds and found.largest == np.inf


def test_pixels_are_decisions_where_that_is_asked_for():
    """Two maps of 2,000 pixels: three differ in the first, none in the second, so 0.75 in a thousand."""
    mask = np.zeros((40, 50), np.int64)
    three = mask.copy()
    three[0, :3] = 1
    expected = [Prediction("a", mask=mask), Prediction("b", mask=mask)]
    found = [Prediction("a", mask=three), Prediction("b", mask=mask)]
    assert not compare(expected, found, tolerance=1.0).holds
    told = compare(expected, found, tolerance=1.0, share=0.5, by_pixel=True)
    assert told.holds and told.agreement == pytest.approx(1 - 3 / 4000) and told.different == ("a",)
    assert "0.075%" in told.sentence
    five = mask.copy()
    five[0, :5] = 1
    wrong = [Prediction("a", mask=five), Prediction("b", mask=mask)]
    assert not compare(expected, wrong, tolerance=1.0, share=0.5, by_pixel=True).holds
    refused = [Prediction("a", error="torn"), Prediction("b", mask=mask)]
    assert not compare(expected, refused, tolerance=1.0, share=0.5, by_pixel=True).holds


def test_masks_and_pictures():
    mask = np.zeros((40, 50), np.int64)
    one_pixel, corner = mask.copy(), mask.copy()
    one_pixel[3, 3], corner[:10, :10] = 1, 1
    assert compare([Prediction("a", mask=mask)], [Prediction("a", mask=one_pixel)]).holds
    found = compare([Prediction("a", mask=mask)], [Prediction("a", mask=corner)])
    assert found.different and found.largest == pytest.approx(100 / 2000)
    assert compare([Prediction("a", mask=mask)], [Prediction("a", mask=mask.T)]).different
    picture = np.full((4, 4, 3), 100, np.uint8)
    assert compare([Prediction("a", picture=picture)], [Prediction("a", picture=picture + 1)]).holds
    assert compare([Prediction("a", picture=picture)], [Prediction("a", picture=picture + 2)]).different
    few, one = np.full((50, 50, 3), 100, np.uint8), np.zeros((50, 50, 3), np.uint8)
    one[3, 3, 0] = 1  # what enlarging overshoots is allowed at single places, two levels at most
    assert compare([Prediction("a", picture=few)], [Prediction("a", picture=few + 2 * one)]).holds
    assert compare([Prediction("a", picture=few)], [Prediction("a", picture=few + 3 * one)]).different
