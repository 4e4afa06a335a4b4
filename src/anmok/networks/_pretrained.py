"""From published weights to a network with the wanted classes and channels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from anmok.core.errors import CheckpointError, UsageError, nearest
from anmok.core.weights import IMAGENET_MEAN, IMAGENET_STD, Preprocessing, Weights, fetch, read_weights

N = TypeVar("N", bound=nn.Module)
Source = str | Path | Weights | None
State = dict[str, Tensor]

_ALIAS = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def torchvision_file(
    stem: str, top1: float, top5: float, *, size: int = 224, resize: int = 256, version: int = 1
) -> Weights:
    """The weights that torchvision publishes under `stem`, which ends in the first digits of their SHA-256."""
    return Weights(
        url=f"https://download.pytorch.org/models/{stem}.pth",
        preprocessing=Preprocessing(size=size, resize=resize),
        top1=top1,
        top5=top5,
        source=f"torchvision, IMAGENET1K_V{version}",
    )


def load(
    net: N,
    weights: Source,
    published: Mapping[str, Weights],
    *,
    translate: Callable[[State], State] = dict,
    unused: Iterable[str] = (),
) -> N:
    """Fill `net` with weights and return it; with None it stays as it is.

    Where `net` has other classes than the file, its last dense layers keep their fresh initialisation. Where it has
    other channels, the first convolution's kernels are adapted by `adapt_channels`. Everything else must fit exactly.

    Args:
        net: built for the wanted classes and channels.
        weights: see `anmok.networks.build`.
        published: the network's files by name, oldest first.
        translate: the file's tensors by its names → the same by the network's names.
        unused: beginnings of names that the file has and this form of the network lacks (auxiliary heads).

    Raises:
        UsageError: for unknown weights.
        CheckpointError: for a file that does not fit; every misfit is listed.
    """
    if weights is None:
        return net
    state = translate(_read(weights, published))
    state = {key: value for key, value in state.items() if not key.startswith(tuple(unused))}
    _fit(net, state, weights)
    net.load_state_dict(state)
    return net


def wants_published(weights: Source, published: Mapping[str, Weights]) -> bool:
    """Whether `weights` names a published file rather than one of the user's own."""
    return isinstance(weights, Weights) or (isinstance(weights, str) and weights in {"imagenet", *published})


def _read(weights: str | Path | Weights, published: Mapping[str, Weights]) -> State:
    if isinstance(weights, str) and weights == "imagenet" and published:
        weights = list(published.values())[-1]
    elif isinstance(weights, str) and weights in published:
        weights = published[weights]
    if isinstance(weights, Weights):
        return read_weights(fetch(weights), [weights.sha256_prefix])
    if isinstance(weights, str) and _ALIAS.fullmatch(weights) and not Path(weights).exists():
        names = ["imagenet", *published] if published else []
        guess = nearest(weights, names)
        raise UsageError(
            "there are no published weights of this name for this network",
            got=repr(weights),
            allowed=", ".join([*names, "the path of a file", "None"]),
            fix=repr(guess) if guess else None,
        )
    return read_weights(weights, [known.sha256_prefix for known in published.values()])


def _fit(net: Any, state: State, weights: object) -> None:
    """Bring `state` to the shapes of `net` where that is meant to happen, and list what fits nowhere."""
    own = net.state_dict()
    for head in net.heads:
        names = (f"{head}.weight", f"{head}.bias")
        if any(name in own and name in state and own[name].shape != state[name].shape for name in names):
            state.update({name: own[name] for name in names})
    first = f"{_first_convolution(net)}.weight"
    if first in state and first in own and state[first].shape != own[first].shape:
        state[first] = adapt_channels(state[first], own[first].shape[1])
    misfits = [f"{key} is missing" for key in own if key not in state]
    misfits += [f"{key} is not in the network" for key in state if key not in own]
    misfits += [
        f"{key} is {tuple(state[key].shape)} where the network has {tuple(own[key].shape)}"
        for key in own
        if key in state and own[key].shape != state[key].shape
    ]
    if misfits:
        more = f"; and {len(misfits) - 5} more" if len(misfits) > 5 else ""
        path = weights.url if isinstance(weights, Weights) else str(weights)
        raise CheckpointError("these weights are of another network", path=path, got="; ".join(misfits[:5]) + more)


def _first_convolution(net: nn.Module) -> str:
    return next((name for name, module in net.named_modules() if isinstance(module, nn.Conv2d)), "")


def adapt_channels(kernel: Tensor, channels: int) -> Tensor:
    """Kernels (O, 3, h, w) made for colour → (O, channels, h, w).

    One channel: the sum over the colours, so a grey picture answers exactly as if it had been copied into all three.
    Otherwise the colours repeat in turn, scaled so that a picture alike in all channels keeps its response (exactly so
    where `channels` is a multiple of three).
    """
    colours = kernel.shape[1]
    if channels == 1:
        return kernel.sum(1, keepdim=True)
    turns = -(-channels // colours)
    return kernel.repeat(1, turns, 1, 1)[:, :channels] * (colours / channels)


def to_unit_range(x: Tensor, channels: int) -> Tensor:
    """From ImageNet's mean and deviation to [-1, 1], which Inception's published weights were trained on.

    (N, C, H, W) in and out. Colour is rescaled a channel each, any other number of channels by the colours' means.
    """
    mean, std = x.new_tensor(IMAGENET_MEAN), x.new_tensor(IMAGENET_STD)
    if channels != 3:
        mean, std = mean.mean(), std.mean()
    return x * (std / 0.5).view(-1, 1, 1) + ((mean - 0.5) / 0.5).view(-1, 1, 1)


def initialize_convolutions(module: nn.Module) -> None:
    """He's normal initialisation, fan out, for convolutions; ones and zeros for batch normalisation."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)


def truncated_normal(module: nn.Module, std: float) -> None:
    """Draw a convolution's or dense layer's weights from N(0, std²) cut off at ±2 (at 2, not at 2 std)."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        torch.nn.init.trunc_normal_(module.weight, mean=0.0, std=std, a=-2, b=2)
