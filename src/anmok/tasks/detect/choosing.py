"""How a detector will be trained: decided from the data for a new run, read from the card for a resumed one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from anmok.core.errors import PictureError, UsageError
from anmok.core.preparation import Preparation
from anmok.core.types import Dataset
from anmok.data.prepare import Prepared, prepare
from anmok.data.proposals import KeptSearch
from anmok.data.records import shape_of
from anmok.engine.devices import Devices
from anmok.engine.randomness import seed_everything
from anmok.networks import build, demand
from anmok.tasks._kind import Asked, Plan, Voice, tell_set_aside
from anmok.tasks.detect.forms import form_of
from anmok.tasks.detect.learning import Detect
from anmok.tasks.detect.measuring import outlined
from anmok.tasks.detect.recipe import DetectRecipe, choose_recipe
from anmok.tasks.own_network import demand_methods
from anmok.tasks.segment.naming import sided

LOOKED_AT = 48  # pictures opened before training
STEP = 32  # sides are multiples: networks halve five times
SIDE = 320  # of what the network sees of larger pictures
VISIBLE, LARGEST = 12, 640  # pixels: larger pictures are shown so large that a quarter of the objects are so wide
MEASURED = 256  # pictures whose mean and spread stand for all
AT_ONCE = 16  # pictures evaluated together
WATCHED, FEWEST_WATCHED = 0.15, 64  # validation pictures judged after each epoch, as a share of the training pictures


def choose_preparation(dataset: Dataset, imgsz: int | None = None) -> Preparation:
    """The square the network sees: pictures keep their proportions and are padded; small objects stay visible."""
    sizes, channels, widths = [], 1, []
    for entry in dataset.some(LOOKED_AT):
        try:
            shape = shape_of(dataset.pictures, entry.locator)
        except PictureError:
            continue
        sizes.append(max(shape[:2]))
        channels = max(channels, shape[2])
        sides = entry.target.boxes[:, 2:] - entry.target.boxes[:, :2]
        widths += (np.sqrt(np.maximum(sides.prod(1), 0)) / max(shape[:2])).tolist()
    longest = max(sizes, default=SIDE)
    side = imgsz
    if side is None:
        wanted = VISIBLE / np.quantile(widths, 0.25) if widths and np.quantile(widths, 0.25) > 0 else SIDE
        side = _rounded(int(np.clip(wanted, SIDE, LARGEST))) if longest > SIDE else _rounded(longest)
    grey = (0.5,) * channels
    return Preparation(side, side, channels, fit="pad", mean=grey, std=grey)


def _rounded(side: int) -> int:
    return -(-side // STEP) * STEP


def new_plan(dataset: Dataset, asked: Asked, voice: Voice) -> Plan:
    """Look at the data and choose what the person left open.

    Raises:
        UsageError: the network does not detect.
    """
    _check(asked)
    preparation = choose_preparation(dataset, asked.imgsz)
    voice.say(f"the network sees pictures whole, padded to {preparation.size} × {preparation.size}")
    prepared = normalised(decode(dataset, preparation, voice))
    tell_set_aside(dataset, prepared.dataset, voice)
    handed = sided(dataset.classes)
    flip = not handed if asked.flip is None else asked.flip
    notes = {"mirroring": f"off: a mirror would turn {handed[0]!r} into another class"} if handed else {}
    form = form_of(asked.net, lambda: sides_of(prepared))
    if form.told:
        voice.say(f"{asked.net.partition(':')[0]} is built with {form.told}")
    pictures = prepared.dataset.splits["train"]
    timed = asked.time is not None
    recipe = choose_recipe(pictures, preparation.size, flip, form.pace, timed, asked.net)
    recipe = recipe.but(
        arguments=form.arguments, nms=form.nms, optimizer=form.optimizer, learning_rate=form.learning_rate,
        batch=min(form.batch or recipe.batch, recipe.batch),
    ).asked(asked, "nms")  # fmt: skip
    return Plan(prepared, recipe, notes)


def _check(asked: Asked) -> None:
    if asked.net != "auto":
        demand(asked.net, "detect")


def saved_plan(dataset: Dataset, card: Mapping[str, Any], voice: Voice) -> Plan:
    """What the run of this card was going to do."""
    prepared = decode(dataset, Preparation.from_json(card["preparation"]), voice)
    return Plan(prepared, DetectRecipe.from_json(card["recipe"]))


def learner(plan: Plan, devices: Devices, asked: Asked, network: nn.Module | None) -> Detect:
    """The task the engine runs."""
    recipe, prepared = plan.recipe, plan.decoded
    classes, preparation = prepared.dataset.classes, prepared.preparation
    if network is None:
        seed_everything(asked.seed)
        network = _built(recipe.network, len(classes), preparation, **recipe.arguments)
    else:
        demand_methods(network, ("losses", "detect"), "anchor_free")
    search = KeptSearch.for_squares(preparation.size) if getattr(network, "takes_regions", False) else None
    drawing = getattr(network, "draws_masks", False)
    if drawing:
        _check_outlines(prepared.dataset)
    train = prepared.objects("train", recipe.batch, seed=asked.seed, augment=recipe.augment, workers=asked.workers,
                             regions=drawing, search=search)  # fmt: skip
    val = watched(prepared).objects("val", AT_ONCE) if "val" in prepared.dataset.splits else None
    return Detect(network, classes, preparation, devices, recipe, train, val)


def _check_outlines(dataset: Dataset) -> None:
    """A network that draws masks learns from the outline of every object."""
    for entry in dataset.entries:
        if entry.split == "train" and not outlined(entry.target):
            raise UsageError(
                "this network draws masks, and some objects here have boxes only", got=entry.id,
                allowed="polygons or masks for every object", fix="--net fasterrcnn_resnet50_fpn",
            )  # fmt: skip


def watched(prepared: Prepared) -> Prepared:
    """The same with so many validation pictures, spread over all, that judging them after each epoch stays cheap.

    An answer costs about a third of a training step, so a seventh of the training pictures costs a twentieth of the
    run. After training all of them are judged.
    """
    dataset = prepared.dataset
    val = [place for place, entry in enumerate(dataset.entries) if entry.split == "val"]
    most = max(FEWEST_WATCHED, round(WATCHED * dataset.splits["train"]))
    if len(val) <= most:
        return prepared
    kept = np.sort(np.array(val)[np.linspace(0, len(val) - 1, most).round().astype(int)])
    return replace(prepared, dataset=replace(dataset, entries=[dataset.entries[k] for k in kept]),
                   rows=prepared.rows[kept])  # fmt: skip


def _built(name: str, classes: int, preparation: Preparation, **arguments: Any) -> nn.Module:
    return build(name, num_classes=classes, in_channels=preparation.channels, **arguments)


def opened(card: Mapping[str, Any], devices: Devices, network: nn.Module | None) -> Detect:
    """The detector a card describes, still without its weights."""
    preparation = Preparation.from_json(card["preparation"])
    if network is None:
        arguments = {**card["network"]["arguments"], **card["recipe"].get("arguments", {})}
        network = _built(card["network"]["name"], len(card["classes"]), preparation, **arguments)
    model = Detect(network, card["classes"], preparation, devices)
    model.nms = card["recipe"]["nms"]
    model.threshold = float(card.get("threshold", model.threshold))
    return model


def decode(dataset: Dataset, preparation: Preparation, voice: Voice) -> Prepared:
    """Every picture decoded once, into the cache."""
    with voice.bar("decoding") as on_progress:
        return prepare(dataset, preparation, on_progress=on_progress)


def sides_of(prepared: Prepared) -> np.ndarray:
    """How large the objects of some training pictures are: float (M,), pixels of what the network sees."""
    found = [np.zeros(0)]
    for batch in prepared.objects("train", AT_ONCE).epoch(0):
        for target in batch.targets:
            boxes = target["boxes"].numpy()
            found.append(np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(1)))
        if len(found) > MEASURED:
            break
    return np.concatenate(found)


def normalised(prepared: Prepared) -> Prepared:
    """The same with the preparation's mean and std measured on training pictures."""
    pixels = []
    for batch in prepared.objects("train", AT_ONCE).epoch(0):
        pixels.append(batch.pictures.permute(0, 2, 3, 1).numpy())
        if len(pixels) * AT_ONCE >= MEASURED:
            break
    every = np.concatenate(pixels).reshape(-1, prepared.preparation.channels)
    mean, std = every.mean(0, dtype=np.float64) / 255, every.std(0, dtype=np.float64) / 255
    measured = replace(
        prepared.preparation,
        mean=tuple(round(float(value), 4) for value in mean),
        std=tuple(max(0.01, round(float(value), 4)) for value in std),
    )
    return replace(prepared, layout=replace(prepared.layout, preparation=measured))
