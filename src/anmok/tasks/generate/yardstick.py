"""By what drawn pictures are judged: the features of a network that knows pictures, scaled by the training pictures'.

    imagenet      EfficientNet-Lite0, whose ImageNet weights are installed with anmok
    RUN           a classifier trained on one's own pictures, by its run's folder

Distances in these features are named after their formulas and never comparable with published FID or KID, which are
taken in Inception's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from anmok.core.errors import UsageError
from anmok.core.preparation import Preparation
from anmok.core.weights import IMAGENET_MEAN, IMAGENET_STD
from anmok.engine.devices import Devices, choose
from anmok.engine.runfolder import RunFolder
from anmok.networks import build
from anmok.tasks._kind import TASKS

BUNDLED = "imagenet"
SMALLEST, LARGEST = 64, 128  # pixels the bundled network is shown
AT_ONCE = 100


@dataclass(frozen=True)
class Eye:
    """A network that hands out maps of pictures, and how it wants them.

    Args:
        title: for reports.
        network: one of `anmok.networks` that classifies.
        mean, std: of its pictures' channels.
        smallest, largest: sides in pixels it is shown.
    """

    title: str
    network: nn.Module
    mean: Sequence[float]
    std: Sequence[float]
    smallest: int
    largest: int

    @property
    def width(self) -> int:
        """Numbers by which a picture is described."""
        return sum(stage.channels for stage in self.network.stages)  # type: ignore[union-attr]

    def __call__(self, x: Tensor) -> Tensor:
        """Intensities (N, C, S, S) → the maps of all stages, averaged over their places (N, width)."""
        side = min(max(x.shape[2], self.smallest), self.largest)
        if x.shape[2] != side:
            x = F.interpolate(x, (side, side), mode="bilinear", antialias=True)
        mean, std = (x.new_tensor(values).view(-1, 1, 1) for values in (self.mean, self.std))
        shown = _channels(x, len(self.mean))
        maps = self.network.features(((shown - mean) / std).contiguous(memory_format=torch.channels_last))  # type: ignore[operator]
        return torch.cat([stage.float().mean((2, 3)) for stage in maps], 1)


class Yardstick(nn.Module):
    """Pictures → one vector each, in which training pictures have mean 0 and variance 1.

    All stages count: edges and textures as well as objects. Only the scale is part of its state: the network comes
    with anmok, or lies in its own run.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, features: str = BUNDLED) -> None:
        super().__init__()
        self._eye = [bundled_eye() if features == BUNDLED else eye_of(features)]  # in a list: no part of the state
        self.register_buffer("mean", torch.zeros(self.eye.width))
        self.register_buffer("scale", torch.ones(self.eye.width))

    @property
    def eye(self) -> Eye:
        """The network that looks."""
        return self._eye[0]

    @torch.no_grad()
    def raw(self, pictures: np.ndarray, devices: Devices) -> np.ndarray:
        """Pictures uint8 (N, S, S, C) → float32 (N, width), not yet scaled."""
        devices.place(self.eye.network)
        found = []
        for start in range(0, len(pictures), AT_ONCE):
            part = torch.from_numpy(np.ascontiguousarray(pictures[start : start + AT_ONCE])).to(devices.device)
            with devices.autocast():
                found.append(self.eye(part.movedim(3, 1).float() / 255).cpu().numpy())
        return np.concatenate(found) if found else np.zeros((0, self.eye.width), np.float32)

    def measure_by(self, raw: np.ndarray) -> None:
        """Take the scale from training pictures' raw features; what never varies there is not looked at."""
        std = raw.std(0)
        varies = std > 1e-4 * max(float(std.max()), 1e-12)
        self.mean.copy_(torch.from_numpy(raw.mean(0)))
        self.scale.copy_(torch.from_numpy(np.divide(1, std, out=np.zeros_like(std), where=varies)))

    def scaled(self, raw: np.ndarray) -> np.ndarray:
        """Raw features in units of the training pictures' spread."""
        return (raw - self.mean.cpu().numpy()) * self.scale.cpu().numpy()

    def forward(self, pictures: np.ndarray, devices: Devices) -> np.ndarray:
        """Pictures uint8 (N, S, S, C) → features (N, width)."""
        return self.scaled(self.raw(pictures, devices))


def bundled_eye() -> Eye:
    """EfficientNet-Lite0 with its ImageNet weights."""
    network = build("efficientnet_lite0", num_classes=None, weights="imagenet").eval()
    return Eye("EfficientNet-Lite0 (ImageNet)", network, IMAGENET_MEAN, IMAGENET_STD, SMALLEST, LARGEST)


def eye_of(place: str) -> Eye:
    """The network of a classification run.

    Raises:
        UsageError: there is no such run, or its network hands out no maps.
    """
    card_file = Path(place) / "card.json"
    if not card_file.is_file():
        raise UsageError("features come from a network that knows pictures", got=f"--features {place}",
                         allowed=f"{BUNDLED}, or the folder of a classification run")  # fmt: skip
    folder = RunFolder.open(place)
    card: dict[str, Any] = folder.read_json("card.json")
    if card["task"] != "classify" or card["network"]["own"]:
        raise UsageError("features come from a classifier of anmok's own networks", path=folder.path,
                         got=f"{card['task']}, {card['network']['name']}")  # fmt: skip
    preparation = Preparation.from_json(card["preparation"])
    network = TASKS["classify"]().opened(card, choose("cpu", "float32")).network
    if not getattr(network, "stages", ()):
        raise UsageError("this network hands out no maps", path=folder.path, got=card["network"]["name"],
                         fix="a run of small_resnet, resnet18 …")  # fmt: skip
    weights = load_file(folder.best)
    network.load_state_dict({name: weights[f"network.{name}"] for name in network.state_dict()})
    title, size = f"{card['network']['name']} of {folder.path}", preparation.size
    return Eye(title, network.eval(), preparation.mean, preparation.std, size, size)


def _channels(x: Tensor, wanted: int) -> Tensor:
    """Grey repeated, or colour averaged, to as many channels as the network wants."""
    if x.shape[1] == wanted:
        return x
    return x.mean(1, keepdim=True).expand(-1, wanted, -1, -1)
