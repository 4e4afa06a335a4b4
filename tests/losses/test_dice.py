import pytest
import torch
from torchmetrics.functional.classification import multiclass_f1_score

from anmok.core.errors import UsageError
from anmok.losses import LOSSES
from anmok.losses.dice import dice


def drawn(classes=4, shape=(2, 6, 5), seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape[0], classes, *shape[1:], generator=generator)
    return logits, torch.randint(0, classes, shape, generator=generator)


def by_hand(logits, targets, ignore=None):
    p, values = logits.softmax(1), []
    for number in range(p.shape[1]):
        above = below = there = 0.0
        for n, y, x in torch.cartesian_prod(*(torch.arange(size) for size in targets.shape)):
            truth = targets[n, y, x]
            if truth == ignore:
                continue
            own = float(truth == number)
            there += own
            above += 2 * float(p[n, number, y, x]) * own
            below += float(p[n, number, y, x]) + own
        if there:
            values.append(1 - above / below)
    return sum(values) / len(values)


def test_it_is_registered():
    assert LOSSES["dice"] is dice


@pytest.mark.parametrize("ignore", [None, 2, 255])
def test_by_hand(ignore):
    logits, targets = drawn()
    if ignore == 255:
        targets[1, 2:4] = 255
    assert float(dice(logits, targets, ignore=ignore)) == pytest.approx(by_hand(logits, targets, ignore), abs=1e-5)


def test_sure_answers_give_the_f1_of_pixels():
    """At probabilities 0 and 1 soft Dice is Dice, which is F1 (torchmetrics)."""
    logits, targets = drawn()
    answers = logits.argmax(1)
    sure = torch.nn.functional.one_hot(answers, 4).movedim(-1, 1) * 100.0
    expected = 1 - multiclass_f1_score(answers, targets, 4, average="macro")
    torch.testing.assert_close(dice(sure, targets), expected, atol=1e-5, rtol=0)


def test_right_is_zero_and_wrong_is_one():
    _, targets = drawn()
    right = torch.nn.functional.one_hot(targets, 4).movedim(-1, 1) * 100.0
    assert float(dice(right, targets)) == pytest.approx(0, abs=1e-5)
    assert float(dice(right.roll(1, dims=1), targets)) == pytest.approx(1, abs=1e-5)


def test_classes_that_are_not_there_are_left_out_and_still_cost():
    targets = torch.zeros(1, 4, 4, dtype=torch.long)
    nearly = torch.zeros(1, 3, 4, 4)
    nearly[:, 0] = 3.0
    worse = nearly.clone()
    worse[:, 2] = 3.0  # half of the probability goes to a class that is not there
    assert float(dice(nearly, targets)) == pytest.approx(by_hand(nearly, targets), abs=1e-5)
    assert float(dice(worse, targets)) > float(dice(nearly, targets)) + 0.1


def test_nothing_to_judge_costs_nothing():
    logits, targets = drawn()
    logits.requires_grad_()
    loss = dice(logits, torch.full_like(targets, 255), ignore=255)
    loss.backward()
    assert loss == 0 and (logits.grad == 0).all()


def test_weights_of_classes_weigh_the_mean():
    logits, targets = drawn()
    one = torch.tensor([0.0, 1, 0, 0])
    alone = logits.softmax(1)[:, 1]
    truth = (targets == 1).float()
    expected = 1 - 2 * (alone * truth).sum() / (alone.sum() + truth.sum())
    torch.testing.assert_close(dice(logits, targets, weight=one), expected, atol=1e-5, rtol=0)


def test_weights_of_places_count_a_pixel_twice():
    logits, targets = drawn(shape=(1, 3, 4))
    factor = torch.ones(1, 3, 4)
    factor[..., 0] = 2
    twice = [torch.cat([x, x[..., :1]], -1) for x in (logits, targets)]
    torch.testing.assert_close(dice(logits, targets, place_weight=factor), dice(*twice))


def test_low_precision_is_summed_in_float32():
    logits, targets = drawn(shape=(2, 64, 64))
    assert dice(logits.bfloat16(), targets).dtype == torch.float32
    torch.testing.assert_close(dice(logits.bfloat16(), targets), dice(logits.bfloat16().float(), targets))


def test_slopes_are_right():
    logits, targets = drawn(shape=(1, 3, 2))
    targets[0, 0, 0] = 255
    exact = logits.double().requires_grad_()
    # dice works in float32; a slope from differences needs a coarse step
    loss = dice(exact, targets, ignore=255)
    (slope,) = torch.autograd.grad(loss, exact)
    step = torch.zeros_like(exact)
    step[0, 1, 1, 1] = 1e-2
    exact = exact.detach()
    measured = (dice(exact + step, targets, ignore=255) - dice(exact - step, targets, ignore=255)) / 2e-2
    assert float(slope[0, 1, 1, 1]) == pytest.approx(float(measured), abs=2e-4)
    assert (slope[0, :, 0, 0] == 0).all()


def test_shapes_that_do_not_fit():
    logits, targets = drawn()
    with pytest.raises(UsageError, match=r"\(2, 6, 5\)"):
        dice(logits, targets[:1])
