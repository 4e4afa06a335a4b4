"""Independent counting: parameters by kind, multiply-adds by hooks, receptive fields by tracing. No anmok code."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import torch
from torch import Tensor, fx, nn


def parameters(net: nn.Module) -> tuple[int, int, int]:
    """Parameters in convolutions, dense layers and batch normalisation."""
    kinds = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)
    return tuple(
        sum(p.numel() for m in net.modules() if isinstance(m, kind) for p in m.parameters(recurse=False))
        for kind in kinds
    )


def key_hash(net: nn.Module) -> tuple[int, str]:
    """Number of state-dict entries, and FACTS.md's digest of their names and shapes in order."""
    state = net.state_dict()
    text = "\n".join(f"{key}:{','.join(map(str, value.shape))}" for key, value in state.items())
    return len(state), hashlib.sha256(text.encode()).hexdigest()[:10]


def multiply_adds(net: nn.Module, *size: int, training: bool = False) -> int:
    """Multiply-adds of convolutions and dense layers in one forward pass for one picture, counted as they run.

    `training`: with the heads that only training uses.
    """
    total = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += output.numel() * module.in_channels // module.groups * math.prod(module.kernel_size)
        else:
            total += output.numel() * module.in_features

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    net.train(training)(torch.empty(1, *size, device="meta"))
    for hook in hooks:
        hook.remove()
    return total


def receptive_field(net: nn.Module, upto: str | None = None) -> int:
    """Height of the last map's receptive field, pixels: r + (k - 1)·d·j along each path, the largest where they meet.

    `upto`: the module whose output is asked for; by default what stands before the adaptive pooling, or the network's.
    """
    graph = fx.symbolic_trace(net.eval())
    field: dict[fx.Node, tuple[int, int]] = {}
    for node in graph.graph.nodes:
        if node.op == "placeholder":
            field[node] = (1, 1)
            continue
        known = [field[source] for source in node.all_input_nodes if source in field]
        if not known:
            continue
        r, j = max(known)
        if node.op == "output":
            return r
        layer = graph.get_submodule(node.target) if node.op == "call_module" else None
        if isinstance(layer, nn.AdaptiveAvgPool2d):
            return r
        k, s, d = _window(node, layer)
        field[node] = (r + (k - 1) * d * j, j * s)
        if upto is not None and node.target == upto:
            return field[node][0]
    raise AssertionError("no end found")


def _window(node: fx.Node, layer: Any) -> tuple[int, int, int]:
    if isinstance(layer, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
        given = (layer.kernel_size, layer.stride, getattr(layer, "dilation", 1))
        return tuple(value[0] if isinstance(value, tuple) else value for value in given)
    if getattr(node.target, "__name__", "") in ("max_pool2d", "avg_pool2d"):
        given = dict(zip(("input", "kernel_size", "stride"), node.args, strict=False)) | dict(node.kwargs)
        return given["kernel_size"], given["stride"], 1
    return 1, 1, 1
