"""Any network of the zoo, or of timm, as the encoder under a decoder or a detector: its stages and nothing else.

    encoder = Encoder("resnet34", in_channels=3)
    encoder.stages                      name, channels and stride of each map, finest first
    maps = encoder(x)                   one map a stage

What the maps do not need (classifier, auxiliary heads, later layers) is taken out, so that every parameter left learns.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from anmok.core.errors import UsageError
from anmok.core.modes import evaluating
from anmok.networks import TIMM, build
from anmok.networks._interface import Accepts, StageInfo
from anmok.networks._pretrained import Source

TRIAL = 64  # height and width of the picture that shows which parameters the maps need


class Encoder(nn.Module):
    """The stages of the network called `name`. (N, in_channels, H, W) → one map a stage, finest first.

    Where the network's stages end in a pooling and it offers the larger maps before (`before_pooling`, as VGG does),
    those are handed out: the details that a decoder wants are gone after the pooling. `pooled` then is True, and the
    last map is the one after the last pooling, which no convolution has read yet.

    Args:
        name: as `anmok.networks.build` takes it, or the network itself, which then is taken apart.
        in_channels: channels of the pictures.
        weights: of the encoder, as `build` takes them.
        strides: hand out only maps of these strides; None: all stages.

    Raises:
        UsageError: for an unknown name, or a network that hands out no maps, or none of these strides.
    """

    def __init__(
        self,
        name: str | nn.Module,
        in_channels: int = 3,
        weights: Source = None,
        strides: Collection[int] | None = None,
    ) -> None:
        super().__init__()
        net: Any = name
        if isinstance(name, str):
            net = build(name, num_classes=1, in_channels=in_channels, weights=weights)
        self.net, self.accepts = net, _accepted(net)
        self.pooled = hasattr(net, "before_pooling")
        stages: tuple[StageInfo, ...] = net.before_pooling if self.pooled else net.stages
        if not stages:
            raise UsageError("this network hands out no maps", got=name, fix="another encoder: resnet18, timm:resnet18")
        self.kept = [i for i, stage in enumerate(stages) if strides is None or stage.stride in strides]
        if not self.kept:
            raise UsageError(
                "this encoder hands out no map of a stride that is needed",
                got=f"{net.accepts.network}: strides {[stage.stride for stage in stages]}",
                allowed=", ".join(map(str, sorted(strides or ()))),
                fix="another encoder: resnet18, timm:resnet18",
            )
        self.stages = tuple(stages[i] for i in self.kept)
        _take_out_unused(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Raises `UsageError` for input that the network does not accept."""
        maps = self.net.features_before_pooling(x) if self.pooled else self.net.features(x)
        return [maps[i] for i in self.kept]


def _accepted(net: Any) -> Accepts:
    """What the network accepts. timm does not say how small a picture may be: so that its coarsest map has a cell."""
    if not net.accepts.network.startswith(TIMM) or not net.stages:
        return net.accepts
    return replace(net.accepts, smallest=max(net.accepts.smallest, *(stage.stride for stage in net.stages), 1))


def freeze(encoder: Encoder, stride: int) -> None:
    """Stop learning in everything that the maps up to `stride` depend on, as detectors do with pretrained edges."""
    fine = [i for i, stage in enumerate(encoder.stages) if stage.stride <= stride]
    for parameter in _behind(encoder, fine):
        parameter.requires_grad_(False)


def _behind(encoder: Encoder, places: Collection[int]) -> list[nn.Parameter]:
    """The parameters that the maps at `places` depend on, read from the graph that autograd keeps of them."""
    frozen = [one for one in encoder.parameters() if not one.requires_grad]
    like = next(encoder.parameters())
    side = max(TRIAL, encoder.accepts.smallest)
    x = torch.zeros(1, encoder.accepts.channels, side, side, dtype=like.dtype, device=like.device)
    encoder.requires_grad_(True)
    with evaluating(encoder), torch.enable_grad():
        maps = encoder(x)
    for parameter in frozen:
        parameter.requires_grad_(False)
    waiting = [maps[i].grad_fn for i in places]
    seen, leaves = set(waiting), set()
    while waiting:
        node = waiting.pop()
        if hasattr(node, "variable"):  # the end of a branch, where a parameter's gradient would gather
            leaves.add(id(node.variable))
        before = {earlier for earlier, _ in node.next_functions if earlier is not None} - seen
        seen |= before
        waiting += before
    return [one for one in encoder.parameters() if id(one) in leaves]


def _take_out_unused(encoder: Encoder) -> None:
    """Replace modules whose parameters no map depends on with nothing."""
    _prune(encoder, {id(one) for one in _behind(encoder, range(len(encoder.stages)))})


def _prune(module: nn.Module, used: set[int]) -> None:
    for parameter in module.parameters(recurse=False):
        if id(parameter) not in used:
            parameter.requires_grad_(False)
    for name, child in module.named_children():
        parameters = list(child.parameters())
        if parameters and not any(id(one) in used for one in parameters):
            setattr(module, name, nn.Identity())
        else:
            _prune(child, used)
