"""Grad-CAM: where in the last feature maps the evidence for a class lies.

Selvaraju et al. (2017), "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization". Written
out, unlike the other explainers: it is two equations, every report shows it, and captum's takes a fifth of a second to
import (decision 0016).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anmok.core.errors import UsageError, nearest
from anmok.core.registry import register
from anmok.explain._explanation import Explanation, chosen, logits_of, prepared, ready, scaled

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


@dataclass
class _Call:
    """One module's turn in a forward pass."""

    name: str
    module: nn.Module
    shape: tuple[int, ...]


@register("explainer")
def class_activation(
    network: nn.Module, picture: Tensor, target: int | None = None, layer: str | None = None, **_: Any
) -> Explanation:
    """Grad-CAM of one picture.

    Args:
        network: any classifier with convolutions, (1, C, H, W) → (1, classes).
        picture: (C, H, W), float, normalised as in training; grey or RGB, any size the network takes.
        target: class id; None: the likeliest.
        layer: a module's name as in `network.named_modules()`; None: what `network.feature_layer(batch)` says where
            it has one, else `last_feature_layer`.

    Raises:
        UsageError: no such layer, no convolution, or the layer's output is no stack of maps.
    """
    batch = prepared(network, picture)
    with ready(network):
        name = _own_layer(network, batch) if layer is None else layer
        maps, logits = _maps_and_logits(network, _named(network, name), batch.requires_grad_())
        target, score = chosen(logits, target)
        if maps is None or maps.ndim != 4:
            raise UsageError("class activation needs maps", got=f"layer {name!r} without height and width",
                             fix=f"layer={last_feature_layer(network, batch)!r}")  # fmt: skip
        (gradients,) = torch.autograd.grad(logits[0, target], maps)
    weights = gradients.mean((2, 3), keepdim=True)  # how much a map as a whole speaks for the class: equation 1 …
    evidence = (weights * maps.detach()).sum(1, keepdim=True).relu()  # … and where the maps speak for it: equation 2
    fine = F.interpolate(evidence.float(), size=batch.shape[-2:], mode="bilinear", align_corners=False)
    heat, peak = scaled(fine[0, 0])
    scaling = f"0: no evidence for the class or evidence against it; 1: the strongest evidence ({peak:.3g})"
    return Explanation(heat, target, score, "class_activation", scaling, peak, name)


def _maps_and_logits(network: nn.Module, module: nn.Module, batch: Tensor) -> tuple[Tensor | None, Tensor]:
    """A module's output for `batch`, (1, K, H, W), and the network's, (1, classes); None where the module hands out
    something else than a tensor. Of a module that runs more than once, the last time's."""
    found: list[Tensor] = []

    def keep(_: nn.Module, __: Any, output: Any) -> Tensor | None:
        if not isinstance(output, Tensor):
            return None
        found.append(output)
        return output.clone()  # what follows may change it in place

    hook = module.register_forward_hook(keep)
    try:
        logits = logits_of(network, batch)
    finally:
        hook.remove()
    return found[-1] if found else None, logits


def last_feature_layer(network: nn.Module, batch: Tensor) -> str:
    """The layer that class activation looks at where none is named.

    The rule: find the last convolution, in the order of the forward pass, whose output has at least 2 × 2 positions;
    then go on to the last module that still hands out maps of that size. So the normalisation, the activation and the
    addition of a skip that follow the convolution are included, and pooling is not. Modules that run more than once in
    a pass (a shared ReLU) are passed over.
    """
    once = [call for call in _once(network, batch) if call.name]
    convolutions = [place for place, call in enumerate(once) if _is_map(call) and isinstance(call.module, CONVOLUTIONS)]
    if not convolutions:
        raise UsageError("class activation needs a classifier with a convolution of 2 × 2 positions or more",
                         got=f"{type(network).__name__} on a picture of {batch.shape[-2]} × {batch.shape[-1]}",
                         fix="a larger picture, or occlusion, which needs no convolution")  # fmt: skip
    last = convolutions[-1]
    size = once[last].shape[-2:]
    return [call.name for call in once[last:] if call.shape[-2:] == size][-1]


def coarsest_feature_layer(network: nn.Module, batch: Tensor, least: int = 6) -> str:
    """The last layer at the coarsest maps that still have `least` × `least` positions.

    For networks that end at full size again, as segmentation does: their last maps are the answer itself. Where no map
    is that fine, or no convolution makes one, the rule of `last_feature_layer` holds.
    """
    once = [call for call in _once(network, batch) if call.name]
    sizes = {
        call.shape[-2:] for call in once if min(call.shape[-2:]) >= least and isinstance(call.module, CONVOLUTIONS)
    }
    if not sizes:
        return last_feature_layer(network, batch)
    coarsest = min(sizes, key=lambda size: size[0] * size[1])
    return [call.name for call in once if call.shape[-2:] == coarsest][-1]


def _own_layer(network: nn.Module, batch: Tensor) -> str:
    own = getattr(network, "feature_layer", None)
    return last_feature_layer(network, batch) if own is None else own(batch)


def _once(network: nn.Module, batch: Tensor) -> list[_Call]:
    """The turns that hand out maps, of modules that run once in a pass."""
    calls = _calls(network, batch)
    often = {id(call.module) for place, call in enumerate(calls) if any(c.module is call.module for c in calls[:place])}
    return [call for call in calls if id(call.module) not in often and len(call.shape) == 4]


def _is_map(call: _Call) -> bool:
    return min(call.shape[-2:]) >= 2


def _calls(network: nn.Module, batch: Tensor) -> list[_Call]:
    """Every module's turn, in the order they finish; containers finish after what they contain."""
    calls: list[_Call] = []
    hooks = []
    for name, module in network.named_modules():

        def note(module: nn.Module, _: object, output: object, name: str = name) -> None:
            if isinstance(output, Tensor):
                calls.append(_Call(name, module, tuple(output.shape)))

        hooks.append(module.register_forward_hook(note))
    try:
        with torch.no_grad():  # only shapes are wanted: no map is kept for a backward pass
            network(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _named(network: nn.Module, name: str) -> nn.Module:
    modules = dict(network.named_modules())
    if not name or name not in modules:
        close = nearest(name, [known for known in modules if known])
        raise UsageError("the network has no layer of this name", got=repr(name), fix=repr(close) if close else None,
                         allowed=f"any of its {len(modules) - 1} module names")  # fmt: skip
    return modules[name]
