"""The losses of both games, worked out by hand for players that are easy to follow; and the papers' settings."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from anmok.core.errors import UsageError
from anmok.core.preparation import Preparation
from anmok.core.types import Batch
from anmok.engine.devices import PlainDevices
from anmok.networks import build
from anmok.tasks.normalise import Normalise
from anmok.tasks.translate.cyclegan import CycleGame
from anmok.tasks.translate.learning import Translate
from anmok.tasks.translate.pix2pix import PairGame
from anmok.tasks.translate.recipe import TranslateRecipe, choose_recipe

SIDE = 24
PREPARATION = Preparation(SIDE, SIDE, 3)
WHITE, BLACK = (torch.full((2, 3, SIDE, SIDE), level, dtype=torch.uint8) for level in (255, 0))
BATCH = Batch(WHITE, BLACK, ["a", "b"])  # A is +1 throughout, B is −1


class Player(nn.Module):
    """A player that does one known thing; its one weight changes nothing."""

    def __init__(self, does: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.does, self.idle = does, nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.does(x) + self.idle


def mean(x: Tensor) -> Tensor:
    return x.mean((1, 2, 3))


def values(losses) -> dict[str, float]:
    return {name: value.item() for name, value in losses.items()}


@pytest.fixture
def cycle() -> CycleGame:
    network = build("cyclegan", num_classes=None, width=4, blocks=1, layers=2)
    network.generator_ab, network.generator_ba = Player(lambda x: x - 1), Player(lambda x: x / 2)
    network.discriminator_a, network.discriminator_b = Player(mean), Player(mean)
    return CycleGame(network, TranslateRecipe("cyclegan", 1, 2), Normalise(PREPARATION))


def test_cyclegans_generators(cycle: CycleGame) -> None:
    # fake B = 1 − 1 = 0, judged 0: (0 − 1)² = 1; fake A = −1/2, judged −1/2: 2.25
    # A again = 0/2, off by 1; B again = −1/2 − 1, off by 1/2
    # B as B = −2, off by 1; A as A = 1/2, off by 1/2
    found = values(cycle.translate(BATCH))
    assert found == pytest.approx({"game": 3.25, "cycle": 1.5, "identity": 1.5, "loss": 3.25 + 10 * 1.5 + 5 * 1.5})


def test_without_identity_nothing_else_changes(cycle: CycleGame) -> None:
    cycle.recipe = cycle.recipe.but(identity=0.0)
    assert values(cycle.translate(BATCH)) == pytest.approx({"game": 3.25, "cycle": 1.5, "loss": 18.25})


def test_cyclegans_judges_see_what_was_drawn_in_the_same_step(cycle: CycleGame) -> None:
    cycle.translate(BATCH)
    # of A: ½ ((1 − 1)² + (−1/2)²); of B: ½ ((−1 − 1)² + 0²)
    assert values(cycle.judge(BATCH)) == pytest.approx({"a": 0.125, "b": 2.0, "loss": 2.125})


def test_pools_hand_out_earlier_pictures_and_survive(cycle: CycleGame) -> None:
    for _ in range(30):
        cycle.translate(BATCH)
        cycle.judge(BATCH)
    state = cycle.state()
    assert {name: len(kept["pictures"]) for name, kept in state.items()} == {"a": 50, "b": 50}
    other = CycleGame(cycle.network, cycle.recipe, cycle.normalise)
    other.load_state(state)
    new = torch.randn(8, 3, SIDE, SIDE)
    for name in ("a", "b"):
        assert torch.equal(cycle.pools[name].swap(new), other.pools[name].swap(new))
        assert cycle.pools[name].met == other.pools[name].met == 68


def test_pix2pixs_generator_and_judge() -> None:
    network = build("pix2pix", num_classes=None, width=4, layers=2, input_size=16)
    network.generator = Player(lambda x: 0 * x)
    network.discriminator = Player(lambda x: 0 * mean(x))
    game = PairGame(network, TranslateRecipe("pix2pix", 1, 2, game="non-saturating"), Normalise(PREPARATION))
    found = values(game.translate(BATCH))  # the partner is −1, the answer 0: an error of 1, weighed 100
    assert found == pytest.approx({"game": math.log(2), "error": 1.0, "loss": math.log(2) + 100})
    assert values(game.judge(BATCH)) == pytest.approx({"loss": 2 * math.log(2) / 2})


def test_large_pictures_are_learned_as_the_papers_did() -> None:
    recipe = choose_recipe(1000, 256, "cyclegan", {})
    assert (recipe.blocks, recipe.width, recipe.layers, recipe.batch, recipe.pool) == (9, 64, 3, 1, 50)
    assert (recipe.learning_rate, recipe.cycle, recipe.identity, recipe.epochs) == (2e-4, 10, 0.5, 200)
    assert recipe.game == "least-squares" and recipe.augment.flip
    assert [recipe.schedule(at) for at in (0, 0.5, 0.75, 1)] == [1, 1, 0.5, 0]
    assert choose_recipe(1000, 128, "cyclegan", {}).blocks == 6
    pairs = choose_recipe(400, 256, "pix2pix", {})
    assert (pairs.game, pairs.likeness, pairs.pool, pairs.epochs) == ("non-saturating", 100, 0, 200)


def test_optimizers_are_the_papers() -> None:
    network = build("cyclegan", num_classes=None, width=4, blocks=1, layers=2)
    phases = CycleGame(network, choose_recipe(1000, 256, "cyclegan", {}), Normalise(PREPARATION)).phases()
    assert [phase.name for phase in phases] == ["generators", "judges"]
    for phase in phases:
        group = phase.optimizer.param_groups[0]
        assert (group["lr"], group["betas"], group["weight_decay"]) == (2e-4, (0.5, 0.999), 0)
    learned = {id(weight) for phase in phases for group in phase.optimizer.param_groups for weight in group["params"]}
    assert learned == {id(weight) for weight in network.parameters()}


@pytest.mark.parametrize(("into", "way"), [(None, "ab"), ("night", "ab"), ("B", "ab"), ("a", "ba"), ("Day", "ba")])
def test_ways_by_name(into: str | None, way: str) -> None:
    model = _model("cyclegan", blocks=1)
    assert model.way_into(into) == way


def test_a_way_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="one way only"):
        _model("pix2pix", input_size=16).way_into("A")
    with pytest.raises(UsageError, match="day, night"):
        _model("cyclegan", blocks=1).way_into("dusk")


def _model(name: str, **arguments) -> Translate:
    network = build(name, num_classes=None, width=4, layers=2, **arguments)
    recipe = TranslateRecipe(name, 1, 1)
    return Translate(network, PREPARATION, PlainDevices("float32"), recipe, ("day", "night"))


@pytest.mark.parametrize("level", [-1.0, 0.3])
def test_a_plain_picture_stays_plain_whatever_computes(level: float) -> None:
    """Rounding, divided by √ε layer after layer, would become a picture, and another one on every machine."""
    torch.manual_seed(0)
    generator = build("cyclegan", num_classes=None, width=4, blocks=2, layers=2).generator_ab.eval()
    for weight in generator.parameters():
        weight.data.mul_(5)
    plain, real = torch.full((1, 3, SIDE, SIDE), level), torch.rand(1, 3, SIDE, SIDE) * 2 - 1
    with torch.no_grad():
        answers = [
            generator.to(kind)(x.to(kind)).float() for kind in (torch.float32, torch.float64) for x in (plain, real)
        ]
        assert (answers[0] - answers[2]).abs().max() < 1e-4 and answers[0].std() < 1e-4
        assert (answers[1] - answers[3]).abs().max() < 1e-4 and answers[1].std() > 0.01
        generator.train()  # torch's own normalisation
        assert (generator(real.double()).float() - answers[3]).abs().max() < 1e-4
