"""May this heat map be believed? Three tests, and a verdict in words with the figures behind it.

*Weights* (`weights.py`): a network whose weights cannot be told from noise has learned nothing that a map could show.

*Randomisation* (Adebayo et al. 2018, "Sanity Checks for Saliency Maps"): the network's weights are replaced by noise
and the map is made again. A map that stays the same does not depend on what the network learned; it is an edge
detector.

*Deletion and insertion* (Petsiuk, Das & Saenko 2018, "RISE"): take the places that the map calls important out of the
picture, most important first, and the class's probability should fall at once; put them into an empty picture, and it
should rise at once. Both are compared with the same map moved elsewhere: an order just as smooth, but wrong. Where the
map beats few of those, it points at nothing.

Where the network answers an empty picture as surely, or hardly prefers its answer to guessing, nothing was seen in the
picture and there is nothing to explain.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from anmok.core.seeds import derive, numpy_generator
from anmok.explain._explanation import Explainer, Explanation, answer, logits_of, prepared, ready
from anmok.explain.weights import learned_structure

T = TypeVar("T")

SAME_MAP = 0.6  # rank correlation beyond which two maps count as the same
CHANCE = 0.1  # a map that as many misplaced maps beat points at nothing in particular
LEARNED = 6.0  # standard deviations from noise; see `weights.learned_structure`
SMALLEST_EFFECT = 0.1  # probability that the picture must add to an empty one for an answer to be explained
AT_ONCE = 64


@dataclass(frozen=True)
class Verdict:
    """The figures and what they say.

    `same_after_randomising`: mean rank correlation in [-1, 1] with the maps of randomised networks. `deletion`,
    `insertion`: area under the probability curves in [0, 1], small and large for a good map. `beaten_by`: share of
    misplaced maps that do at least as well. `effect`: probability of the class for the picture minus that for an empty
    one. `learned`: by how many standard deviations the weights differ from noise. `trusted`: whether every test was
    passed. `sentence`: for people.
    """

    same_after_randomising: float
    deletion: float
    insertion: float
    beaten_by: float
    effect: float
    learned: float
    trusted: bool
    sentence: str


def judge(
    network: nn.Module,
    picture: Tensor,
    explainer: Explainer,
    explanation: Explanation,
    *,
    seed: int = 0,
    randomisations: int = 3,
    steps: int = 12,
    orders: int = 39,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    **options: Any,
) -> Verdict:
    """Judge one heat map.

    Args:
        network: the network explained; it is not changed.
        picture: (C, H, W), as it was explained.
        explainer: what made the map, called again on randomised copies with `options`.
        explanation: the map.
        seed: of the noise and of the misplaced maps.
        randomisations: networks with random weights to compare with.
        steps: points on the deletion and insertion curves.
        orders: misplaced maps to compare with; the cost is (orders + 1) · 2 · steps forward passes.
        on_progress: told how many of the maps and orders are done, of how many.
    """
    batch = prepared(network, picture)
    target = explanation.target
    total = randomisations + 1 + orders
    done = itertools.count(1)

    def counted(items: Iterable[T]) -> Iterator[T]:
        for item in items:
            yield item
            on_progress(next(done), total)

    seeds = counted(derive(seed, number) for number in range(randomisations))
    same = _same_after_randomising(network, picture, explainer, explanation, seeds, options)
    with ready(network), torch.no_grad():
        empty = _empty(batch)
        _, blank = answer(network, empty, target)
        classes = logits_of(network, batch).shape[1]
        heats = [explanation.heat, *_misplaced(explanation.heat, orders, seed)]
        deletion, insertion = np.array(
            [_curves(network, batch, empty, heat, target, steps) for heat in counted(heats)]
        ).T
    gap = insertion - deletion
    measured = {
        "same_after_randomising": same,
        "deletion": float(deletion[0]),
        "insertion": float(insertion[0]),
        "beaten_by": float((gap[1:] >= gap[0]).mean()),
        "effect": explanation.score - blank,
        "learned": learned_structure(network, seed),
    }
    objection = _objection(explanation, classes, **measured)
    opening = objection or "This map depends on the weights and points at what decides the answer"
    return Verdict(**measured, trusted=objection is None, sentence=f"{opening} ({_figures(**measured)}).")


def randomised(network: nn.Module, seed: int) -> nn.Module:
    """A copy whose every weight is noise of the same mean and spread, tensor by tensor; running statistics stay."""
    copied = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(derive(seed, "randomise"))
    with torch.no_grad():
        for weight in copied.parameters():
            noise = torch.randn(weight.shape, generator=generator).to(weight)
            spread = weight.float().std() if weight.numel() > 1 else weight.float().abs().mean()
            weight.copy_(weight.float().mean() + noise.float() * spread)
    return copied


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's ρ between two maps, in [-1, 1]; a map of one value correlates with nothing: 0.

    >>> round(rank_correlation(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[10.0, 20.0], [40.0, 30.0]])), 4)
    0.8
    """
    ranks = [_ranks(values.ravel()) for values in (first, second)]
    if any(values.std() == 0 for values in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def _same_after_randomising(
    network: nn.Module,
    picture: Tensor,
    explainer: Explainer,
    explanation: Explanation,
    seeds: Iterable[int],
    options: dict[str, Any],
) -> float:
    if explanation.layer is not None:
        options = {**options, "layer": explanation.layer}
    maps = (explainer(randomised(network, seed), picture, explanation.target, **options).heat for seed in seeds)
    return float(np.mean([rank_correlation(explanation.heat, heat) for heat in maps]))


def _empty(batch: Tensor) -> Tensor:
    """The picture's mean colour everywhere."""
    return batch.mean(dim=(2, 3), keepdim=True).expand_as(batch).contiguous()


def _misplaced(heat: np.ndarray, orders: int, seed: int) -> list[np.ndarray]:
    """The map itself, shifted around the edges by at least a quarter in one direction, and mirrored by chance."""
    generator = numpy_generator(seed, "misplaced")
    height, width = heat.shape
    moved: list[np.ndarray] = []
    while len(moved) < orders:
        down, right = int(generator.integers(height)), int(generator.integers(width))
        if min(down, height - down) * 4 < height and min(right, width - right) * 4 < width:
            continue
        turned = heat[:: generator.choice((1, -1)), :: generator.choice((1, -1))]
        moved.append(np.roll(turned, (down, right), axis=(0, 1)))
    return moved


def _curves(
    network: nn.Module, batch: Tensor, empty: Tensor, heat: np.ndarray, target: int, steps: int
) -> tuple[float, float]:
    """Areas under the class's probability while the hottest places are deleted from, and inserted into, a picture."""
    order = np.argsort(-heat, axis=None, kind="stable")
    place = np.empty(order.size)
    place[order] = np.arange(order.size) / order.size
    rank = torch.from_numpy(place.reshape(heat.shape)).to(batch.device)
    # More points where it counts: half of them within the hottest quarter.
    shares = torch.linspace(0, 1, steps, dtype=torch.float64, device=batch.device) ** 2
    taken = (rank[None] < shares[:, None, None])[:, None]
    areas = []
    for inside, outside in ((empty, batch), (batch, empty)):
        pictures = torch.where(taken, inside, outside)
        scores = torch.cat([logits_of(network, part).float().softmax(1)[:, target] for part in pictures.split(AT_ONCE)])
        areas.append(float(torch.trapezoid(scores.double(), shares)))
    return areas[0], areas[1]


def _objection(
    explanation: Explanation, classes: int, same_after_randomising: float, beaten_by: float, effect: float,
    learned: float, **_: float,
) -> str | None:  # fmt: skip
    """Why the map is not to be trusted, the gravest reason first; None where it passes."""
    score = 100 * explanation.score
    if learned < LEARNED:
        return "The weights cannot be told from noise, the network has learned nothing: do not trust this map"
    if explanation.peak <= 0:
        return "The map is empty, nothing that it can see speaks for this class: do not trust it"
    if same_after_randomising > SAME_MAP:
        return "This map does not depend on the weights: do not trust it"
    if effect < SMALLEST_EFFECT or explanation.score < 1.5 / classes:
        blank = score - 100 * effect
        return (f"There is little to explain, the class has {score:.0f} % and an empty picture gives it {blank:.0f} %: "
                "do not trust this map")  # fmt: skip
    if beaten_by > CHANCE:
        return "This map points at the answer no better than misplaced maps do: do not trust it"
    return None


def _figures(
    same_after_randomising: float, deletion: float, insertion: float, beaten_by: float, learned: float, **_: float
) -> str:
    return (f"rank correlation with maps of random networks {same_after_randomising:.2f}, deletion {deletion:.2f}, "
            f"insertion {insertion:.2f}, matched by {100 * beaten_by:.0f} % of misplaced maps, weights "
            f"{learned:.0f} standard deviations from noise")  # fmt: skip
