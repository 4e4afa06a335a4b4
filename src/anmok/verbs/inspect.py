"""Inspect: what a network is, for a run, a network by name or any `nn.Module`; what its filters and maps look like."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from anmok.core.preparation import Preparation
from anmok.networks import build, card, published, task_of
from anmok.tasks._kind import to_inspect
from anmok.tasks.published import prepared_as
from anmok.verbs.classifier import NATURAL, Classifier, preparation_for
from anmok.verbs.codes import look_at_codes
from anmok.verbs.opened import OpenedRun, subject_of
from anmok.verbs.predict import prepared_picture
from anmok.verbs.settings import InspectSettings


@dataclass(frozen=True)
class Inspected:
    """The anatomy, its page for the terminal, and the pictures that were drawn."""

    anatomy: Anatomy
    text: str
    pictures: Sequence[Path]


@dataclass(frozen=True)
class _Subject:
    """What is inspected: its name for headings and files, and what is known about it. `shape`: of one picture."""

    title: str
    network: nn.Module
    shape: tuple[int, ...]
    preparation: Preparation | None
    about: str

    def file_name(self, layer: str, what: str) -> str:
        """A name for a picture of one layer."""
        return f"{re.sub(r'[^0-9A-Za-z_.]+', '-', self.title.split(' ')[0])}-{layer}-{what}.png"


def inspect(subject: str | Path | nn.Module | Classifier, **settings: Any) -> Inspected:
    """Look into a network.

    Args:
        subject: a name as in `anmok.networks`, `timm:<name>`, a run or its folder, or any `nn.Module`.
        settings: see `anmok.verbs.settings.InspectSettings`.

    Raises:
        UsageError: no such network, run or layer, or a picture size it cannot take.
        PictureError: the picture cannot be read.
    """
    asked: InspectSettings = InspectSettings.of(**settings)
    found = _by_name(subject, asked) if task_of(subject) else _opened(subject, asked)
    taken = anatomy(found.network, found.shape)
    text = render(taken, 0 if asked.depth is None else asked.depth)
    if asked.card and found.about:
        text = f"{found.about}\n\n{text}"
    pictures = []
    if asked.draw is not None:
        draw(taken, asked.draw, title=found.title)
        pictures.append(asked.draw)
    if asked.picture is not None:
        pictures += _look_inside(found, asked, asked.picture)
    if asked.codes or asked.walk is not None:
        pictures += look_at_codes(subject_of(subject), asked.walk, asked.out, asked.map)
    return Inspected(taken, text, pictures)


def _by_name(subject: Any, asked: InspectSettings) -> _Subject:
    """Without weights for structure alone; with weights, random ones unless asked for, to look at filters and maps."""
    name, about = str(subject), card(subject)
    with torch.device("meta" if asked.picture is None and asked.weights is None else "cpu"):
        network: Any = build(
            name, num_classes=asked.num_classes, in_channels=asked.channels, weights=asked.weights
        ).eval()
    if not hasattr(network, "accepts"):
        parts = " or ".join(part for part, _ in network.named_children())
        raise UsageError(f"{name} is not shown pictures; its parts can be inspected one by one", got=repr(name),
                         allowed=parts, fix=f"anmok.anatomy(anmok.networks.{name}().{parts.split(' ')[0]}, shape) in "
                         "Python")  # fmt: skip
    size = asked.imgsz or about.natural
    preparation = None
    if asked.picture is not None:
        files = published(name)
        file = files.get(asked.weights or "") or (list(files.values())[-1] if asked.weights and files else None)
        preparation = prepared_as(file.preprocessing, size, network.accepts.channels) if file else preparation_for(
            network, size
        )  # fmt: skip
    return _Subject(name, network, (network.accepts.channels, size, size), preparation, str(about))


def _opened(subject: str | Path | nn.Module | Classifier, asked: InspectSettings) -> _Subject:
    """A run, or a module of one's own; neither takes weights, classes or channels."""
    if asked.weights is not None or asked.num_classes is not None:
        raise UsageError("only a network by its name is built to order", got=f"{subject!r} with weights or num_classes")
    if isinstance(subject, nn.Module):
        first = next((part for part in subject.modules() if isinstance(part, nn.Conv2d)), None)
        channels = asked.channels or (3 if first is None else first.in_channels)
        size = asked.imgsz or int(getattr(getattr(subject, "accepts", None), "natural", NATURAL))
        preparation = None if asked.picture is None else preparation_for(subject, size)
        return _Subject(type(subject).__name__, subject, (channels, size, size), preparation, "")
    one = subject_of(subject)
    size = asked.imgsz or one.preparation.size
    name = one.card["network"]["name"] if isinstance(one, OpenedRun) else ""
    about = str(card(name)) if task_of(name) else ""
    preparation = replace(one.preparation, size=size, store=max(size, one.preparation.store))
    network, shape = to_inspect(one.model, size)
    if asked.picture is not None and network is not one.network:
        raise UsageError("this network is not shown pictures", got=f"--picture {asked.picture}", fix="leave it out")
    return _Subject(one.title, network, shape, preparation, about)


def _look_inside(found: _Subject, asked: InspectSettings, path: Path) -> list[Path]:
    """The maps of a layer, and its filters where it is a convolution; by default the first convolution."""
    assert found.preparation is not None
    convolutions = [name for name, part in found.network.named_modules() if isinstance(part, nn.Conv2d)]
    layer = asked.layer or filters_of(found.network)[0]
    maps = feature_maps(found.network, _normalised(path, found.preparation), layer)
    made = []
    if layer in convolutions:
        _, weights = filters_of(found.network, layer)
        figure = filters_figure(f"{found.title}, {layer}", weights)
        made.append(save(figure, asked.out / found.file_name(layer, "filters")))
    made.append(save(maps_figure(f"{found.title}, {layer}", maps), asked.out / found.file_name(layer, "maps")))
    return made


def _normalised(path: Path, preparation: Preparation) -> Tensor:
    pixels = prepared_picture(path, preparation).astype(np.float32) / 255
    mean, std = (np.array(values, np.float32) for values in (preparation.mean, preparation.std))
    return torch.from_numpy((pixels - mean) / std).permute(2, 0, 1)
