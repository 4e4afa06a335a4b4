"""Graphs, layouts and figures: what is drawn is what flows, to size, without overlaps."""

from __future__ import annotations

import functools
import math

import pytest
import torch
import torchvision.models as published
from PIL import Image
from torch import nn

import anmok.anatomy
from anmok.anatomy.drawing import _sizes, is_sum
from anmok.anatomy.graph import graph_of
from anmok.anatomy.layout import place
from anmok.anatomy.shares import stages_of
from anmok.core.errors import UsageError
from tests.anatomy.nets import SmallUNet


@functools.cache
def seen(name: str) -> anmok.anatomy.Anatomy:
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with torch.device("meta"):
        net = getattr(published, name)(**options)
    size = 299 if name == "inception_v3" else 224
    return anmok.anatomy(net, (3, size, size))


def test_a_plain_network_is_a_chain():
    graph = graph_of(seen("vgg16"))
    families = [block.family for block in graph.blocks]
    assert (families.count("conv"), families.count("pool"), families.count("linear")) == (13, 5, 3)
    assert graph.edges == {(i, i + 1) for i in range(len(graph.blocks) - 1)}
    assert not graph.skips


def test_a_residual_network_has_one_skip_for_each_identity():
    """ResNet-18: eight blocks, three of which project; ResNet-50: sixteen, four."""
    for name, sums, projections in (("resnet18", 8, 3), ("resnet50", 16, 4)):
        graph = graph_of(seen(name))
        assert sum(is_sum(block) for block in graph.blocks) == sums
        assert len(graph.skips) == sums - projections


def test_an_inception_block_has_four_branches():
    graph = graph_of(seen("googlenet"))
    joins = [i for i, block in enumerate(graph.blocks) if block.family == "join"]
    assert len(joins) == 9 and not graph.skips
    assert all(sum(target == join for _, target in graph.edges) == 4 for join in joins)


def test_a_dense_block_of_n_layers_connects_each_to_all_later_ones():
    """Layer k reads the k tensors before it, the transition all: n(n+1)/2 + … of them, one a step is no skip."""
    graph = graph_of(seen("densenet121"))
    layers = (6, 12, 24, 16)
    # The cat before layer k (k ≥ 2) and the one at the end read k tensors each, of which the newest is the plain way.
    assert len(graph.skips) == sum(sum(range(1, n + 1)) for n in layers)


def test_a_u_net_is_a_chain_with_a_skip():
    graph = graph_of(anmok.anatomy(SmallUNet(), (1, 32, 32)))
    assert len(graph.skips) == 1
    assert [block.family for block in graph.blocks[1:]] == ["conv", "pool", "conv", "conv", "join", "conv"]


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "inception_v3", "resnet50", "densenet121", "vit_b_16"])
def test_blocks_stand_in_order_and_do_not_overlap(name):
    graph = graph_of(seen(name))
    sizes = _sizes(graph)
    box = place(range(len(graph.blocks)), graph.edges, sizes)
    assert set(box.places) == set(range(len(graph.blocks)))
    for source, target in graph.edges | graph.skips:
        assert box.places[source][0] + sizes.width(source) < box.places[target][0]
    spots = sorted((x, x + sizes.width(i), y - sizes.height(i) / 2, y + sizes.height(i) / 2)
                   for i, (x, y) in box.places.items())  # fmt: skip
    for i, (_, right, foot, head) in enumerate(spots):
        for left, _, other_foot, other_head in spots[i + 1 :]:
            if left >= right:
                break
            assert head <= other_foot + 1e-9 or other_head <= foot + 1e-9


def test_slabs_are_drawn_to_size():
    graph = graph_of(seen("vgg16"))
    sizes = _sizes(graph)
    blocks = dict(enumerate(graph.blocks))
    first = next(i for i, block in blocks.items() if block.shape == (64, 224, 224))
    last = next(i for i, block in blocks.items() if block.shape == (512, 14, 14))
    assert sizes.width(last) / sizes.width(first) == pytest.approx(math.sqrt(512 / 64))
    assert sizes.height(first) / sizes.height(last) == pytest.approx(math.sqrt(224 / 14))


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "resnet50", "densenet121", "efficientnet_b0"])
def test_stages_account_for_everything(name):
    anatomy = seen(name)
    graph = graph_of(anatomy)
    sizes = _sizes(graph)
    box = place(range(len(graph.blocks)), graph.edges, sizes)
    spans = [(box.places[i][0], box.places[i][0] + sizes.width(i)) for i in range(len(graph.blocks))]
    stages = stages_of(graph, spans)
    idle = sum(layer.parameters for layer in anatomy.layers if layer.family == "idle")
    assert sum(stage.parameters for stage in stages) == anatomy.parameters - idle
    assert sum(stage.macs for stage in stages) == anatomy.macs
    if name == "resnet50":
        assert [stage.shape for stage in stages] == [
            (3, 224, 224), (64, 112, 112), (256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7), (2048, 1, 1),
            (1000,)]  # fmt: skip


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_figures_are_written_and_repeat(tmp_path, ending):
    anatomy = anmok.anatomy(SmallUNet(), (1, 32, 32))
    one, two = tmp_path / f"one.{ending}", tmp_path / "deep" / f"two.{ending}"
    anmok.anatomy.draw(anatomy, one, title="a small U-Net")
    anmok.anatomy.draw(anatomy, two, title="a small U-Net")
    assert one.read_bytes() == two.read_bytes()
    if ending == "svg":
        assert "a small U-Net" in one.read_text()
    else:
        with Image.open(one) as picture:
            assert picture.width == 2700 and len(set(picture.convert("RGB").resize((90, 40)).getdata())) > 50


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 5)),
        nn.Identity(),
        nn.Conv2d(3, 1, 1),
        nn.Sequential(*[nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()) for _ in range(500)]),
    ],
)
def test_any_module_can_be_drawn(net, tmp_path):
    anatomy = anmok.anatomy(net, (3, 8, 8))
    anmok.anatomy.draw(anatomy, tmp_path / "net.svg")
    assert (tmp_path / "net.svg").stat().st_size > 1000


def test_large_networks_fold_until_they_fit():
    net = nn.Sequential(*[nn.Sequential(*[nn.Conv2d(3, 3, 1) for _ in range(30)]) for _ in range(20)])
    graph = graph_of(anmok.anatomy(net, (3, 8, 8)))
    assert len(graph.blocks) == 21
    assert {block.family for block in graph.blocks[1:]} == {"conv"}
    assert sum(block.parameters for block in graph.blocks) == 600 * 12


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"\.png, \.svg"):
        anmok.anatomy.draw(anmok.anatomy(nn.Conv2d(3, 1, 1), (3, 8, 8)), tmp_path / "net.jpg")
