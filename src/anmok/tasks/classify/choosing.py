"""How a classifier will be trained: decided from the data for a new run, read from the card for a resumed one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import nn

from anmok.core.errors import UsageError
from anmok.core.preparation import Preparation
from anmok.core.seeds import seed_everything
from anmok.core.types import Dataset
from anmok.engine.devices import Devices
from anmok.networks import build
from anmok.tasks._kind import Asked, Plan, Voice
from anmok.tasks.balance import class_weights, measure_balance
from anmok.tasks.classify.learning import Classify
from anmok.tasks.focus import FEWEST, FocusedLoader
from anmok.tasks.pictures import Decoded, decode_all
from anmok.tasks.recipe import Recipe, choose_preparation, choose_recipe, look
from anmok.tasks.symmetry import Symmetry, mirror_symmetry

EVALUATED_AT_ONCE = 500  # pictures


def new_plan(dataset: Dataset, asked: Asked, voice: Voice) -> Plan:
    """Look at the data and choose what the person left open."""
    preparation = choose_preparation(look(dataset), asked.imgsz)
    decoded = decode(dataset, preparation, voice).normalised()
    for item in decoded.dataset.quarantined[len(dataset.quarantined) :]:
        voice.warn(f"{item.path}: {item.reason}. Try: {item.fix}.")
    symmetry = None if asked.flip is not None else _symmetry(decoded)
    flip = asked.flip if asked.flip is not None else bool(symmetry and symmetry.keeps)
    if symmetry is not None:
        voice.say(symmetry.verdict)
    balance = measure_balance(decoded.loader("train", 1).targets, len(dataset.classes), asked.balance)
    if balance.how != "none" or asked.balance is not None:
        voice.say(balance.verdict)
    pictures = decoded.dataset.splits["train"]
    focus = wanted_focus(pictures, balance.how, asked)
    recipe = choose_recipe(pictures, decoded.preparation, flip, focus).but(balance=balance.how)
    recipe = recipe.asked(asked, "label_smoothing")
    return Plan(decoded, recipe, {"mirroring": symmetry.verdict} if symmetry else {})


def wanted_focus(pictures: int, balance: str, asked: Asked) -> bool:
    """Whether to show doubtful pictures more often: what the person says, else where it was measured to pay.

    Raises:
        UsageError: it is asked for together with what decides otherwise which pictures are shown, or blends them.
    """
    against = "--balance sampling" if balance == "sampling" else "--mixup" if asked.mixup else None
    if asked.focus and against:
        raise UsageError("--focus does not go together with this", got=against, fix="leave one of them out")
    return pictures >= FEWEST and balance == "none" and against is None if asked.focus is None else asked.focus


def saved_plan(dataset: Dataset, card: Mapping[str, Any], voice: Voice) -> Plan:
    """What the run of this card was going to do."""
    decoded = decode(dataset, Preparation.from_json(card["preparation"]), voice)
    return Plan(decoded, Recipe.from_json(card["recipe"]))


def learner(plan: Plan, devices: Devices, asked: Asked, network: nn.Module | None) -> Classify:
    """The task the engine runs."""
    recipe, decoded, seed = plan.recipe, plan.decoded, asked.seed
    classes = decoded.dataset.classes
    if network is None:
        seed_everything(seed)
        network = build(recipe.network, num_classes=len(classes), in_channels=decoded.preparation.channels)
    train = decoded.loader(
        "train", recipe.batch, seed=seed, augment=recipe.augment, workers=asked.workers,
        even=recipe.balance == "sampling", focused=recipe.focus,
    )  # fmt: skip
    counts = np.bincount(train.targets, minlength=len(classes)).tolist()
    weights = class_weights(counts) if recipe.balance == "weights" else None
    val = decoded.loader("val", EVALUATED_AT_ONCE) if "val" in decoded.dataset.splits else None
    focus = train.focus if isinstance(train, FocusedLoader) else None
    return Classify(network, classes, decoded.preparation, devices, recipe, train, val, weights, focus)


def opened(card: Mapping[str, Any], devices: Devices, network: nn.Module | None) -> Classify:
    """The classifier a card describes, still without its weights."""
    preparation = Preparation.from_json(card["preparation"])
    if network is None:
        described = card["network"]
        network = build(
            described["name"], num_classes=len(card["classes"]), in_channels=preparation.channels,
            **described["arguments"],
        )  # fmt: skip
    model = Classify(network, card["classes"], preparation, devices)
    model.mirror = bool(card["recipe"]["mirror"])
    model.temperature = float(card.get("temperature", 1.0))
    rejection = card.get("rejection")
    model.threshold = None if rejection is None else float(rejection["threshold"])
    return model


def decode(dataset: Dataset, preparation: Preparation, voice: Voice) -> Decoded:
    """Every picture decoded once, into the cache."""
    with voice.bar("decoding") as on_progress:
        return decode_all(dataset, preparation, on_progress=on_progress)


def _symmetry(decoded: Decoded) -> Symmetry:
    loader = decoded.loader("train", 1)
    return mirror_symmetry(decoded.source.gather, loader.rows, np.asarray(loader.targets))
