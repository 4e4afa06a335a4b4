import dataclasses

import numpy as np
import pytest
import torch
import torchvision
from scipy.stats import spearmanr

from anmok.explain import EXPLAINERS, Explanation
from anmok.explain.verdict import judge, randomised, rank_correlation
from anmok.explain.weights import learned_structure

from .conftest import small_network

EVERY = pytest.mark.parametrize("name", list(EXPLAINERS))
QUICK = {"randomisations": 2, "steps": 8, "orders": 19}


def verdict(network, picture, name, explanation=None, **more):
    explanation = explanation or EXPLAINERS[name](network, picture)
    return judge(network, picture, EXPLAINERS[name], explanation, **QUICK | more)


@EVERY
def test_maps_of_a_network_that_learned_are_trusted(name, planted):
    judged = [verdict(planted.network, picture, name) for picture in planted.pictures[:3]]
    assert all(found.trusted for found in judged), [found.sentence for found in judged]
    assert all(found.insertion > found.deletion for found in judged)


@EVERY
def test_maps_of_random_networks_are_flagged(name, planted):
    for seed in range(3):
        found = verdict(small_network(seed=seed + 5).eval(), planted.pictures[seed], name)
        assert not found.trusted and "noise" in found.sentence and "do not trust" in found.sentence


@EVERY
def test_randomised_copies_of_a_trained_network_are_flagged(name, planted):
    found = verdict(randomised(planted.network, seed=1), planted.pictures[0], name)
    assert not found.trusted and "noise" in found.sentence


def edges(network, picture, target=None, **_):
    """An "explanation" that never asks the network."""
    heat = picture.abs().sum(0).numpy()
    score = float(network(picture[None]).softmax(1)[0, target])
    return Explanation(heat / heat.max(), target, score, "edges", "brightness", float(heat.max()))


def test_a_map_that_ignores_the_weights_is_flagged(planted):
    picture, target = planted.pictures[0], int(planted.classes[0])
    with torch.no_grad():
        found = judge(planted.network, picture, edges, edges(planted.network, picture, target), **QUICK)
    assert found.same_after_randomising == pytest.approx(1)
    assert not found.trusted and "does not depend on the weights" in found.sentence


def test_a_misplaced_map_is_flagged(planted):
    picture = planted.pictures[0]
    right = EXPLAINERS["class_activation"](planted.network, picture)
    wrong = dataclasses.replace(right, heat=np.roll(right.heat, (12, 12), axis=(0, 1)))
    found = verdict(planted.network, picture, "class_activation", wrong)
    assert not found.trusted and "misplaced" in found.sentence
    assert found.beaten_by > verdict(planted.network, picture, "class_activation", right).beaten_by


def test_an_empty_picture_leaves_nothing_to_explain(planted):
    found = verdict(planted.network, torch.zeros(1, 24, 24), "occlusion")
    assert not found.trusted


def test_the_same_seed_gives_the_same_verdict(planted):
    first, second = (verdict(planted.network, planted.pictures[0], "class_activation", seed=7) for _ in range(2))
    assert first == second


def test_randomising_keeps_the_original_and_the_spread(planted):
    before = planted.network[0].weight.clone()
    copied = randomised(planted.network, 0)
    assert torch.equal(planted.network[0].weight, before)
    assert not torch.allclose(copied[4].weight, planted.network[4].weight)
    assert float(copied[4].weight.detach().std()) == pytest.approx(
        float(planted.network[4].weight.detach().std()), rel=0.1
    )


def test_rank_correlation_is_spearmans():
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 9, (2, 8, 9)).astype(float)
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first.ravel(), second.ravel()).statistic)
    assert rank_correlation(first, np.zeros((8, 9))) == 0


def test_learned_structure_tells_noise_from_learning(planted):
    assert learned_structure(planted.network) > 10
    noise = [learned_structure(small_network(seed=seed)) for seed in range(12)]
    assert max(noise) < 5
    assert learned_structure(torchvision.models.mobilenet_v2(weights=None)) < 5
    scaled = small_network(seed=3)
    with torch.no_grad():
        scaled[-1].weight.mul_(100)  # a confident random network is random all the same
    assert learned_structure(scaled) == pytest.approx(learned_structure(small_network(seed=3)), abs=0.01)
