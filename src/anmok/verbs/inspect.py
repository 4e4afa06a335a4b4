"""Inspect: what a network is, for a run, a network by name or any `nn.Module`; what its filters and maps look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anmok.anatomy.dissect import anatomy
from anmok.anatomy.drawing import draw
from anmok.anatomy.figures import save
from anmok.anatomy.maps import feature_maps, filters_figure, filters_of, maps_figure
from anmok.anatomy.structure import Anatomy
from anmok.anatomy.text import render
from anmok.core.errors import UsageError
from anmok.core.pictures import load_picture
from anmok.core.preparation import Preparation, centre_crop
from anmok.networks import NETWORKS, TIMM, build, card, published
from anmok.verbs.run import Run, load
from anmok.verbs.settings import InspectSettings

NATURAL = 224  # pixels, for networks that do not say


@dataclass(frozen=True)
class Inspected:
    """The anatomy, its page for the terminal, and the pictures that were drawn."""

    anatomy: Anatomy
    text: str
    pictures: Sequence[Path]


@dataclass(frozen=True)
class _Subject:
    """What is inspected. `preparation` brings a picture to the network; `real`: weights are there, not only shapes."""

    title: str
    network: nn.Module
    preparation: Preparation
    about: str
    real: bool


def inspect(subject: str | Path | nn.Module | Run, **settings: Any) -> Inspected:
    """Look into a network.

    Args:
        subject: a name as in `anmok.networks`, `timm:<name>`, a run or its folder, or any `nn.Module`.
        settings: see `anmok.verbs.settings.InspectSettings`.

    Raises:
        UsageError: no such network, run or layer, or a picture size it cannot take.
        PictureError: the picture cannot be read.
    """
    asked: InspectSettings = InspectSettings.of(**settings)
    found = _subject(subject, asked)
    shape = (found.preparation.channels, found.preparation.size, found.preparation.size)
    taken = anatomy(found.network, shape)
    text = render(taken, 0 if asked.depth is None else asked.depth)
    if asked.card and found.about:
        text = f"{found.about}\n\n{text}"
    pictures = []
    if asked.draw is not None:
        draw(taken, asked.draw, title=found.title)
        pictures.append(asked.draw)
    if asked.picture is not None:
        pictures += _look_inside(found, asked)
    return Inspected(taken, text, pictures)


def _subject(subject: str | Path | nn.Module | Run, asked: InspectSettings) -> _Subject:
    if isinstance(subject, nn.Module):
        return _Subject(type(subject).__name__, subject, _plain(asked, NATURAL), "", real=True)
    name = str(subject)
    if not isinstance(subject, Run) and (name in NETWORKS or name.startswith(TIMM)):
        return _by_name(name, asked)
    if not isinstance(subject, Run) and not Path(name).exists():
        NETWORKS[name]  # raises, naming the nearest
    run = subject if isinstance(subject, Run) else load(name)
    network = run.card["network"]["name"]
    about = str(card(network)) if network in NETWORKS else ""
    return _Subject(f"{run.path.name} ({network})", run.network, run.preparation, about, real=True)


def _by_name(name: str, asked: InspectSettings) -> _Subject:
    about = card(name)
    preparation = _plain(asked, about.natural)
    known = published(name).get(asked.weights or "")
    if known is not None:
        looks = known.preprocessing
        preparation = Preparation(
            asked.imgsz or looks.size, asked.imgsz or looks.size, asked.channels, mean=looks.mean, std=looks.std
        )
    real = asked.picture is not None or asked.weights is not None
    with torch.device("cpu" if real else "meta"):
        network = build(name, num_classes=asked.num_classes, in_channels=asked.channels, weights=asked.weights).eval()
    return _Subject(name, network, preparation, str(about), real)


def _plain(asked: InspectSettings, natural: int) -> Preparation:
    size, half = asked.imgsz or natural, (0.5,) * asked.channels
    if asked.channels not in (1, 3) and asked.picture is not None:
        raise UsageError("a picture has one or three channels", got=asked.channels, allowed="1 or 3")
    return Preparation(size, size, asked.channels if asked.channels in (1, 3) else 3, mean=half, std=half)


def _look_inside(found: _Subject, asked: InspectSettings) -> list[Path]:
    """The filters of the first convolution (or of the layer asked for, if it is one) and the maps of a layer."""
    assert asked.picture is not None
    picture = _normalised(asked.picture, found.preparation)
    layer, weights = filters_of(found.network)
    layer = asked.layer or layer
    maps = feature_maps(found.network, picture, layer)
    stem = f"{found.title.split(' ')[0].replace(':', '-').replace('/', '-')}-{layer}"
    if asked.layer in {name for name, part in found.network.named_modules() if isinstance(part, nn.Conv2d)}:
        _, weights = filters_of(found.network, asked.layer)
    return [
        save(filters_figure(f"{found.title}, {layer}", weights), asked.out / f"{stem}-filters.png"),
        save(maps_figure(f"{found.title}, {layer}", maps), asked.out / f"{stem}-maps.png"),
    ]


def _normalised(path: Path, preparation: Preparation) -> Tensor:
    pixels = centre_crop(load_picture(path, preparation).pixels, preparation.size).astype(np.float32) / 255
    mean, std = (np.array(values, np.float32) for values in (preparation.mean, preparation.std))
    return torch.from_numpy((pixels - mean) / std).permute(2, 0, 1)
