"""How a segmentation will be trained: what the network sees is chosen from the pictures and from what is drawn in them.

Small pictures stay as they are; middling ones are padded to a square. Large ones are either made smaller, which keeps
the whole scene in view, or cut into windows of their own resolution, which keeps small structures visible: what would
shrink below `VISIBLE` pixels decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from anmok.core.errors import PictureError, UsageError
from anmok.core.instances import numbered
from anmok.core.preparation import Preparation
from anmok.core.seeds import seed_everything
from anmok.core.targets import IGNORE, Frame
from anmok.core.types import Dataset
from anmok.engine.devices import Devices
from anmok.losses.weighted_sum import parse_sum
from anmok.networks import OF_TASK, TIMM, build
from anmok.tasks._kind import Asked, Plan, Voice
from anmok.tasks.balance import class_weights
from anmok.tasks.segment.learning import Segment
from anmok.tasks.segment.naming import background_of, sided
from anmok.tasks.segment.pictures import decode_masks
from anmok.tasks.segment.recipe import SegmentRecipe, choose_recipe

LOOKED_AT = 48  # pictures and masks opened before training
SMALL, MIDDLE = 128, 320  # sides: up to the first pictures stay as they are; up to the second they are padded
SIDE = 256  # of what the network sees of larger ones
VISIBLE = 10  # pixels across that a structure must keep when pictures are made smaller
STEP = 32  # sides are multiples: encoders halve five times
AT_ONCE = 16  # pictures evaluated together


@dataclass(frozen=True)
class Seen:
    """What some pictures and masks of a data set look like.

    `sizes` int (n, 2): height and width. `channels`: the most. `widths` (m,): how wide objects are, each as a share of
    its picture's longer side (the root of its area). `shares` (classes,): of all judged pixels.
    """

    sizes: np.ndarray
    channels: int
    widths: np.ndarray
    shares: np.ndarray


def look(dataset: Dataset, background: int | None) -> Seen:
    """Open some pictures with their masks, evenly spread over the data set; what cannot be read is passed over."""
    sizes, channels, widths = [], 1, [np.zeros(0)]
    pixels = np.zeros(len(dataset.classes), np.int64)
    step = max(1, len(dataset.entries) // LOOKED_AT)
    for entry in list(dataset.entries)[::step][:LOOKED_AT]:
        try:
            picture = dataset.pictures.read(entry.locator)
            size = (picture.shape[0], picture.shape[1])
            mask = dataset.masks.classes(entry.target, _frame(dataset, entry.locator, size))  # type: ignore[union-attr]
        except PictureError:
            continue
        sizes.append(size)
        channels = max(channels, picture.shape[2])
        counts = np.bincount(mask.ravel(), minlength=256)[: len(pixels)]
        pixels += counts
        widths += [_widths(mask == number) / max(size) for number in np.flatnonzero(counts) if number != background]
    return Seen(np.array(sizes).reshape(-1, 2), channels, np.concatenate(widths), pixels / max(1, pixels.sum()))


def _frame(dataset: Dataset, locator: str | int, size: tuple[int, int]) -> Frame:
    frame = getattr(dataset.pictures, "frame", None)
    return Frame(size) if frame is None else frame(locator)


def _widths(own: np.ndarray) -> np.ndarray:
    areas = np.bincount(numbered(own).ravel())[1:]
    return np.sqrt(areas[areas > 4])  # specks are noise of annotation


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
    preparation, how = choose_preparation(seen, asked.imgsz, asked.windows)
    voice.say(f"the network sees pictures {how}")
    shares = ", ".join(f"{name} {share:.1%}" for name, share in _largest(dataset.classes, seen.shares))
    voice.say(f"pixels: {shares}")
    border = asked.border_weight or 0.0
    decoded = decode_masks(dataset, preparation, voice, instances=border > 0).normalised()
    for item in decoded.dataset.quarantined[len(dataset.quarantined) :]:
        voice.warn(f"{item.path}: {item.reason}. Try: {item.fix}.")
    handed = sided(dataset.classes)
    flip = not handed if asked.flip is None else asked.flip
    notes = {"the network sees": how, "pixels": shares}
    if handed and asked.flip is None:
        notes["mirroring"] = f"off: a mirror would turn {handed[0]!r} into another class"
        voice.say(f"mirroring {notes['mirroring']}")
    recipe = choose_recipe(decoded.dataset.splits["train"], preparation.size, flip)
    recipe = recipe.asked(asked, "loss", "border_weight").but(balance=asked.balance)
    return Plan(decoded, recipe, notes)


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


def _largest(classes: tuple[str, ...], shares: np.ndarray, most: int = 8) -> list[tuple[str, float]]:
    return [(classes[k], float(shares[k])) for k in np.argsort(-shares, kind="stable")[:most]]


def saved_plan(dataset: Dataset, card: Mapping[str, Any], voice: Voice) -> Plan:
    """What the run of this card was going to do."""
    recipe = SegmentRecipe.from_json(card["recipe"])
    preparation = Preparation.from_json(card["preparation"])
    return Plan(decode_masks(dataset, preparation, voice, instances=recipe.border_weight > 0), recipe)


def learner(plan: Plan, devices: Devices, asked: Asked, network: nn.Module | None) -> Segment:
    """The task the engine runs."""
    recipe, decoded = plan.recipe, plan.decoded
    classes, preparation = decoded.dataset.classes, decoded.preparation
    if network is None:
        seed_everything(asked.seed)
        network = build(recipe.network, num_classes=len(classes), in_channels=preparation.channels)
    train = decoded.training(recipe.batch, recipe.augment, seed=asked.seed, workers=asked.workers)
    val = decoded.judged("val", AT_ONCE) if "val" in decoded.dataset.splits else None
    weights = None
    if recipe.balance == "weights":
        pixels = np.bincount(decoded.sample()[1].ravel(), minlength=IGNORE + 1)[: len(classes)]
        weights = class_weights(pixels.tolist())
    return Segment(network, classes, preparation, devices, recipe, train, val, weights)


def opened(card: Mapping[str, Any], devices: Devices, network: nn.Module | None) -> Segment:
    """The segmentation a card describes, still without its weights."""
    preparation = Preparation.from_json(card["preparation"])
    if network is None:
        described = card["network"]
        network = build(
            described["name"], num_classes=len(card["classes"]), in_channels=preparation.channels,
            **described["arguments"],
        )  # fmt: skip
    model = Segment(network, card["classes"], preparation, devices)
    model.mirror = bool(card["recipe"]["mirror"])
    return model
