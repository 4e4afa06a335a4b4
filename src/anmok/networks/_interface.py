"""What every classification network offers beside `forward`: its stages, its rules for input, a replaceable head.

    net.stages                  what `features` hands out: names, channels, strides
    net.accepts                 channels and smallest size of the input; checked before torch fails obscurely
    net.features(x)             list of maps, one a stage, finest first: what a decoder or detector stands on
    net.before_pooling          where stages end in a pooling (VGG): the larger maps before it, and the last one after;
                                what `features_before_pooling(x)` hands out
    net.forward_features(x)     the map the classifier is given
    net.forward_head(map)       logits from that map; `pre_logits=True`: the vector before the last dense layer
    net.reset_classifier(n)     a freshly initialised last layer for `n` classes
    net(x)                      forward_head(forward_features(x))
    net.begin_with(pictures)    where a network has it: initial weights from some normalised training pictures

Networks are plain `nn.Module`s that share this by agreement, not by inheritance; `Network` spells the agreement out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from anmok.core.errors import UsageError


@dataclass(frozen=True)
class StageInfo:
    """One of the maps that `features` hands out.

    Args:
        name: the module whose output it is.
        channels: its channels.
        stride: pixels of the input from one cell to the next.
    """

    name: str
    channels: int
    stride: int


@dataclass(frozen=True)
class Accepts:
    """The input a network accepts: float32 (N, channels, H, W), H and W at least `smallest`.

    Args:
        network: the name used in errors.
        channels: 3 for colour, 1 for grey, more for other sensors.
        smallest: the smallest height and width for which every layer still has something to see.
        natural: the height and width the network was designed for.
    """

    network: str
    channels: int
    smallest: int
    natural: int

    def check(self, x: Tensor) -> None:
        """Raise `UsageError` where `x` would only fail later, inside some layer, in torch's own words."""
        if isinstance(x, torch.fx.Proxy) or torch.compiler.is_compiling() or torch.jit.is_tracing():
            return  # a traced graph must not remember one input's size
        wanted = f"float (N, {self.channels}, H, W) with H and W of {self.smallest} or more"
        arrived = f"{str(x.dtype).removeprefix('torch.')} {tuple(x.shape)}"
        if x.ndim != 4:
            fix = "picture[None] for a batch of one" if x.ndim == 3 else "torch.stack(pictures)"
            raise UsageError(f"{self.network} takes a batch of pictures", got=arrived, allowed=wanted, fix=fix)
        if x.shape[1] != self.channels:
            fix = f"build it with in_channels={x.shape[1]}, or give pictures of {self.channels} channels"
            if x.shape[3] == self.channels:
                fix = "x.permute(0, 3, 1, 2): channels come before height and width"
            raise UsageError(f"{self.network} was built for other channels", got=arrived, allowed=wanted, fix=fix)
        if min(x.shape[2:]) < self.smallest:
            fix = f"enlarge the pictures; {self.natural} × {self.natural} is this network's natural size"
            raise UsageError(f"the picture is too small for {self.network}", got=arrived, allowed=wanted, fix=fix)
        if not x.is_floating_point():
            fix = "x.float() / 255, then the normalisation of the weights"
            raise UsageError(f"{self.network} takes normalised pictures", got=arrived, allowed=wanted, fix=fix)


@runtime_checkable
class Network(Protocol):
    """The agreement, for type checkers and for `isinstance`."""

    stages: tuple[StageInfo, ...]
    accepts: Accepts

    def features(self, x: Tensor) -> list[Tensor]:
        """One map a stage, finest first: (N, stage.channels, about H / stage.stride, about W / stage.stride)."""

    def forward_features(self, x: Tensor) -> Tensor:
        """The map (or tokens) that `forward_head` takes."""

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits (N, num_classes), or with `pre_logits` the vector (N, D) before the last dense layer."""

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the last dense layer by a freshly initialised one."""


Keep = Callable[[str, Tensor], Tensor]  # shown a module's name and its map on the way, hands the map back


class Kept(dict[str, Tensor]):
    """Maps by the names of the modules they come from."""

    def __call__(self, name: str, x: Tensor) -> Tensor:
        """Keep a map and hand it back."""
        self[name] = x
        return x


def all_stages(net: Any, x: Tensor) -> list[Tensor]:
    """What `features` hands out, kept on the way through `net.trunk`."""
    kept = Kept()
    net.trunk(x, kept)
    return [kept[stage.name] for stage in net.stages]


def keep_nothing(name: str, x: Tensor) -> Tensor:
    """Hand the map back: an answer alone needs no stage, and its memory is free as soon as it has been read."""
    return x


class Stages(nn.Sequential):
    """A sequence of layers that returns the maps after the layers called `ends`, not only the last one.

    It is a `Sequential` so that published weights, which call it `features`, find their layers by number or name.
    """

    def __init__(self, accepts: Accepts, layers: OrderedDict[str, nn.Module], ends: Sequence[str]) -> None:
        super().__init__(layers)
        self.accepts, self.ends = accepts, frozenset(ends)

    def forward(self, x: Tensor, last: bool = False) -> list[Tensor]:  # type: ignore[override]
        """(N, C, H, W) → one map an end, finest first; with `last` only the last one, and no other is held meanwhile.

        Raises:
            UsageError: for input that cannot pass.
        """
        self.accepts.check(x)
        maps = []
        for name, layer in self.named_children():
            x = layer(x)
            if name in self.ends and not last:
                maps.append(x)
        return [x] if last else maps

    def before_ends(self, x: Tensor) -> list[Tensor]:
        """(N, C, H, W) → the maps that the `ends` are given, finest first, and the last layer's output."""
        self.accepts.check(x)
        maps = []
        for name, layer in self.named_children():
            if name in self.ends:
                maps.append(x)
            x = layer(x)
        return [*maps, x]


def numbered(layers: Sequence[nn.Module]) -> OrderedDict[str, nn.Module]:
    """Layers under the names "0", "1", …, as a plain `Sequential` would call them."""
    return OrderedDict((str(index), layer) for index, layer in enumerate(layers))


def reset_heads(net: Any, num_classes: int) -> None:
    """Replace every layer named in `net.heads` by one of `num_classes`, initialised by `net.initialize`.

    A head is a dense layer, or the convolution that answers at every place.
    """
    if num_classes < 1:
        raise UsageError("a classifier needs classes", got=num_classes, allowed="1 or more")
    for name in net.heads:
        old = net.get_submodule(name)
        like = {"bias": old.bias is not None, "device": old.weight.device, "dtype": old.weight.dtype}
        new: nn.Module
        if isinstance(old, nn.Conv2d):
            new = nn.Conv2d(old.in_channels, num_classes, old.kernel_size, old.stride, old.padding, **like)  # type: ignore[arg-type]
        else:
            new = nn.Linear(old.in_features, num_classes, **like)
        net.initialize(new)
        net.set_submodule(name, new)
