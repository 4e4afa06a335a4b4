"""Losses and validation figures against torch and torchmetrics; what explanations ask."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.classification import MulticlassJaccardIndex

from anmok.core.errors import UsageError
from anmok.core.types import Batch
from anmok.losses.border_weights import border_weights
from anmok.tasks.segment.learning import AUXILIARY_WEIGHT
from anmok.tasks.segment.scoring import RegionScores, region_of
from tests.tasks.segment.pointwise import CLASSES, ByColour, model


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def batch(n: int = 3, side: int = 16) -> Batch:
    generator = torch.Generator().manual_seed(1)
    pictures = torch.randint(0, 256, (n, 3, side, side), generator=generator, dtype=torch.uint8)
    targets = torch.randint(0, 4, (n, side, side), generator=generator)
    targets[:, :2] = 255
    return Batch(pictures, targets, [f"{i}" for i in range(n)])


def test_cross_entropy_is_torchs_with_the_unjudged_left_out() -> None:
    given, net = batch(), Small()
    expected = F.cross_entropy(net(given.pictures.float() / 255), given.targets, ignore_index=255)
    found = model(net=net, loss="cross_entropy").loss(given)
    assert set(found) == {"loss"} and torch.allclose(found["loss"], expected, atol=1e-5)


def test_a_sum_of_losses_logs_its_parts() -> None:
    found = model(net=Small(), loss="cross_entropy + 0.5 dice").loss(batch())
    assert torch.allclose(found["loss"], found["cross_entropy"] + 0.5 * found["dice"])


def test_side_outputs_count_as_torchvision_trained_them() -> None:
    class Sided(Small):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.net(x), 2 * self.net(x)

    given, net = batch(), Sided()
    x = given.pictures.float() / 255
    main, side = (F.cross_entropy(logits, given.targets, ignore_index=255) for logits in net(x))
    found = model(net=net, loss="cross_entropy").loss(given)["loss"]
    assert torch.allclose(found, main + AUXILIARY_WEIGHT * side, atol=1e-5)


def test_gaps_between_objects_weigh_more() -> None:
    given, net = batch(1), Small()
    objects = np.zeros((1, 16, 16), np.int32)
    objects[0, :, :6], objects[0, :, 9:] = 1, 2
    weighed = Batch(given.pictures, given.targets, given.ids, {"instances": objects})
    logits = net(given.pictures.float() / 255)
    losses = F.cross_entropy(logits, given.targets, ignore_index=255, reduction="none")
    expected = (losses * torch.from_numpy(border_weights(objects[0], w0=10))).sum() / (given.targets != 255).sum()
    found = model(net=net, loss="cross_entropy", border_weight=10.0).loss(weighed)["loss"]
    assert torch.allclose(found, expected, rtol=1e-4)


def test_validation_figures_are_torchmetrics() -> None:
    class Batches:
        def __len__(self) -> int:
            return 2

        def epoch(self, epoch: int, start: int = 0):
            return iter([batch(2), batch(3)])

    net = Small()
    one = model(net=net)
    one.val = Batches()
    found = one.evaluate()
    net.requires_grad_(False)
    judge = MulticlassJaccardIndex(4, ignore_index=255)
    logits = [net(given.pictures.float() / 255) for given in Batches().epoch(0)]
    targets = [given.targets for given in Batches().epoch(0)]
    for answer, truth in zip(logits, targets, strict=True):
        judge.update(answer.argmax(1), truth)
    pixels = torch.cat([x.movedim(1, -1).reshape(-1, 4) for x in logits]), torch.cat([t.flatten() for t in targets])
    assert found["val_mean_iou"] == pytest.approx(float(judge.compute()), abs=1e-6)
    assert found["val_cross_entropy"] == pytest.approx(float(F.cross_entropy(*pixels, ignore_index=255)), rel=1e-5)
    known = pixels[1] != 255
    assert found["val_pixel_accuracy"] == pytest.approx(float((pixels[0].argmax(1) == pixels[1])[known].float().mean()))


def test_mirrored_answers_are_the_mean_over_both_sides() -> None:
    net, given = Small(), batch()
    x = given.pictures.float() / 255
    expected = (net(x).softmax(1) + net(x.flip(3)).softmax(1).flip(3)) / 2
    assert torch.allclose(model(net=net, mirror=True).probabilities(given.pictures), expected, atol=1e-5)


def test_scores_of_a_region_are_its_mean_probabilities_and_have_gradients() -> None:
    net, x = Small(), torch.rand(2, 3, 12, 12, requires_grad=True)
    region = region_of(net(x[:1]).softmax(1)[0], target=2)
    scores = RegionScores(net, region)(x)
    expected = net(x).softmax(1)[:, :, region].mean(2)
    assert torch.allclose(scores.softmax(1), expected, atol=1e-5)
    scores[0, 2].backward()
    assert x.grad is not None and x.grad[0].abs().sum() > 0 and x.grad[1].abs().sum() == 0


def test_what_is_explained_is_the_largest_thing_that_is_no_background() -> None:
    pictures = torch.zeros(3, 8, 8)
    pictures[1, :3, :3], pictures[2, 5:] = 1.0, 1.0
    one = model(8, net=ByColour())
    scorer, target = one.to_explain(pictures, None)
    assert target == CLASSES.index("blue") and bool(scorer.region[5:].all()) and not scorer.region[:5].any()
    assert one.to_explain(pictures, 2)[0].region.sum() == 9
    absent = one.to_explain(pictures, 1)[0].region
    assert absent.sum() > 0, "a class that is nowhere answered is explained where it is likeliest"


def test_a_sum_that_does_not_read_is_refused() -> None:
    with pytest.raises(UsageError, match="dice"):
        model(loss="cross_entropy + dicee")
