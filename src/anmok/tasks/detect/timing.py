"""Where a detector's time goes: proposals, features, heads.

proposals   selective search, or the network that proposes (`rpn`)
features    what reads pixels: once a picture, or (R-CNN) once a region
heads       all the rest: pooling, dense layers, SVMs, decoding, suppression
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from anmok.tasks.detect.learning import Detect

PARTS = ("proposals", "features", "heads")
# What belongs to a part, by the names of modules; of two that lie in each other the first counts.
MODULES = {
    "features": ("encoder", "neck", "backbone", "convolutions", "features.convolutions", "features"),
    "proposals": ("rpn",),
}


@torch.no_grad()
def timed(model: Detect, pictures: Sequence[np.ndarray]) -> dict[str, float]:
    """Seconds a picture by `PARTS`, each the median over these pictures, one at a time, after one to warm up.

    Proposals are searched anew, not looked up. Reading and resizing the files is not part of it.

    Args:
        pictures: uint8 (S, S, C) each, as the network sees them; at least one.
    """
    model.network.eval()
    spent: dict[str, list[float]] = {part: [] for part in PARTS}
    for number, pixels in enumerate([pictures[0], *pictures]):
        found = _once(model, pixels)
        for part in PARTS if number else ():
            spent[part].append(found[part])
    return {part: float(np.median(seconds)) for part, seconds in spent.items()}


def _once(model: Detect, pixels: np.ndarray) -> dict[str, float]:
    spent = dict.fromkeys(PARTS, 0.0)
    start = perf_counter()
    targets = None
    if model.search is not None:
        regions = torch.from_numpy(model.search.fresh(pixels)).to(model.devices.device)
        targets, spent["proposals"] = [{"regions": regions}], perf_counter() - start
    picture = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]
    with _watched(model, spent), model.devices.autocast():
        x = model.normalise(picture.to(model.devices.device))
        outputs = model.network(x) if targets is None else model.network(x, targets)
    model.network.detect(outputs, score=model.threshold, nms=model.nms)
    _wait(model)
    spent["heads"] = perf_counter() - start - spent["proposals"] - spent["features"]
    return spent


@contextmanager
def _watched(model: Detect, spent: dict[str, float]) -> Iterator[None]:
    """Book the time of the modules in `MODULES` while they run."""
    hooks: list[Any] = []
    for part, module in _modules(model.network):
        begun: list[float] = []

        def start(*_: Any, begun: list[float] = begun) -> None:
            _wait(model)
            begun.append(perf_counter())

        def stop(*_: Any, begun: list[float] = begun, part: str = part) -> None:
            _wait(model)
            spent[part] += perf_counter() - begun.pop()

        hooks += [module.register_forward_pre_hook(start), module.register_forward_hook(stop)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _modules(network: nn.Module) -> list[tuple[str, nn.Module]]:
    known = dict(network.named_modules())
    found: list[tuple[str, nn.Module]] = []
    taken: list[str] = []
    for part, names in MODULES.items():
        for name in names:
            if name in known and not any(other.startswith(f"{name}.") for other in taken):
                found.append((part, known[name]))
                taken.append(name)
    return found


def _wait(model: Detect) -> None:
    if model.devices.device.type == "cuda":
        torch.cuda.synchronize(model.devices.device)
