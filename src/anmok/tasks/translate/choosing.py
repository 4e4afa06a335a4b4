"""How a network will learn to translate: decided from the data for a new run, read from the card for another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from anmok.core.errors import DataError, UsageError
from anmok.core.preparation import Preparation
from anmok.core.types import Dataset
from anmok.data.picture_loaders import UnpairedLoader
from anmok.data.prepare_pictures import PreparedPictures
from anmok.engine.devices import Devices
from anmok.engine.randomness import seed_everything
from anmok.networks import build, demand
from anmok.networks.cyclegan import CycleGAN
from anmok.tasks._kind import Asked, Plan, Voice, tell_set_aside
from anmok.tasks.beginning import choose_preparation, look
from anmok.tasks.decoding import decode
from anmok.tasks.translate.learning import Translate
from anmok.tasks.translate.playing import AB, BA
from anmok.tasks.translate.recipe import CYCLEGAN, PIX2PIX, TranslateRecipe, choose_recipe
from anmok.tasks.translate.sides import sides

OWN = ("cycle", "identity", "pool", "width")  # settings of this task alone
DOMAINS = ("A", "B")  # where folders have no names of their own
WATCHED = 32  # pictures a way that are looked at after each epoch
STEP = 4  # what the generators halve evenly


def new_plan(dataset: Dataset, asked: Asked, voice: Voice) -> Plan:
    """Look at the data and choose what the person left open."""
    paired = dataset.format == "pairs"
    network = asked.net if asked.net != "auto" else PIX2PIX if paired else CYCLEGAN
    demand(network, "translate")
    _refuse_idle(network, paired, dataset, asked)
    decoded = decode(dataset, prepared_for(choose_preparation(look(dataset), asked.imgsz)), voice)
    tell_set_aside(dataset, decoded.dataset, voice)
    chosen = {name: getattr(asked, name) for name in OWN}
    recipe = choose_recipe(_longer(decoded), decoded.preparation.size, network, chosen).asked(asked)
    return Plan(decoded, replace(recipe, batch=min(recipe.batch, _longer(decoded))))


def _refuse_idle(network: str, paired: bool, dataset: Dataset, asked: Asked) -> None:
    """Refuse what this network cannot learn from, or has no use for."""
    if network == PIX2PIX and not paired:
        raise UsageError("pix2pix learns from pairs", path=dataset.root, got=f"{dataset.format} pictures",
                         fix="--net cyclegan, which needs none")  # fmt: skip
    idle = [name for name in ("cycle", "identity", "pool") if network == PIX2PIX and getattr(asked, name) is not None]
    if idle:
        raise UsageError(
            "pix2pix goes one way and has no use for this", got=f"--{idle[0]}", fix="leave it out, or --net cyclegan"
        )
    if asked.optimizer is not None:
        raise UsageError("players of a game descend by Adam with less momentum", got=f"--optimizer {asked.optimizer}",
                         fix="leave it out")  # fmt: skip
    for name in ("mixup", "patience", "weight_decay", "find_lr"):
        if getattr(asked, name):
            raise UsageError("a game is played to its end, with pictures as they are",
                             got=f"--{name.replace('_', '-')}", fix="leave it out")  # fmt: skip


def prepared_for(preparation: Preparation) -> Preparation:
    """Whole pictures, squashed to a square that the generators can halve evenly, from −1 to 1."""
    size = max(STEP * 6, round(preparation.size / STEP) * STEP)  # the judges have nothing to see in less
    grey = (0.5,) * preparation.channels
    return Preparation(size, size, preparation.channels, fit="squash", interpolation="bicubic", mean=grey, std=grey)


def saved_plan(dataset: Dataset, card: Mapping[str, Any], voice: Voice) -> Plan:
    """What the run of this card was going to do."""
    decoded = decode(dataset, Preparation.from_json(card["preparation"]), voice)
    return Plan(decoded, TranslateRecipe.from_json(card["recipe"]))


def learner(plan: Plan, devices: Devices, asked: Asked, network: nn.Module | None) -> Translate:
    """The task the engine runs."""
    recipe, decoded = plan.recipe, plan.decoded
    if network is None:
        seed_everything(asked.seed)
        network = _built(recipe, decoded.preparation)
    game = CYCLEGAN if isinstance(network, CycleGAN) else PIX2PIX
    if game != recipe.network:
        raise UsageError("your network plays another game", got=type(network).__name__, fix=f"--net {game}")
    judged = "val" in decoded.dataset.splits
    watched = sides(decoded, "val" if judged else "train", [AB, BA] if game == CYCLEGAN else [AB], WATCHED)
    domains = decoded.dataset.classes or DOMAINS
    train = _train(decoded, recipe, {"seed": asked.seed, "augment": recipe.augment, "workers": asked.workers})
    return Translate(network, decoded.preparation, devices, recipe, domains, train, watched, judged, asked.seed)


def _train(decoded: PreparedPictures, recipe: TranslateRecipe, settings: Mapping[str, Any]) -> Any:
    if recipe.network == PIX2PIX:
        return decoded.pairs("train", recipe.batch, **settings)
    if decoded.partners is None:
        return decoded.unpaired("train", recipe.batch, **settings)
    pairs = decoded.pairs("train", recipe.batch, **settings)  # learned from as if nobody knew which belong together
    names = [f"{name} (partner)" for name in pairs.ids]
    return UnpairedLoader(pairs.source, pairs.rows, None, pairs.ids, pairs.size, pairs.batch_size, pairs.seed,
                          pairs.augment, pairs.workers, others=pairs.partners, other_ids=names)  # fmt: skip


def _longer(decoded: PreparedPictures) -> int:
    """Training pictures of the larger domain, or training pairs. Raises `DataError` where a domain has none."""
    entries = decoded.dataset.split("train")
    if decoded.partners is not None:
        return len(entries)
    counts = [sum(entry.target == domain for entry in entries) for domain in (0, 1)]
    if not min(counts):
        raise DataError("a domain has no picture to learn from", path=decoded.dataset.root,
                        got=f"{counts[0]} and {counts[1]}")  # fmt: skip
    return max(counts)


def opened(card: Mapping[str, Any], devices: Devices, network: nn.Module | None) -> Translate:
    """What a card describes, still without its weights."""
    recipe, preparation = TranslateRecipe.from_json(card["recipe"]), Preparation.from_json(card["preparation"])
    domains = card["classes"] or DOMAINS
    return Translate(network or _built(recipe, preparation), preparation, devices, recipe, domains)


def _built(recipe: TranslateRecipe, preparation: Preparation) -> nn.Module:
    return build(recipe.network, num_classes=None, **recipe.arguments(preparation))
