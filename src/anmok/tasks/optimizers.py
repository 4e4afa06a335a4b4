"""Optimizers and schedules by name, with weight decay where it belongs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from anmok.core.errors import unknown_name
from anmok.engine.muon import Muon
from anmok.tasks.recipe import Descent

OPTIMIZERS = ("adamw", "muon", "sgd")


def build_optimizer(
    network: nn.Module, recipe: Descent, slow: nn.Module | None = None, pace: float = 1.0, half: bool = False,
    hidden: Sequence[nn.Module] = (),
) -> torch.optim.Optimizer:  # fmt: skip
    """The recipe's optimizer over all trainable weights; biases and normalisation are not decayed.

    Args:
        slow: a part of the network, pretrained perhaps, that learns at `pace` times the recipe's rate.
        half: the network is trained in bf16; Muon's updates of large kernels may be computed so, too.
        hidden: dense layers between others, of which Muon updates the matrices as it does kernels.
    """
    matrices = {id(layer.weight) for layer in hidden}
    weights = [weight for weight in network.parameters() if weight.requires_grad and id(weight) not in matrices]
    behind = set() if slow is None else {id(weight) for weight in slow.parameters()}
    groups = [
        {
            "params": [weight for weight in weights if (id(weight) in behind) == late and (weight.ndim > 1) == decayed],
            "weight_decay": recipe.weight_decay if decayed else 0.0,
            "lr": recipe.learning_rate * (pace if late else 1.0),
        }
        for late in (False, True)
        for decayed in (True, False)
    ]
    inner = [weight for weight in network.parameters() if weight.requires_grad and id(weight) in matrices]
    rates = {"weight_decay": recipe.weight_decay, "lr": recipe.learning_rate}
    groups = [group for group in [*groups, {"params": inner, **rates, "hidden": True}] if group["params"]]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=0.9, nesterov=True, foreach=True)
    if recipe.optimizer == "adamw":
        # On processors one pass over the weights instead of a dozen: U-Net on ResNet-18 takes half the time a step.
        alone = all(weight.device.type == "cpu" for weight in weights)
        one_pass = {"fused": True} if alone else {"foreach": True}
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.99), **one_pass)
    if recipe.optimizer == "muon":
        return Muon(groups, lr=recipe.learning_rate, half=half)
    raise unknown_name("optimizer", recipe.optimizer, OPTIMIZERS)


def one_cycle(warmup: float) -> Callable[[float], float]:
    """Progress in [0, 1] → factor on the learning rate: linearly up to 1 at `warmup`, linearly down to 0 at the end.

    After Smith & Topin, "Super-Convergence" (2019, arXiv:1708.07120).
    """

    def factor(progress: float) -> float:
        if progress < warmup:
            return progress / warmup
        return max(0.0, (1 - progress) / (1 - warmup))

    return factor
