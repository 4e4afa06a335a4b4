"""How a network will learn to generate: decided from the data for a new run, read from the card for another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import log2
from typing import Any

from torch import nn

from anmok.core.errors import DataError, UsageError, unknown_name
from anmok.core.preparation import Preparation
from anmok.core.types import Dataset
from anmok.engine.devices import Devices
from anmok.engine.randomness import seed_everything
from anmok.losses.adversarial import ADVERSARIAL
from anmok.networks import build, demand
from anmok.networks._generate import Adversarial
from anmok.tasks._kind import Asked, Plan, Voice, tell_set_aside
from anmok.tasks.beginning import choose_preparation, look
from anmok.tasks.decoding import decode
from anmok.tasks.generate.health import JUDGED, compared_with_held_out, judged_by, known_of
from anmok.tasks.generate.learning import Generate
from anmok.tasks.generate.recipe import DOUBLING, LARGEST, SMALLEST, STYLE, WASSERSTEIN, GenerateRecipe, choose_recipe
from anmok.tasks.generate.yardstick import BUNDLED, eye_of

NETWORK = "dcgan"
LEAST = 8  # training pictures
MOST_CLASSES = 100  # classes that are chosen from unasked


def new_plan(dataset: Dataset, asked: Asked, voice: Voice) -> Plan:
    """Look at the data and choose what the person left open."""
    network = NETWORK if asked.net == "auto" else asked.net
    demand(network, "generate")
    _refuse(network, asked)
    preparation = prepared_for(network, choose_preparation(look(dataset), asked.imgsz), asked.imgsz)
    decoded = decode(dataset, preparation, voice)
    tell_set_aside(dataset, decoded.dataset, voice)
    pictures = decoded.dataset.splits.get("train", 0)
    if pictures < LEAST:
        raise DataError("there are too few pictures to learn to draw more of them", path=dataset.root, got=pictures,
                        allowed=f"{LEAST} or more; thousands for pictures worth looking at")  # fmt: skip
    names = ("epochs", "batch", "patience", "average", "latent", "loss", "r1", "progressive", "features")
    chosen = {name: getattr(asked, name) for name in names if getattr(asked, name) is not None}
    if asked.lr is not None:
        chosen["learning_rate"] = asked.lr
    chosen["conditional"] = _by_class(decoded.dataset, asked.conditional)
    recipe = choose_recipe(pictures, preparation.size, network, chosen)
    return Plan(decoded, recipe.asked(asked))


def _refuse(network: str, asked: Asked) -> None:
    """Refuse settings that do not fit this network, or this task."""
    for name in ("optimizer", "weight_decay"):
        if getattr(asked, name) is not None:
            raise UsageError("both players learn by Adam without weight decay, as published",
                             got=f"--{name.replace('_', '-')} {getattr(asked, name)}", fix="leave it out")  # fmt: skip
    moved = [name for name in ("rotate", "shift", "crop", "colour", "cutout") if getattr(asked, name)]
    if moved:
        raise UsageError("a generator would learn to draw what augmentation does", got=f"--{moved[0]}",
                         allowed="--flip", fix="leave it out")  # fmt: skip
    if asked.loss is not None and asked.loss not in ADVERSARIAL:
        raise unknown_name("game between generator and discriminator", asked.loss, ADVERSARIAL)
    if asked.progressive and network != "stylegan":
        raise UsageError(
            "only stylegan grows while it learns", got=f"--progressive for {network}", fix="--net stylegan"
        )
    if asked.progressive and asked.time is not None:
        raise UsageError("growth is planned by epochs", got="--progressive and --time", fix="--epochs")
    if asked.loss == WASSERSTEIN and network in STYLE:
        raise UsageError("this discriminator compares pictures, which this game's penalty does not allow",
                         got=f"--loss {asked.loss} for {network}", fix="--net dcgan")  # fmt: skip
    if asked.features not in (None, BUNDLED):
        eye_of(asked.features)


def prepared_for(network: str, preparation: Preparation, asked: int | None) -> Preparation:
    """The middle of every picture, at a size that the network can draw, as numbers from −1 to 1."""
    size, channels = preparation.size, preparation.channels
    if network in DOUBLING:
        fitting = max(SMALLEST, 2 ** round(log2(size)))
        if asked is not None and fitting != asked:
            raise UsageError(f"{network} doubles the picture layer by layer", got=f"--imgsz {asked}",
                             allowed="a power of two from 8 on", fix=f"--imgsz {fitting}")  # fmt: skip
        size = fitting if asked is not None else min(fitting, LARGEST)
    grey = (0.5,) * channels
    return Preparation(size=size, store=size, channels=channels, mean=grey, std=grey)


def _by_class(dataset: Dataset, asked: bool | None) -> bool:
    """Whether pictures are drawn by class: where they have classes, unless somebody says otherwise."""
    labelled = all(isinstance(entry.target, int) for entry in dataset.entries)
    possible = labelled and len(dataset.classes) > 1
    if asked and not possible:
        raise UsageError("these pictures have no classes to draw by", path=dataset.root, got="--conditional",
                         fix="class folders, or leave it out")  # fmt: skip
    return possible and len(dataset.classes) <= MOST_CLASSES if asked is None else asked


def saved_plan(dataset: Dataset, card: Mapping[str, Any], voice: Voice) -> Plan:
    """What the run of this card was going to do."""
    decoded = decode(dataset, Preparation.from_json(card["preparation"]), voice)
    return Plan(decoded, GenerateRecipe.from_json(card["recipe"]))


def learner(plan: Plan, devices: Devices, asked: Asked, network: nn.Module | None) -> Generate:
    """The task the engine runs."""
    recipe, decoded = plan.recipe, plan.decoded
    entries = [entry for entry in decoded.dataset.entries if entry.split == "train"]
    counts = Counter(entry.target for entry in entries)
    classes = decoded.dataset.classes if recipe.conditional else ()
    if network is None:
        seed_everything(asked.seed)
        network = _built(recipe, decoded.preparation, len(classes))
    train = decoded.pictures("train", recipe.batch, seed=asked.seed, augment=recipe.augment, workers=asked.workers)
    targets = {entry.id: entry.target for entry in entries} if recipe.conditional else {}
    frequent = [counts[number] for number in range(len(classes))]
    model = Generate(_player(network), decoded.preparation, devices, recipe, classes, frequent, train, targets)
    model.known = known_of(model, decoded, set_scale=True)
    held_out = decoded.dataset.splits.get("val", 0) > 1
    model.judged = judged_by(model, decoded, "val" if held_out else "train", JUDGED)
    if held_out and model.known is not None:
        model.known = compared_with_held_out(model.known, model.judged)
    return model


def opened(card: Mapping[str, Any], devices: Devices, network: nn.Module | None) -> Generate:
    """What a card describes, still without its weights."""
    recipe, preparation = GenerateRecipe.from_json(card["recipe"]), Preparation.from_json(card["preparation"])
    classes = card["classes"] if recipe.conditional else ()
    net = _player(network or _built(recipe, preparation, len(classes)))
    return Generate(net, preparation, devices, recipe, classes, card.get("frequent", ()))


def _player(network: nn.Module) -> Adversarial:
    if not isinstance(network, Adversarial):
        raise UsageError("two networks play", got=type(network).__name__,
                         allowed="takes, generator and discriminator, as anmok.networks.dcgan has them")  # fmt: skip
    return network


def _built(recipe: GenerateRecipe, preparation: Preparation, classes: int) -> nn.Module:
    arguments = recipe.arguments(preparation, classes)
    return build(recipe.network, **arguments)
