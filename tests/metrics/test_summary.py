import numpy as np
import pytest
import sklearn.metrics as sk
from scipy.stats import binomtest

from anmok.core.errors import UsageError
from anmok.metrics.bootstrap import bootstrap
from anmok.metrics.compare import mcnemar, paired_bootstrap
from anmok.metrics.confusion import confusion_matrix
from anmok.metrics.precision_recall import macro_f1
from anmok.metrics.summary import summarise

from .test_contract import answers


def test_every_figure_lies_in_its_interval():
    targets, scores = answers(300, missing=(4,))
    names = [f"class {number}" for number in range(7)]
    found = summarise(targets, scores, names, resamples=200)
    for name, interval in found.figures.items():
        assert interval.low <= interval.value <= interval.high, name
        assert interval.n == 300
    assert [row.name for row in found.classes] == names
    expected = sk.precision_recall_fscore_support(targets, scores.argmax(1), labels=range(7), zero_division=0)
    for place, row in enumerate(found.classes):
        assert row.pictures == expected[3][place]
        if row.pictures:
            got = [row.precision.value, row.recall.value, row.f1.value]
            np.testing.assert_allclose(got, [column[place] for column in expected[:3]])
    np.testing.assert_array_equal(found.confusion, sk.confusion_matrix(targets, scores.argmax(1), labels=range(7)))


def test_the_same_seed_gives_the_same_intervals():
    targets, scores = answers(100)
    first, second = (summarise(targets, scores, list("abcdefg"), seed=3, resamples=50) for _ in range(2))
    assert first.figures == second.figures


@pytest.mark.parametrize("perfect", [True, False])
def test_one_picture_and_one_class_are_survived(perfect):
    found = summarise([0], [[0.9, 0.1]] if perfect else [[0.1, 0.9]], ["a", "b"], resamples=20)
    accuracy = found.figures["accuracy"]
    assert accuracy.value == perfect and accuracy.high - accuracy.low > 0.9


def test_a_wrong_class_list_is_refused():
    with pytest.raises(UsageError, match="class list"):
        summarise([0], [[0.9, 0.1]], ["a", "b", "c"])


def test_confusion_refuses_foreign_ids():
    with pytest.raises(UsageError, match="0 to 2"):
        confusion_matrix([0, 3], [0, 1], 3)
    with pytest.raises(UsageError, match="differ in length"):
        confusion_matrix([0, 1], [0], 3)


def test_mcnemar_mid_p_is_the_exact_value_less_half_the_observed():
    for only_a, only_b in [(1, 5), (0, 8), (12, 3), (40, 60)]:
        n, fewer = only_a + only_b, min(only_a, only_b)
        exact = binomtest(fewer, n).pvalue
        observed = binomtest(fewer, n).pvalue - 2 * sum(_chance(n, k) for k in range(fewer))
        assert mcnemar(only_a, only_b) == pytest.approx(exact - observed / 2)
    assert mcnemar(0, 0) == 1


def _chance(n, k):
    from math import comb

    return comb(n, k) / 2**n


def test_a_paired_difference_of_any_metric():
    targets, scores = answers(400)
    worse = 0.5 * scores + 0.5 * scores[::-1]
    found = paired_bootstrap(macro_f1, targets, scores, worse, resamples=200)
    assert found.value == pytest.approx(macro_f1(targets, scores) - macro_f1(targets, worse))
    assert 0 < found.low < found.value < found.high
    same = paired_bootstrap(macro_f1, targets, scores, scores, resamples=50)
    assert same.low == same.high == 0


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(UsageError, match="one row a picture"):
        bootstrap(lambda a, b: 0.0, [1, 2], [1, 2, 3])
