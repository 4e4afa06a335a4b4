"""How a network learns to name all that a picture shows, chosen from the data where the person did not choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from anmok.core.errors import UsageError
from anmok.core.preparation import Preparation
from anmok.core.types import Dataset
from anmok.data.cache import fingerprint as cache_key
from anmok.engine.devices import Devices
from anmok.engine.randomness import seed_everything
from anmok.networks import build
from anmok.tasks._kind import Asked, Plan, Voice
from anmok.tasks.balance import UNEVEN
from anmok.tasks.classify.choosing import EVALUATED_AT_ONCE, begin, freezing
from anmok.tasks.classify.learning import Classify
from anmok.tasks.classify.transfer import Transfer
from anmok.tasks.multilabel.objective import AnyClasses, Judgement
from anmok.tasks.own_network import demand_fit
from anmok.tasks.recipe import choose_recipe, choose_transfer

HEAVIEST = 10.0  # weight of the rarest class: beyond, single pictures would decide steps


def new_plan(dataset: Dataset, asked: Asked, voice: Voice) -> Plan:
    """Look at the data and choose what the person left open."""
    if asked.balance == "sampling":
        raise UsageError("pictures of several classes cannot be drawn evenly", got="--balance sampling",
                         allowed="--balance none or weights", fix="--balance weights")  # fmt: skip
    start, decoded = begin(dataset, asked, voice)
    shown = decoded.loader("train", 1).targets
    counts, pictures = shown.sum(0).astype(int).tolist(), len(shown)
    told = f"a training picture shows {shown.sum(1).mean():.1f} of {shown.shape[1]} classes on average"
    present = [count for count in counts if count]
    uneven = bool(present) and max(present) > UNEVEN * min(present)
    balance = asked.balance or ("weights" if uneven else "none")
    how = "rare classes weigh more in the loss" if balance == "weights" else "all classes count alike"
    voice.say(f"{told}; {how} (--balance {balance})")
    flip = asked.flip is not False
    if start is None:
        recipe = choose_recipe(pictures, decoded.preparation, flip)
    else:
        recipe = choose_transfer(pictures, *start, flip, freezing(asked, voice))
    recipe = replace(recipe, label_smoothing=0.0, balance=balance).asked(asked, "label_smoothing")
    return Plan(decoded, recipe, {"classes": told})


def learner(plan: Plan, devices: Devices, asked: Asked, network: nn.Module | None) -> Classify:
    """The task the engine runs."""
    recipe, decoded, seed = plan.recipe, plan.decoded, asked.seed
    classes = decoded.dataset.classes
    if network is None:
        seed_everything(seed)
        network = build(
            recipe.network, num_classes=len(classes), in_channels=decoded.preparation.channels,
            weights=recipe.pretrained,
        )  # fmt: skip
    else:
        demand_fit(network, decoded.preparation, classes, (len(classes),))
    train = decoded.loader("train", recipe.batch, seed=seed, augment=recipe.augment, workers=asked.workers)
    val = decoded.loader("val", EVALUATED_AT_ONCE) if "val" in decoded.dataset.splits else None
    weights = label_weights(train.targets.sum(0)) if recipe.balance == "weights" else None
    objective = AnyClasses(Judgement.plain(len(classes)))
    parts = (network, classes, decoded.preparation, devices, recipe, train, val, weights, None, objective)
    if recipe.pretrained is None:
        return Classify(*parts)
    pictures = cache_key(decoded.dataset, decoded.preparation)
    return Transfer(*parts, pictures=pictures, rows=decoded.rows, seed=seed)


def opened(card: Mapping[str, Any], devices: Devices, network: nn.Module | None) -> Classify:
    """The model a card describes, still without its weights."""
    preparation, classes = Preparation.from_json(card["preparation"]), card["classes"]
    if network is None:
        described = card["network"]
        network = build(
            described["name"], num_classes=len(classes), in_channels=preparation.channels, **described["arguments"]
        )
    kept = card.get("judgement")  # before the end of training there is none
    judgement = Judgement.plain(len(classes)) if kept is None else Judgement.from_json(kept, classes)
    model = Classify(network, classes, preparation, devices, objective=AnyClasses(judgement))
    model.mirror = bool(card["recipe"]["mirror"])
    return model


def label_weights(counts: Sequence[float] | np.ndarray) -> list[float]:
    """What a picture that shows a class weighs in the class's loss: as many times as the commonest class is commoner.

    >>> label_weights([100, 50, 2, 0])
    [1.0, 2.0, 10.0, 1.0]
    """
    most = max(counts, default=0)
    return [min(HEAVIEST, float(most / count)) if count else 1.0 for count in counts]
