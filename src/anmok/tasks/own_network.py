"""A network that the person brings, tried before training: normalised pictures in, answers of the right shape out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anmok.core.errors import UsageError
from anmok.core.modes import evaluating
from anmok.core.preparation import Preparation

_SUMS = 1e-4  # how far sums of probabilities may be from 1


def demand_module(network: object) -> None:
    """Refuse what is no network, or one that cannot learn.

    Raises:
        UsageError: it is no `nn.Module`, or none of its parameters requires a gradient.
    """
    if not isinstance(network, nn.Module):
        if isinstance(network, type) and issubclass(network, nn.Module):
            got, fix = f"the class {network.__name__}", f"{network.__name__}()"
        else:
            got, fix = type(network).__name__, None
        raise UsageError("a network of your own is a torch.nn.Module", got=got, fix=fix)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise UsageError("nothing in this network can learn", got=f"{type(network).__name__} without parameters that "
                         "require gradients", fix="network.requires_grad_(True), or a layer with weights")  # fmt: skip


def demand_methods(network: nn.Module, names: Sequence[str], example: str) -> None:
    """Refuse a network that lacks what a task asks of it beside being called.

    Args:
        network: the person's.
        names: of methods.
        example: a network of the house that has them.

    Raises:
        UsageError: one is missing.
    """
    missing = [name for name in names if not callable(getattr(network, name, None))]
    if missing:
        raise UsageError(
            "this task asks more of a network than to be called",
            got=f"{type(network).__name__} without {' and '.join(missing)}",
            allowed=f"methods {', '.join(names)}, as anmok.networks.{example} has them", fix=f"net={example!r}",
        )  # fmt: skip


@torch.no_grad()
def demand_fit(network: nn.Module, preparation: Preparation, classes: Sequence[str], outputs: Sequence[int]) -> None:
    """Try a network on two pictures of noise, and refuse one that cannot take them or answers something else.

    Warns of one whose answers are probabilities already: the loss takes logits.

    Args:
        network: normalised pictures (N, C, S, S) → (N, *outputs); it stays as it is.
        preparation: what pictures look like.
        classes: names of what is learned.
        outputs: what one answer's shape must be, its first number the classes'.

    Raises:
        UsageError: it does not fit.
    """
    size, channels = preparation.size, preparation.channels
    taken, wanted = f"(N, {channels}, {size}, {size})", _shape(outputs)
    noise = torch.randn((2, channels, size, size), generator=torch.Generator().manual_seed(0))
    try:
        with evaluating(network):
            found = network(noise.to(next(network.parameters()).device))
    except Exception as error:  # whatever a network of somebody's own may raise
        told = " ".join(str(error).split())[:200]
        raise UsageError(
            "this network cannot take these pictures", got=f"{type(error).__name__}: {told}",
            allowed=f"normalised pictures {taken}",
            fix=f"a first layer for {channels} channels; imgsz=S where it takes one size only",
        ) from error  # fmt: skip
    if not isinstance(found, Tensor):
        raise UsageError("this network does not answer with a tensor", got=type(found).__name__,
                         allowed=f"logits {wanted}", fix="hand out the logits alone")  # fmt: skip
    if tuple(found.shape) != (len(noise), *outputs):
        raise UsageError(
            "this network's answers do not fit this data", got=_shape(found.shape[1:]),
            allowed=f"logits {wanted}, one of {len(classes)} classes each: {', '.join(classes)}",
            fix=f"a last layer of {outputs[0]} outputs",
        )  # fmt: skip
    sums = found.float().sum(1)
    if outputs[0] > 1 and bool((found >= 0).all()) and bool((sums - 1).abs().max() < _SUMS):
        warnings.warn("this network's answers are probabilities already, they sum to 1: the loss takes logits, so that "
                      "it will learn slowly; leave the softmax out", stacklevel=2)  # fmt: skip


def _shape(lengths: Sequence[int]) -> str:
    return f"({', '.join(['N', *map(str, lengths)])})"
