"""How a network will learn to reconstruct: decided from the data for a new run, read from the card for another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import nn

from anmok.core.errors import UsageError
from anmok.core.preparation import Preparation
from anmok.core.strangeness import Threshold
from anmok.core.types import Dataset
from anmok.data.corrupt import corrupt
from anmok.data.prepare_pictures import PreparedPictures
from anmok.engine.devices import Devices
from anmok.engine.randomness import seed_everything
from anmok.networks import build, demand
from anmok.tasks._kind import Asked, Plan, Voice, tell_set_aside
from anmok.tasks.beginning import choose_preparation, look
from anmok.tasks.decoding import decode
from anmok.tasks.own_network import demand_methods
from anmok.tasks.reconstruct.learning import Reconstruct
from anmok.tasks.reconstruct.novelty import build_novelty, remembered
from anmok.tasks.reconstruct.recipe import ReconstructRecipe, choose_recipe, is_variational, widths

NETWORK = "conv_autoencoder"
OWN = ("corrupt", "latent", "beta", "novelty")  # settings of this task alone


def new_plan(dataset: Dataset, asked: Asked, voice: Voice) -> Plan:
    """Look at the data and choose what the person left open."""
    network = NETWORK if asked.net == "auto" else asked.net
    demand(network, "reconstruct")
    _refuse_idle(network, asked)
    preparation = prepared_for(network, choose_preparation(look(dataset), asked.imgsz))
    decoded = decode(dataset, preparation, voice)
    tell_set_aside(dataset, decoded.dataset, voice)
    pictures, paired = decoded.dataset.splits["train"], decoded.partners is not None
    if paired and asked.corrupt:
        raise UsageError("these pictures are damaged already", got=f"--corrupt {asked.corrupt}", fix="leave it out")
    chosen = {name: getattr(asked, name) for name in (*OWN, "batch")}
    if asked.corrupt:
        chosen["corrupt"] = str(corrupt(asked.corrupt))
    elif not paired:
        chosen["novelty"] = asked.novelty or "reconstruction"
    chosen["remembered"] = remembered(chosen["novelty"], pictures, preparation.size)
    recipe = choose_recipe(pictures, network, chosen).asked(asked)
    return Plan(decoded, recipe, {"damage": recipe.corrupt} if recipe.corrupt else {})


def _refuse_idle(network: str, asked: Asked) -> None:
    """Refuse settings that this network has no use for."""
    if asked.beta is not None and not is_variational(network):
        raise UsageError("β weighs what only a VAE has", got=f"--beta {asked.beta:g} for {network}", fix="--net vae")
    if asked.latent is not None and network == "conv_autoencoder":
        raise UsageError("this network's code is a map, as large as pictures ask for", got=f"--latent {asked.latent}",
                         fix="--net autoencoder, vae or conv_vae")  # fmt: skip
    if asked.mixup:
        raise UsageError(
            "pictures that are targets are not blended", got=f"--mixup {asked.mixup:g}", fix="leave it out"
        )


def prepared_for(network: str, preparation: Preparation) -> Preparation:
    """Whole pictures, squashed to a square that the network can halve evenly, as intensities in [0, 1]."""
    size, channels = preparation.size, preparation.channels
    if network == "conv_vae":
        step = 2 ** len(widths(size))
        size = max(step, round(size / step) * step)
    return Preparation(size, size, channels, fit="squash", mean=(0.0,) * channels, std=(1.0,) * channels)


def saved_plan(dataset: Dataset, card: Mapping[str, Any], voice: Voice) -> Plan:
    """What the run of this card was going to do."""
    decoded = decode(dataset, Preparation.from_json(card["preparation"]), voice)
    return Plan(decoded, ReconstructRecipe.from_json(card["recipe"]))


def batches(decoded: PreparedPictures, split: str | None, recipe: ReconstructRecipe, *, clean: bool = False) -> Any:
    """One split (None: all) as it is judged: in order, and damaged always alike unless `clean`."""
    at_once = int(np.clip(400_000 // decoded.preparation.size**2, 8, 500))
    if decoded.partners is not None and not clean:
        return decoded.pairs(split, at_once)
    damage = corrupt(recipe.corrupt) if recipe.corrupt and not clean else None
    return decoded.pictures(split, at_once, damage=damage)


def learner(plan: Plan, devices: Devices, asked: Asked, network: nn.Module | None) -> Reconstruct:
    """The task the engine runs."""
    recipe, decoded = plan.recipe, plan.decoded
    if network is None:
        seed_everything(asked.seed)
        network = _built(recipe, decoded.preparation)
    else:
        demand_methods(network, ("encode", "decode"), "conv_autoencoder")
    settings = {"seed": asked.seed, "augment": recipe.augment, "workers": asked.workers}
    if decoded.partners is not None:
        train = decoded.pairs("train", recipe.batch, **settings)
    else:
        damage = corrupt(recipe.corrupt) if recipe.corrupt else None
        train = decoded.pictures("train", recipe.batch, damage=damage, **settings)
    val = batches(decoded, "val", recipe) if "val" in decoded.dataset.splits else None
    known = batches(decoded, "train", recipe, clean=True)
    model = Reconstruct(network, decoded.preparation, devices, recipe, train, val, known)
    model.novelty = build_novelty(model)
    return model


def opened(card: Mapping[str, Any], devices: Devices, network: nn.Module | None) -> Reconstruct:
    """What a card describes, still without its weights."""
    recipe, preparation = ReconstructRecipe.from_json(card["recipe"]), Preparation.from_json(card["preparation"])
    model = Reconstruct(network or _built(recipe, preparation), preparation, devices, recipe)
    model.novelty = build_novelty(model)
    model.threshold = Threshold.from_json(card["novelty"]) if card.get("novelty") else None
    return model


def _built(recipe: ReconstructRecipe, preparation: Preparation) -> nn.Module:
    arguments = recipe.arguments(preparation)
    return build(recipe.network, num_classes=None, in_channels=preparation.channels, **arguments)
