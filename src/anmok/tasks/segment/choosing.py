"""How a segmentation will be trained: what the network sees is chosen from the pictures and from what is drawn in them.

Small pictures stay as they are; middling ones are padded to a square. Large ones are either made smaller, which keeps
the whole scene in view, or cut into windows of their own resolution, which keeps small structures visible: what would
shrink below `VISIBLE` pixels decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from anmok.core.errors import UsageError
from anmok.core.preparation import Preparation
from anmok.core.targets import IGNORE
from anmok.core.types import Dataset
from anmok.engine.devices import Devices
from anmok.engine.randomness import seed_everything
from anmok.losses.weighted_sum import parse_sum
from anmok.networks import OF_TASK, TIMM, _embedded, build, demand
from anmok.tasks._kind import Asked, Plan, Voice, tell_set_aside
from anmok.tasks.balance import class_weights
from anmok.tasks.own_network import demand_fit
from anmok.tasks.published import RANDOM, bring, preparation_of, version_here
from anmok.tasks.segment.learning import Segment
from anmok.tasks.segment.looking import Seen, look
from anmok.tasks.segment.naming import background_of, sided
from anmok.tasks.segment.pictures import decode_masks
from anmok.tasks.segment.recipe import SegmentRecipe, choose_recipe

SMALL, MIDDLE = 128, 320  # sides: up to the first pictures stay as they are; up to the second they are padded
TOUCHING = 0.1  # of objects that touch another, from which on seams are learned
PHOTOGRAPH = 160  # shorter side in pixels from which colour pictures are taken for photographs
EMBEDDED = f"unet:{_embedded.EMBEDDED}"  # its ImageNet weights are installed with anmok
SIDE = 256  # of what the network sees of larger ones
VISIBLE = 10  # pixels across that a structure must keep when pictures are made smaller
STEP = 32  # sides are multiples: encoders halve five times
AT_ONCE = 16  # pictures evaluated together
MOVING = ("rotate", "shift", "crop", "colour", "cutout", "elastic")  # who asks for one of these gets it from the start


def choose_preparation(seen: Seen, imgsz: int | None = None, windows: bool | None = None) -> tuple[Preparation, str]:
    """What the network sees of every picture, and why, in words."""
    grey = (0.5,) * seen.channels
    longer = seen.sizes.max(1) if len(seen.sizes) else np.array([SIDE])
    longest = int(longer.max())
    alike = len(np.unique(seen.sizes)) == 1
    if windows is None:
        windows = longest > MIDDLE and _shrinks_away(seen, longest, imgsz or SIDE)
    if windows:
        side = imgsz or min(SIDE, _rounded(longest))
        told = f"windows of {side} × {side} at the pictures' own size: smaller, they would lose small structures"
        return Preparation(side, side, seen.channels, fit="window", mean=grey, std=grey), told
    if alike and imgsz in (None, longest) and longest <= SMALL:
        return Preparation(longest, longest, seen.channels, fit="squash", mean=grey, std=grey), "whole, as they are"
    side = imgsz or (_rounded(longest) if longest <= MIDDLE else SIDE)
    told = f"whole, padded to {side} × {side}"
    return Preparation(side, side, seen.channels, fit="pad", mean=grey, std=grey), told


def _shrinks_away(seen: Seen, longest: int, side: int) -> bool:
    """Whether a quarter of the structures would be narrower than `VISIBLE` when pictures are made smaller."""
    return bool(len(seen.widths) and np.quantile(seen.widths, 0.25) * min(side, longest) < VISIBLE)


def _rounded(side: int) -> int:
    return -(-side // STEP) * STEP


def new_plan(dataset: Dataset, asked: Asked, voice: Voice) -> Plan:
    """Look at the data and choose what the person left open.

    Raises:
        UsageError: a network that does not segment, or a sum of losses that does not read as one.
    """
    _check(asked)
    seen = look(dataset, background_of(dataset.classes))
    start = starting_point(seen, asked)
    if start is not None:
        bring(*start)
    preparation, how = choose_preparation(seen, asked.imgsz, asked.windows)
    voice.say(f"the network sees pictures {how}")
    shares = ", ".join(f"{name} {share:.1%}" for name, share in _largest(dataset.classes, seen.shares))
    voice.say(f"pixels: {shares}")
    seams = _wants_seams(dataset, seen, asked, voice)
    instances = seams or bool(asked.border_weight)
    decoded = decode_masks(dataset, _normalised_as(preparation, start), voice, instances=instances)
    decoded = decoded.normalised() if start is None else decoded
    tell_set_aside(dataset, decoded.dataset, voice)
    handed = sided(dataset.classes)
    flip = not handed if asked.flip is None else asked.flip
    notes = {"the network sees": how, "pixels": shares}
    if handed and asked.flip is None:
        notes["mirroring"] = f"off: a mirror would turn {handed[0]!r} into another class"
        voice.say(f"mirroring {notes['mirroring']}")
    recipe = choose_recipe(decoded.dataset.splits["train"], preparation.size, flip, start)
    asked_for = any(getattr(asked, name, None) for name in MOVING)
    recipe = recipe.asked(asked, "loss", "border_weight")
    recipe = recipe.but(balance=asked.balance, seams=seams, calm=0 if asked_for else None)
    return Plan(decoded, recipe, notes)


def _wants_seams(dataset: Dataset, seen: Seen, asked: Asked, voice: Voice) -> bool:
    """Whether to learn the seams between touching objects: what the person says, else where things of one kind touch.

    Raises:
        UsageError: they are asked for, and the data does not tell objects apart.
    """
    if asked.seams is None:
        kinds = len(dataset.classes) - (background_of(dataset.classes) is not None)
        wanted = kinds == 1 and (seen.touching or 0.0) >= TOUCHING
        if wanted:
            voice.say(f"{seen.touching:.0%} of the objects touch another: seams between them are learned (--no-seams)")
        return wanted
    if asked.seams and seen.touching is None:
        raise UsageError("these masks do not tell objects apart", path=dataset.root, got="--seams",
                         fix="draw each object in a number of its own, or leave --seams out")  # fmt: skip
    return bool(asked.seams)


def starting_point(seen: Seen, asked: Asked) -> tuple[str, str] | None:
    """The network and the published weights its encoder starts from; None to start from nothing.

    Photographs start from the encoder whose weights are installed with anmok. Another network does where `--weights`
    asks for it.
    """
    if asked.weights == RANDOM:
        return None
    if asked.net != "auto":
        return None if asked.weights is None else (asked.net, asked.weights)
    photographs = seen.channels == 3 and len(seen.sizes) and np.median(seen.sizes.min(1)) >= PHOTOGRAPH
    return (EMBEDDED, asked.weights or version_here(EMBEDDED)) if photographs or asked.weights else None


def _normalised_as(preparation: Preparation, start: tuple[str, str] | None) -> Preparation:
    """The preparation with the mean and spread that published weights were trained with."""
    if start is None:
        return preparation
    looks = preparation_of(*start, in_channels=preparation.channels)
    return replace(preparation, mean=looks.mean, std=looks.std, interpolation=looks.interpolation)


def _check(asked: Asked) -> None:
    """Refuse what cannot come true before anything is decoded."""
    if asked.loss is not None:
        parse_sum(asked.loss)
    if asked.balance == "sampling":
        raise UsageError("classes share pictures here, so they cannot be drawn equally often", got="--balance sampling",
                         allowed="weights, none", fix="--balance weights")  # fmt: skip
    known = OF_TASK["segment"]
    if asked.net != "auto" and asked.net.partition(":")[0] not in known:
        stands = asked.net in OF_TASK["classify"] or asked.net.startswith(TIMM)
        raise UsageError(
            "this network does not segment", got=asked.net, allowed=", ".join(known),
            fix=f"--net unet:{asked.net}, the same as a U-Net's encoder" if stands else None,
        )  # fmt: skip
    if asked.net != "auto":
        demand(asked.net, "segment")


def _largest(classes: tuple[str, ...], shares: np.ndarray, most: int = 8) -> list[tuple[str, float]]:
    return [(classes[k], float(shares[k])) for k in np.argsort(-shares, kind="stable")[:most]]


def saved_plan(dataset: Dataset, card: Mapping[str, Any], voice: Voice) -> Plan:
    """What the run of this card was going to do."""
    recipe = SegmentRecipe.from_json(card["recipe"])
    preparation = Preparation.from_json(card["preparation"])
    return Plan(decode_masks(dataset, preparation, voice, instances=recipe.needs_objects), recipe)


def learner(plan: Plan, devices: Devices, asked: Asked, network: nn.Module | None) -> Segment:
    """The task the engine runs."""
    recipe, decoded = plan.recipe, plan.decoded
    classes, preparation = decoded.dataset.classes, decoded.preparation
    if network is None:
        seed_everything(asked.seed)
        network = build(
            recipe.network,
            num_classes=recipe.outputs(len(classes)),
            in_channels=preparation.channels,
            weights=recipe.pretrained,
        )
    else:
        side = preparation.size
        demand_fit(network, preparation, classes, (recipe.outputs(len(classes)), side, side))
    how = {"seed": asked.seed, "augment": recipe.augment, "workers": asked.workers, "calm": recipe.calm}
    train = decoded.masks("train", recipe.batch, **how)
    val = decoded.masks("val", AT_ONCE) if "val" in decoded.dataset.splits else None
    weights = None
    if recipe.balance == "weights":
        pixels = np.bincount(decoded.sample()[1].ravel(), minlength=IGNORE + 1)[: len(classes)]
        weights = class_weights(pixels.tolist())
    return Segment(network, classes, preparation, devices, recipe, train, val, weights)


def opened(card: Mapping[str, Any], devices: Devices, network: nn.Module | None) -> Segment:
    """The segmentation a card describes, still without its weights."""
    preparation, recipe = Preparation.from_json(card["preparation"]), SegmentRecipe.from_json(card["recipe"])
    if network is None:
        described = card["network"]
        network = build(
            described["name"], num_classes=recipe.outputs(len(card["classes"])), in_channels=preparation.channels,
            **described["arguments"],
        )  # fmt: skip
    model = Segment(network, card["classes"], preparation, devices)
    model.mirror, model.seams = recipe.mirror, recipe.seams
    return model
