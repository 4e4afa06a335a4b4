"""From a classifier with dense layers to a fully convolutional network with exactly its parameters.

A dense layer on a k×k map is a convolution with a k×k kernel seen at one place; the dense layers after it are 1×1
convolutions. Written so, the network takes larger pictures and answers at every place: a heat map of classes
(Sermanet et al.: OverFeat, ICLR 2014; Long, Shelhamer, Darrell: Fully Convolutional Networks, CVPR 2015).

What equals what, with S the stride of the network's last map:

* At the classifier's own size the heat map is 1×1 and is the classifier's answer.
* On a larger picture, cell (i, j) is the classifier's head on the window at (i, j) of the *last map* of the whole
  picture. Always.
* It is also the whole classifier on the *picture's* window at (i·S, j·S) where no layer pads. Padding makes the two
  differ: a window cut out of the picture sees zeros around it, the heat map sees the true neighbours. AlexNet, VGG and
  the textbook network all pad; in them the cells differ by what lies within half a receptive field of the window's
  border, and the heat map is the better informed of the two. (The last cell's window may also reach beyond the picture
  by less than a stride: padding rounds maps up.)

Adaptive pooling before the dense layers has a different shape at every size and is no convolution. At the classifier's
own size it must be idle (k×k to k×k, as in AlexNet, VGG and the textbook network) or average equal blocks (7×7 to 1×1,
as in ResNet; 8×8 to 4×4), which is an average pooling; uneven blocks are refused.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from anmok.core.errors import UsageError

Size = tuple[int, int]

_FLATTEN = {torch.flatten, "flatten", "view", "reshape", torch.reshape, nn.Flatten}
_POOLS = {
    nn.AdaptiveAvgPool2d: nn.AvgPool2d,
    F.adaptive_avg_pool2d: nn.AvgPool2d,
    nn.AdaptiveMaxPool2d: nn.MaxPool2d,
    F.adaptive_max_pool2d: nn.MaxPool2d,
}
_POINTWISE = {
    *(nn.Dropout, nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Tanh),
    *(nn.Sigmoid, F.dropout, F.relu, F.relu6, F.leaky_relu, F.elu, F.gelu, F.silu, F.hardswish, torch.relu, "relu"),
    *(torch.tanh, torch.sigmoid, "tanh", "sigmoid", "relu_", "contiguous"),
}


class FullyConvolutional(nn.Module):
    """A classifier that answers at every place. (N, C, H, W) → logits (N, num_classes, h, w).

    Cell (i, j) answers for the `window[0]` × `window[1]` pixels whose upper left corner is (i·stride, j·stride).
    """

    def __init__(self, body: fx.GraphModule, window: Size) -> None:
        super().__init__()
        self.body, self.window = body, window
        # Taller by this many pixels means that many / stride more cells, for any stride that divides it.
        more = 2**10 * 3**2 * 5 * 7
        channels = _first_weight(body).shape[1]
        cells = _shapes(body, (1, channels, window[0] + more, window[1]))["output"][2]
        self.stride = more // (cells - 1)

    def forward(self, x: Tensor) -> Tensor:
        """Raises `UsageError` for pictures smaller than the window."""
        if not torch.compiler.is_compiling() and (x.shape[-2] < self.window[0] or x.shape[-1] < self.window[1]):
            raise UsageError(
                "the picture is smaller than what one cell answers for",
                got=tuple(x.shape),
                allowed=f"{self.window[0]} × {self.window[1]} or larger",
            )
        return self.body(x)


def convolutionalize(net: nn.Module, input_size: int | Size | None = None) -> FullyConvolutional:
    """The fully convolutional form of a classifier, in evaluation mode.

    It shares the memory of the classifier's parameters: nothing is stored twice, and training the one changes both.

    Args:
        net: any classifier that ends in [adaptive pooling,] flattening and dense layers; this package's or anybody's.
        input_size: the height and width at which both must agree; one of this package's networks knows its own.

    Raises:
        UsageError: where the network has no such form; says what stands in the way.
    """
    accepts = getattr(net, "accepts", None)
    size = input_size or getattr(accepts, "natural", None)
    if size is None:
        raise UsageError("the size at which the classifier flattens its map is not known", fix="input_size=224")
    window = (size, size) if isinstance(size, int) else size
    shared = {id(tensor): tensor for tensor in (*net.parameters(), *net.buffers())}
    body = _trace(copy.deepcopy(net, shared).eval())
    shapes = _shapes(body, (1, _first_weight(body).shape[1], *window))
    _unflatten(body, shapes)
    return FullyConvolutional(body, window).eval()


def _trace(net: nn.Module) -> fx.GraphModule:
    try:
        return fx.symbolic_trace(net)
    except Exception as error:  # whatever a network's forward may raise when it is traced
        raise UsageError(f"this network's forward cannot be traced: {error}", got=type(net).__name__) from error


def _first_weight(body: nn.Module) -> Tensor:
    """The first convolution's kernels, (O, C, h, w)."""
    found = next((module for module in body.modules() if isinstance(module, nn.Conv2d)), None)
    if found is None:
        raise UsageError("there is no convolution in this network", allowed="a convolutional classifier")
    return found.weight


def _shapes(body: fx.GraphModule, size: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Every node's output shape for an input of `size`, found without computing anything."""
    shapes = {}

    class Recorder(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            value = super().run_node(n)
            if isinstance(value, Tensor):
                shapes[n.name] = tuple(value.shape)
            return value

    like = _first_weight(body)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        Recorder(body).run(torch.empty(size, dtype=like.dtype, device=like.device))
    return shapes


def _unflatten(body: fx.GraphModule, shapes: dict[str, tuple[int, ...]]) -> None:
    """Take the flattening out of the graph and turn what stands on it into convolutions, in place."""
    flat = [
        node
        for node in body.graph.nodes
        if _kind(body, node) in _FLATTEN and len(shapes[_source(node).name]) == 4 and len(shapes[node.name]) == 2
    ]
    if len(flat) != 1:
        raise UsageError(
            "only a classifier that flattens one map can become convolutional", got=f"{len(flat)} flattenings"
        )
    kernel, dilation = _places(shapes, _source(flat[0])), _replace_pool(body, _source(flat[0]), shapes)
    pending = {flat[0]}  # nodes whose value is still the map, waiting for the dense layer that sees it whole
    after = {flat[0]}
    for node in list(body.graph.nodes):
        inputs = after & set(node.all_input_nodes)
        if not inputs:
            continue
        after.add(node)
        sees_map = bool(pending & inputs)
        kind, layer = _kind(body, node), _layer(body, node)
        if kind in _POINTWISE and sees_map:
            pending.add(node)
        elif isinstance(layer, nn.Linear):
            k, d = (kernel, dilation) if sees_map else ((1, 1), (1, 1))
            body.set_submodule(str(node.target), _as_convolution(layer, k, d))
        elif isinstance(layer, nn.BatchNorm1d) and not (sees_map and kernel != (1, 1)):
            body.set_submodule(str(node.target), _as_2d(layer))
        elif kind not in _POINTWISE and not (node.op == "output" and not sees_map):
            raise UsageError("this cannot be done at every place of a map", got=f"{node.target} after the flattening")
    flat[0].replace_all_uses_with(_source(flat[0]))
    body.graph.eliminate_dead_code()
    body.recompile()


def _source(node: fx.Node) -> fx.Node:
    """The node whose value comes first."""
    return node.all_input_nodes[0]


def _places(shapes: dict[str, tuple[int, ...]], node: fx.Node) -> Size:
    """Height and width of a node's map."""
    height, width = shapes[node.name][2:]
    return height, width


def _layer(body: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    return body.get_submodule(str(node.target)) if node.op == "call_module" else None


def _kind(body: fx.GraphModule, node: fx.Node) -> Any:
    """What a node does: a module's class, a function, or a method's name."""
    layer = _layer(body, node)
    return node.target if layer is None else type(layer)


def _replace_pool(body: fx.GraphModule, node: fx.Node, shapes: dict[str, tuple[int, ...]]) -> Size:
    """Turn adaptive pooling up to `node` into pooling of stride 1. Returns the distance of the cells it made."""
    while _kind(body, node) in _POINTWISE:
        node = _source(node)
    pool = _POOLS.get(_kind(body, node))
    if pool is None:
        return 1, 1
    source = _source(node)
    (height, width), (out_h, out_w) = _places(shapes, source), _places(shapes, node)
    if height % out_h or width % out_w:
        raise UsageError(
            "adaptive pooling into uneven blocks is no convolution",
            got=f"{height} × {width} to {out_h} × {out_w}",
            allowed="a multiple",
            fix="the input_size that the network was designed for",
        )
    block = (height // out_h, width // out_w)
    name = f"{node.name}_at_every_place"
    body.add_submodule(name, nn.Identity() if block == (1, 1) else pool(block, stride=1))
    with body.graph.inserting_before(node):
        sliding = body.graph.call_module(name, (source,))
    node.replace_all_uses_with(sliding)
    return block


def _as_convolution(dense: nn.Linear, kernel: Size, dilation: Size) -> nn.Conv2d:
    """A dense layer on a flattened (C, kh, kw) map as a convolution; the same numbers in the same memory."""
    weight = dense.weight.detach().view(dense.out_features, -1, *kernel)
    with torch.device("meta"):
        conv = nn.Conv2d(weight.shape[1], dense.out_features, kernel, dilation=dilation, bias=dense.bias is not None)
    conv.weight = nn.Parameter(weight, requires_grad=dense.weight.requires_grad)
    conv.bias = dense.bias
    return conv


def _as_2d(norm: nn.BatchNorm1d) -> nn.BatchNorm2d:
    same = nn.BatchNorm2d(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats).eval()
    same._parameters, same._buffers = norm._parameters, norm._buffers
    return same
