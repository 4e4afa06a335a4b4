"""Networks that are no runs: published ones by their names, and anybody's `nn.Module`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from anmok.core.errors import UsageError, nearest
from anmok.core.preparation import Preparation
from anmok.core.weights import Preprocessing, imagenet_classes
from anmok.engine.devices import choose
from anmok.networks import NETWORKS, TIMM, build
from anmok.tasks.classify import Classification, Classify
from anmok.tasks.published import RANDOM, build_published, prepared_as, version_here
from anmok.verbs.subject import Subject

NATURAL = 224  # pixels, for networks that do not say


class Classifier(Subject):
    """A network that classifies pictures, wherever it comes from: any `nn.Module` with class names.

    Args:
        network: normalised pictures (N, C, S, S) → logits (N, classes).
        classes: names in the order of the logits; None: `class 0`, `class 1` …
        preparation: what pictures go through before the network; None: see `preparation_for`.
        title: for headings and file names; None: the network's class.
        path: the folder where what is made of it is written.
        temperature: what logits are divided by before they become probabilities.
        device, precision: as in `anmok.train`.
    """

    def __init__(
        self,
        network: nn.Module,
        classes: Sequence[str] | None = None,
        preparation: Preparation | None = None,
        *,
        title: str | None = None,
        path: Path = Path(),
        temperature: float = 1.0,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        network.eval()
        preparation = preparation_for(network) if preparation is None else preparation
        devices = choose(device, precision)
        devices.place(network)
        classes = tuple(classes) if classes is not None else _numbered(network, preparation)
        model = Classify(network, classes, preparation, devices)
        model.temperature = temperature
        super().__init__(Classification(), model, title or type(network).__name__, path)

    def __repr__(self) -> str:
        return f"<Classifier {self.title}: {len(self.classes)} classes>"


def is_network(name: object) -> bool:
    """Whether this names a network that can be built, rather than a run."""
    return isinstance(name, str) and (name.startswith(TIMM) or name in NETWORKS)


def neither_run_nor_network(name: str) -> UsageError:
    """The error for a subject that is nothing at all."""
    guess = nearest(name, NETWORKS)
    return UsageError(
        "there is no run and no network of this name",
        got=repr(name),
        allowed=f"a run's folder, {', '.join(NETWORKS)}, or timm:<name>",
        fix=guess and repr(guess),
    )


def named(name: str, weights: str | None = None, *, imgsz: int | None = None, device: str = "auto") -> Classifier:
    """A network of the zoo that knows ImageNet's classes.

    Args:
        name: as in `anmok.networks`, or `timm:<name>`.
        weights: `imagenet`, `imagenet-v1` …: published ones, downloaded if they are not here; `random`: none, for a
            look at what an untrained network does; None: the newest published ones that are here already.
        imgsz: side in pixels of what the network sees; None: as it was published.
        device: as in `anmok.train`.

    Raises:
        UsageError: no such network or weights, or nothing that could be used without a download.
    """
    weights = version_here(name) if weights is None else weights
    if weights == RANDOM:
        network = build(name, num_classes=None, in_channels=None)
        return Classifier(network, None, preparation_for(network, imgsz), title=f"{name} (random)", device=device)
    network, preparation, known = build_published(name, weights, imgsz=imgsz)
    classes = imagenet_classes() if known == len(imagenet_classes()) else None
    return Classifier(network, classes, replace(preparation, exact=True), title=name, device=device)


def preparation_for(network: nn.Module, imgsz: int | None = None) -> Preparation:
    """What pictures should go through for a network that nothing is known of but itself.

    Its natural size if it has one, else 224; grey where its first convolution reads one channel; ImageNet's
    normalisation.
    """
    accepts = getattr(network, "accepts", None)
    first = next((module for module in network.modules() if isinstance(module, nn.Conv2d)), None)
    read = accepts.channels if accepts is not None else 3 if first is None else first.in_channels
    if read not in (1, 3):
        raise UsageError("pictures have one or three channels", got=f"a network that reads {read}", allowed="1 or 3")
    side = imgsz or (accepts.natural if accepts is not None else NATURAL)
    return prepared_as(Preprocessing(size=side, resize=side), side, read)


def _numbered(network: nn.Module, preparation: Preparation) -> tuple[str, ...]:
    """Names for classes that have none, as many as the network has outputs."""
    like = next(network.parameters(), torch.zeros(1))
    blank = torch.zeros(1, preparation.channels, preparation.size, preparation.size, device=like.device)
    with torch.no_grad():
        output = network(blank.to(like.dtype))
    output = output[0] if isinstance(output, (tuple, list)) else output
    if output.ndim != 2:
        raise UsageError("only a classifier can be asked", got=f"output {tuple(output.shape)} for one picture",
                         allowed="one row of class scores a picture")  # fmt: skip
    return tuple(f"class {number}" for number in range(output.shape[1]))
