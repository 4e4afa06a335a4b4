import pytest
import torch

from anmok.core.errors import UsageError
from anmok.losses.cross_entropy import cross_entropy
from anmok.losses.dice import dice
from anmok.losses.focal import focal
from anmok.losses.weighted_sum import parse_sum, weighted_sum


def test_the_sum_and_its_parts():
    logits, targets = torch.randn(2, 3, 4, 4, requires_grad=True), torch.randint(0, 3, (2, 4, 4))
    targets[0, 0] = 255
    found = weighted_sum({"cross_entropy": 1.0, "dice": 0.5, "focal": 2.0}, logits, targets, ignore=255)
    parts = [loss(logits, targets, ignore=255) for loss in (cross_entropy, dice, focal)]
    assert list(found) == ["loss", "cross_entropy", "dice", "focal"]
    torch.testing.assert_close(found["loss"], parts[0] + 0.5 * parts[1] + 2 * parts[2])
    found["loss"].backward()
    assert (logits.grad != 0).any()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("cross_entropy", {"cross_entropy": 1.0}),
        ("cross_entropy+dice", {"cross_entropy": 1.0, "dice": 1.0}),
        (" 2 focal + .25*dice ", {"focal": 2.0, "dice": 0.25}),
        ("1.5 * dice", {"dice": 1.5}),
    ],
)
def test_sums_in_words(text, parts):
    assert parse_sum(text) == parts


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names with weights"),
        ("dice +", "names with weights"),
        ("-1 dice", "names with weights"),
        ("dice + dice", "twice"),
        ("dise", "Try: 'dice'"),
    ],
)
def test_sums_that_do_not_read(text, says):
    with pytest.raises(UsageError, match=says):
        parse_sum(text)


def test_an_empty_sum():
    with pytest.raises(UsageError, match="needs one"):
        weighted_sum({}, torch.zeros(1, 2), torch.zeros(1).long())
