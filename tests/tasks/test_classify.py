"""The classification task: normalisation, losses and answers against torch's own."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from anmok.core.preparation import Preparation
from anmok.core.types import Batch
from anmok.data.augment import Augment
from anmok.engine.devices import PlainDevices
from anmok.tasks.classify import AUXILIARY_WEIGHT, Classify
from anmok.tasks.optimizers import build_optimizer, one_cycle
from anmok.tasks.recipe import Recipe

PREPARATION = Preparation(size=8, store=8, channels=3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
CLASSES = ("cat", "dog", "owl")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 3))


def batch(n: int = 5, extra: dict | None = None) -> Batch:
    generator = torch.Generator().manual_seed(1)
    pictures = torch.randint(0, 256, (n, 3, 8, 8), generator=generator, dtype=torch.uint8)
    return Batch(pictures, torch.arange(n) % 3, [f"{i}" for i in range(n)], extra or {})


def task(net: nn.Module | None = None, **recipe: object) -> Classify:
    chosen = Recipe("own", epochs=1, batch=4, **recipe)  # type: ignore[arg-type]
    return Classify(net or network(), CLASSES, PREPARATION, PlainDevices("float32"), chosen)


def normalised(pictures: torch.Tensor) -> torch.Tensor:
    mean, std = torch.tensor(PREPARATION.mean).view(3, 1, 1), torch.tensor(PREPARATION.std).view(3, 1, 1)
    return (pictures.float() / 255 - mean) / std


def test_pictures_are_normalised_as_the_preparation_says() -> None:
    pictures = batch().pictures
    assert torch.allclose(task().normalise(pictures), normalised(pictures), atol=1e-6)


def test_the_loss_is_smoothed_cross_entropy() -> None:
    net, given = network(), batch()
    expected = F.cross_entropy(net(normalised(given.pictures)), given.targets, label_smoothing=0.2)
    assert torch.allclose(task(net, label_smoothing=0.2).loss(given)["loss"], expected, atol=1e-5)


def test_mixed_pictures_have_mixed_losses() -> None:
    net, partner = network(), np.array([1, 2, 3, 4, 0])
    given = batch(extra={"partner": partner, "weight": 0.7})
    x = normalised(given.pictures)
    logits = net(0.7 * x + 0.3 * x[torch.from_numpy(partner)])
    other = given.targets[torch.from_numpy(partner)]
    expected = 0.7 * F.cross_entropy(logits, given.targets) + 0.3 * F.cross_entropy(logits, other)
    assert torch.allclose(task(net, label_smoothing=0.0).loss(given)["loss"], expected, atol=1e-5)


def test_side_classifiers_are_weighed_as_in_the_papers() -> None:
    class Sided(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.main, self.side = network(), network()

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.main(x), 2 * self.side(x)

    net, given = Sided(), batch()
    x = normalised(given.pictures)
    main, side = (F.cross_entropy(logits, given.targets, label_smoothing=0.1) for logits in net(x))
    assert torch.allclose(task(net).loss(given)["loss"], main + AUXILIARY_WEIGHT * side, atol=1e-5)


def test_predictions_are_sorted_probabilities_of_named_classes() -> None:
    found = list(task().predictions(batch(2), torch.tensor([[0.0, 2.0, 1.0], [3.0, 0.0, 0.0]])))
    assert found[0].labels == ("dog", "owl", "cat") and found[1].labels[0] == "cat"  # type: ignore[index]
    assert found[0].scores == pytest.approx(torch.tensor([2.0, 1.0, 0.0]).softmax(0).tolist())


def test_mirrored_answers_are_the_mean_over_both_sides() -> None:
    net, given = network(), batch()
    x = normalised(given.pictures)
    expected = (net(x) + net(x.flip(3))) / 2
    assert torch.allclose(task(net, mirror=True).logits(given), expected, atol=1e-5)


def test_asking_leaves_the_network_in_its_mode() -> None:
    made = task()
    made.network.train()
    list(made.answers([batch()]))
    assert made.network.training


def test_only_kernels_are_decayed() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    for name in ("sgd", "adamw", "muon"):
        optimizer = build_optimizer(net, Recipe("own", 1, 1, optimizer=name, weight_decay=0.01))
        decayed = {id(w) for g in optimizer.param_groups if g["weight_decay"] for w in g["params"]}
        assert decayed == {id(net[0].weight), id(net[3].weight)}
        assert {id(w) for g in optimizer.param_groups for w in g["params"]} == {id(w) for w in net.parameters()}


def test_one_cycle_rises_falls_and_ends_at_zero() -> None:
    factor = one_cycle(0.25)
    assert [factor(p) for p in (0.0, 0.125, 0.25, 0.625, 1.0)] == pytest.approx([0, 0.5, 1, 0.5, 0])


def test_a_recipe_survives_json() -> None:
    recipe = Recipe("small_resnet", 3, 8, augment=Augment(flip=True, shift=0.1))
    assert Recipe.from_json(recipe.to_json()) == recipe
