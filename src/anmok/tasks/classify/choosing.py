"""How a classifier will be trained: decided from the data for a new run, read from the card for a resumed one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import nn

from anmok.core.errors import UsageError
from anmok.core.preparation import Preparation
from anmok.core.types import Dataset
from anmok.data.cache import fingerprint as cache_key
from anmok.engine.devices import Devices, decided
from anmok.engine.randomness import seed_everything
from anmok.networks import build, demand
from anmok.tasks._kind import Asked, Plan, Voice, tell_set_aside
from anmok.tasks.balance import class_weights, measure_balance
from anmok.tasks.beginning import beginning
from anmok.tasks.classify.features import expect
from anmok.tasks.classify.learning import Classify
from anmok.tasks.classify.transfer import Transfer
from anmok.tasks.focus import FEWEST, FocusedLoader
from anmok.tasks.invariance import Invariance, measure_invariance
from anmok.tasks.own_network import demand_fit
from anmok.tasks.pictures import Decoded, decode_all
from anmok.tasks.published import bring
from anmok.tasks.recipe import Recipe, choose_recipe, choose_transfer

EVALUATED_AT_ONCE = 500  # pictures
SEEN_FIRST = 1000  # pictures shown to networks that begin with what pictures have in common


def new_plan(dataset: Dataset, asked: Asked, voice: Voice) -> Plan:
    """Look at the data and choose what the person left open."""
    start, decoded = begin(dataset, asked, voice)
    mirroring = None if asked.flip is not None else _mirroring(decoded)
    flip = asked.flip if asked.flip is not None else mirroring is None or mirroring.keeps
    if mirroring is not None:
        voice.say(mirroring.verdict)
    balance = measure_balance(decoded.loader("train", 1).targets, len(dataset.classes), asked.balance)
    if balance.how != "none" or asked.balance is not None:
        voice.say(balance.verdict)
    pictures = decoded.dataset.splits["train"]
    if start is None:
        recipe = choose_recipe(pictures, decoded.preparation, flip, wanted_focus(pictures, balance.how, asked))
    else:
        recipe = choose_transfer(pictures, *start, flip, freezing(asked, voice))
    recipe = recipe.but(balance=balance.how).asked(asked, "label_smoothing")
    return Plan(decoded, recipe, {"mirroring": mirroring.verdict} if mirroring else {})


def begin(dataset: Dataset, asked: Asked, voice: Voice) -> tuple[tuple[str, str] | None, Decoded]:
    """What to start from (see `anmok.tasks.beginning`), and all pictures decoded as that wants them."""
    if asked.net != "auto":
        demand(asked.net, "classify")
    start, preparation = beginning(dataset, asked)
    if start is not None:
        bring(*start)
        expect(len(dataset), *decided(asked.device, asked.precision))
    decoded = decode(dataset, preparation, voice)
    decoded = decoded.normalised() if start is None else decoded
    tell_set_aside(dataset, decoded.dataset, voice)
    return start, decoded


def freezing(asked: Asked, voice: Voice) -> str:
    """`all`, `none`, or how many first blocks stay frozen: what the person says, else all but where time is given."""
    if asked.freeze is not None:
        return str(asked.freeze)
    if asked.time is not None:
        return "none"
    voice.say("Only the last layer learns, on frozen features; to try fine-tuning too: --time 10m, or --freeze none")
    return "all"


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
    recipe, decoded, seed, ours = plan.recipe, plan.decoded, asked.seed, network is None
    classes = decoded.dataset.classes
    if network is None:
        seed_everything(seed)
        network = build(
            recipe.network, num_classes=len(classes), in_channels=decoded.preparation.channels,
            weights=recipe.pretrained,
        )  # fmt: skip
    else:
        demand_fit(network, decoded.preparation, classes, (len(classes),))
    train = decoded.loader(
        "train", recipe.batch, seed=seed, augment=recipe.augment, workers=asked.workers,
        even=recipe.balance == "sampling", focused=recipe.focus,
    )  # fmt: skip
    counts = np.bincount(train.targets, minlength=len(classes)).tolist()
    weights = class_weights(counts) if recipe.balance == "weights" else None
    val = decoded.loader("val", EVALUATED_AT_ONCE) if "val" in decoded.dataset.splits else None
    focus = train.focus if isinstance(train, FocusedLoader) else None
    if recipe.pretrained is None:
        model = Classify(network, classes, decoded.preparation, devices, recipe, train, val, weights, focus)
        begin_with = getattr(network, "begin_with", None)
        if ours and begin_with is not None:
            begin_with(model.normalise(decoded.some(SEEN_FIRST)))
        return model
    pictures = cache_key(decoded.dataset, decoded.preparation)
    return Transfer(network, classes, decoded.preparation, devices, recipe, train, val, weights, focus,
                    pictures=pictures, rows=decoded.rows, seed=seed)  # fmt: skip


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


def _mirroring(decoded: Decoded) -> Invariance | None:
    loader = decoded.loader("train", 1)
    found = measure_invariance(decoded.source.gather, loader.rows, np.asarray(loader.targets), moves=["mirrored"])
    return found[0] if found else None
