"""A frozen network, asked for its features: by an engine where many pictures pay for starting it, else by torch.

EfficientNet-Lite0 at 224 × 224 takes torch 7 to 11 ms a picture in bf16 on two cores, OpenVINO 1.7 to 3; making the
graph and starting its process takes one to three seconds. Which of the two computes follows from what is installed and
from how many pictures are asked for, never from a clock, so that a run can be had again.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anmok.core.errors import AnmokError
from anmok.core.modes import evaluating
from anmok.core.types import Batch
from anmok.ship.artefact import INPUT, Graph
from anmok.ship.engines import Engine, installed, openvino_engine
from anmok.ship.graph import to_onnx
from anmok.tasks.classify.learning import Classify

MANY = 1000  # passes from which an engine is worth starting
# Cosine between an engine's vectors and torch's float32 ones, at the median of those tried, and at least. Of 200 times
# four photographs and their corners, bf16 gave 0.995 and, for a corner with next to nothing in it, 0.951; a picture
# moved by a pixel has 0.98 at the median.
ALIKE, LEAST = 0.99, 0.9
_TRIED = 4  # pictures


class Vectors(nn.Module):
    """A network up to the vector before its last layer: of the whole picture, and on demand of its four corners.

    Where that vector is the mean of a map, a part's is the mean of a part of the map, so that parts cost nothing (He et
    al., "SPPnet", 2014, arXiv:1406.4729, treat regions so). Corners are a little over half as wide and high as the map.
    """

    def __init__(self, network: Any, corners: bool = False) -> None:
        super().__init__()
        self.network, self.corners = network, corners

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, S, S), normalised → (N, 1, D), or (N, 5, D) with corners: the whole comes first."""
        maps = self.network.forward_features(x)
        whole = self._head(maps)[:, None]
        return torch.cat([whole, _corners(maps)], 1) if self.corners else whole

    def can_cut(self, x: Tensor) -> bool:
        """Whether the vectors of `x` are the means of its maps, of at least 3 × 3 places."""
        maps = self.network.forward_features(x)
        if maps.ndim != 4 or min(maps.shape[2:]) < 3:
            return False
        whole, mean = self._head(maps), maps.mean((2, 3))
        return whole.shape == mean.shape and torch.allclose(whole, mean, rtol=1e-3, atol=1e-4)

    def _head(self, maps: Tensor) -> Tensor:
        return torch.as_tensor(self.network.forward_head(maps, pre_logits=True)).flatten(1)


def _corners(maps: Tensor) -> Tensor:
    """Means of the map's four corners: (N, D, H, W) → (N, 4, D)."""
    height, width = map(int, maps.shape[2:])  # numbers also while a tracer looks on
    side = height // 2 + 1, width // 2 + 1
    return F.avg_pool2d(maps, side, (height - side[0], width - side[1])).flatten(2).transpose(1, 2)


@torch.no_grad()
def has_corners(model: Classify) -> bool:
    """Whether the network's vectors of corners can be had; tried on noise."""
    size, channels = model.preparation.size, model.preparation.channels
    noise = torch.rand((1, channels, size, size), generator=torch.Generator().manual_seed(0))
    with evaluating(model.network):
        return Vectors(model.network).can_cut(noise.to(model.devices.device))


def identity_of(model: Classify) -> str:
    """Digest of what decides a frozen network's features of a picture: the preparation, the precision, the weights that
    come before the last layer."""
    last = last_layer(model.network, len(model.classes))
    (after,) = (f"{name}." for name, layer in model.network.named_modules() if layer is last)
    digest = hashlib.sha256(f"{json.dumps(model.preparation.to_json())} {model.devices.precision}".encode())
    for name, tensor in sorted(model.network.state_dict().items()):
        if name.startswith(after):
            continue
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def last_layer(network: nn.Module, classes: int) -> nn.Linear:
    """The dense layer that ends in one output a class."""
    layers: Sequence[nn.Module] = list(network.modules())
    return next(layer for layer in reversed(layers) if isinstance(layer, nn.Linear) and layer.out_features == classes)


class Frozen:
    """Pictures → features.

    Attributes:
        way: what computes, for the key under which features are kept.
        corners: whether those of corners are given, too.
        threads: that should ask at once, so that nothing waits.

    Args:
        model: with the network; it must not change while this is in use.
        passes: how many pictures will be asked for in all.
        corners: give those of each picture's four corners, too; only where `has_corners`.
    """

    def __init__(self, model: Classify, passes: int = 0, corners: bool = False) -> None:
        self.model, self.corners, self._vectors = model, corners, Vectors(model.network, corners)
        by_engine = pays(passes, model.devices.device.type)
        self.way = f"openvino, {model.devices.precision}" if by_engine else "torch"
        self.threads = 2 if by_engine else 1
        self._engine: Engine | None = None
        self._tried, self._trying = not by_engine, threading.Lock()

    @cached_property
    def identity(self) -> str:
        """See `identity_of`."""
        return identity_of(self.model)

    @torch.no_grad()
    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """uint8 (n, size, size, C) → float16 (n, 1, D), or (n, 5, D): the whole picture, then its corners."""
        with self._trying:
            if not self._tried:
                self._engine, self._tried = self._made(pictures[:_TRIED]), True
            engine = self._engine
        if engine is not None:
            try:
                return _only(engine, pictures).astype(np.float16)
            except AnmokError:  # its process is gone: torch goes on
                self._engine = None
        with self.model.devices.autocast():
            return self._asked(pictures).half().cpu().numpy()

    def _asked(self, pictures: np.ndarray) -> Tensor:
        batch = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
        moved = self.model.devices.move(Batch(batch, None, ()))
        found: Tensor = self._vectors(self.model.normalise(moved.pictures))
        return found.float()

    def _made(self, pictures: np.ndarray) -> Engine | None:
        """The engine, if it can compute this network and its features are torch's, which are computed meanwhile."""
        try:
            graph = to_onnx(self._vectors, self.model.preparation, ("vectors",))
            with ThreadPoolExecutor(1, thread_name_prefix="anmok-engine-start") as thread:
                starting = thread.submit(self._started, graph, pictures)
                wanted = self._asked(pictures).cpu()
                engine, found = starting.result()
        except AnmokError:
            return None
        alike = torch.cosine_similarity(found, wanted, dim=2)
        return engine if alike.median() >= ALIKE and alike.min() >= LEAST else None

    def _started(self, graph: Graph, pictures: np.ndarray) -> tuple[Engine, Tensor]:
        """The engine, and what it makes of some pictures: the first time takes it longer."""
        engine = openvino_engine(graph, self.model.devices.precision, thousands=True)
        return engine, torch.from_numpy(_only(engine, pictures).copy()).float()


def pays(passes: int, device: str) -> bool:
    """Whether an engine is worth starting for so many pictures in place of torch on this device, and there is one."""
    return device == "cpu" and passes >= MANY and "openvino" in installed()


def _only(engine: Engine, pictures: np.ndarray) -> np.ndarray:
    """The graph's one output, whatever an engine calls it."""
    (vectors,) = engine.run({INPUT: np.ascontiguousarray(pictures)}).values()
    return np.asarray(vectors)
