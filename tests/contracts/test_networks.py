"""What every registered network promises, whoever wrote it."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import Tensor, nn

from anmok import networks
from anmok.core.errors import UsageError
from anmok.networks._card import Card
from anmok.networks._interface import Network

ALL = list(networks.NETWORKS)
# Deeper copies of networks that are checked anyway: the same code with other numbers, so only when asked (-m slow).
DEEPER = {"resnet34", "resnet101", "resnet152", "resnet101_2015", "resnet152_2015"}
DEEPER |= {"densenet161", "densenet169", "densenet201"}
DEEPER |= {"vgg13", "vgg16", "vgg19", "vgg13_bn", "vgg16_bn", "vgg19_bn"}
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name in DEEPER else name for name in ALL]
# Without a hundred million dense weights: these are built in full and computed with.
DEEP = DEEPER | {"resnet50", "resnet50_2015"}
SMALL = [
    pytest.param(name, marks=pytest.mark.slow) if name in DEEP else name
    for name in ALL
    if not name.startswith(("vgg", "alexnet"))
]


def on_meta(name: str, num_classes: int = 7, in_channels: int = 3, **kwargs: object) -> nn.Module:
    with torch.device("meta"):
        return networks.build(name, num_classes=num_classes, in_channels=in_channels, **kwargs)


def pictures(net: nn.Module, size: int | tuple[int, int] | None = None, batch: int = 2) -> Tensor:
    size = size or net.accepts.natural
    height, width = (size, size) if isinstance(size, int) else size
    device = next(net.parameters()).device
    return torch.zeros(batch, net.accepts.channels, height, width, device=device)


def logits(answer: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


@pytest.mark.parametrize("name", ALL)
def test_signature(name: str) -> None:
    """Plain keywords: at most eight, all but the first two by name, with defaults."""
    parameters = inspect.signature(networks.NETWORKS[name]).parameters
    assert list(parameters)[:2] == ["num_classes", "in_channels"]
    assert "weights" in parameters
    assert len(parameters) <= 8
    assert all(p.default is not inspect.Parameter.empty for p in parameters.values())
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in list(parameters.values())[2:])
    assert getattr(networks, name) is networks.NETWORKS[name]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("num_classes", "in_channels"), [(7, 3), (2, 1), (3, 5)])
def test_forward_with_any_classes_channels_and_sizes(name: str, num_classes: int, in_channels: int) -> None:
    net = on_meta(name, num_classes, in_channels).eval()
    assert isinstance(net, Network)
    natural, smallest = net.accepts.natural, net.accepts.smallest
    size = {3: (natural, natural), 1: (smallest, smallest), 5: (natural + 13, natural + 40)}[in_channels]
    assert net(pictures(net, size)).shape == (2, num_classes)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_parameter(name: str) -> None:
    """On the meta device: which tensors are connected, without computing them."""
    net = on_meta(name).train()
    sum(part.sum() for part in logits(net(pictures(net)))).backward()
    assert [key for key, p in net.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("name", NAMES)
def test_smallest_size_is_true(name: str) -> None:
    """It passes; one pixel less fails with our words, and would fail in a layer if we did not say so."""
    net = on_meta(name).eval()
    smallest = net.accepts.smallest
    assert networks.card(name).smallest == smallest
    assert net(pictures(net, smallest)).shape == (2, 7)
    for size in ((smallest - 1, smallest), (smallest, smallest - 1)):
        for ask in (net, net.features, net.forward_features):
            with pytest.raises(UsageError, match=f"H and W of {smallest} or more"):
                ask(pictures(net, size))
    if smallest > 1:
        with pytest.raises(RuntimeError):
            _unchecked(net)(pictures(net, smallest - 1))


def _unchecked(net: nn.Module) -> nn.Module:
    for module in net.modules():
        if hasattr(module, "accepts"):
            module.accepts = type("Anything", (), {"check": staticmethod(lambda x: None), "channels": 3})()
    return net


@pytest.mark.parametrize("name", ALL)
def test_wrong_input_is_named(name: str) -> None:
    net = on_meta(name).eval()
    good = pictures(net)
    for bad, said in (
        (good[:, :1], "in_channels=1"),
        (good[0], "batch of one"),
        (good.permute(0, 2, 3, 1), "channels come before"),
        (good.to(torch.uint8), "normalised"),
    ):
        with pytest.raises(UsageError, match=said):
            net(bad)


@pytest.mark.parametrize("name", NAMES)
def test_stages_are_as_declared(name: str) -> None:
    net = on_meta(name).eval()
    size = net.accepts.natural
    outputs: dict[str, Tensor] = {}
    for stage in net.stages:
        net.get_submodule(stage.name).register_forward_hook(
            lambda _, __, out, key=stage.name: outputs.__setitem__(key, out)
        )
    maps = net.features(pictures(net))
    assert [m.shape[1] for m in maps] == [stage.channels for stage in net.stages]
    for stage, found in zip(net.stages, maps, strict=True):
        assert outputs[stage.name] is found
    strides = [stage.stride for stage in net.stages]
    assert strides == sorted(set(strides))
    for index, stage in enumerate(net.stages):  # so many pixels more, exactly one cell more
        larger = net.features(pictures(net, (size + stage.stride, size + 3 * stage.stride)))[index]
        assert larger.shape[2] == maps[index].shape[2] + 1
        assert larger.shape[3] == maps[index].shape[3] + 3


@pytest.mark.parametrize("name", NAMES)
def test_head_on_features_is_the_network(name: str) -> None:
    net = on_meta(name).eval()
    last = net.forward_features(pictures(net))
    assert net.forward_head(last).shape == (2, 7)
    vector = net.forward_head(last, pre_logits=True)
    dense = net.get_submodule(net.heads[0])
    assert vector.shape == (2, dense.in_features)


@pytest.mark.parametrize("name", SMALL)
def test_head_on_features_gives_the_same_numbers(name: str) -> None:
    net = networks.build(name, num_classes=4).eval()
    x = torch.randn(2, 3, max(32, net.accepts.smallest), max(32, net.accepts.smallest))
    with torch.inference_mode():
        answer = net(x)
        last = net.forward_features(x)
        vector = net.forward_head(last, pre_logits=True)
        torch.testing.assert_close(net.forward_head(last), answer)
        torch.testing.assert_close(net.get_submodule(net.heads[0])(vector), answer)


@pytest.mark.parametrize("name", NAMES)
def test_classifier_can_be_replaced(name: str) -> None:
    net = on_meta(name).train()
    before = {key: tuple(p.shape) for key, p in net.named_parameters()}
    net.reset_classifier(11)
    changed = {key for key, p in net.named_parameters() if tuple(p.shape) != before[key]}
    assert changed == {f"{head}.{part}" for head in net.heads for part in ("weight", "bias")}
    assert {part.shape for part in logits(net(pictures(net)))} == {(2, 11)}


@pytest.mark.parametrize("name", SMALL)
def test_replaced_classifier_is_initialised_like_a_new_one(name: str) -> None:
    net = networks.build(name, num_classes=400)
    fresh = {head: net.get_submodule(head).weight.std().item() for head in net.heads}
    net.reset_classifier(401)
    for head in net.heads:
        new = net.get_submodule(head)
        assert 0.5 < new.weight.std().item() / fresh[head] < 2
    with pytest.raises(UsageError, match="1 or more"):
        net.reset_classifier(0)


def test_replaced_classifier_keeps_device_and_precision() -> None:
    net = on_meta("resnet18").double()
    net.reset_classifier(5)
    assert (net.fc.weight.dtype, net.fc.weight.device.type) == (torch.float64, "meta")


@pytest.mark.parametrize("name", SMALL)
def test_state_dict_round_trip(name: str) -> None:
    torch.manual_seed(1)
    first, second = networks.build(name, num_classes=3), on_meta(name, num_classes=3)
    second.load_state_dict(first.state_dict(), assign=True)
    size = max(32, first.accepts.smallest)
    x = torch.randn(1, 3, size, size)
    with torch.no_grad():
        assert torch.equal(first.eval()(x), second.eval()(x))


@pytest.mark.parametrize("name", ALL)
def test_card_is_complete(name: str) -> None:
    card = networks.card(name)
    assert isinstance(card, Card)
    for field in ("title", "idea", "fixed", "cost", "reach_for", "avoid"):
        assert len(getattr(card, field)) > (3 if field == "title" else 40), field
    assert 1990 < card.paper.year < 2100
    assert all((card.paper.title, card.paper.authors, card.paper.where))
    with torch.device("meta"):
        assert card.natural == networks.NETWORKS[name]().accepts.natural
    assert max(map(len, str(card).splitlines())) <= 88
    assert all(" ".join(text.split()) in " ".join(str(card).split()) for text in (card.idea, *card.differences))


def test_cards_differ() -> None:
    assert len({str(networks.card(name)) for name in ALL}) == len(ALL)


SLOW_TO_EXPORT = {"densenet121", "googlenet", "googlenet_2014", "inception_v3", "resnet50", "resnet50_2015", "vgg11_bn"}
SLOW_TO_EXPORT |= {"efficientnet_lite0"}  # seconds each


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in DEEPER | SLOW_TO_EXPORT else n for n in ALL]
)
def test_exports_with_any_batch_and_size(name: str) -> None:
    """torch.export, with batch, height and width left open: nothing in forward depends on one input's size."""
    net = on_meta(name).eval()
    size = net.accepts.natural
    dynamic = {0: torch.export.Dim("n"), 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    program = torch.export.export(net, (pictures(net),), dynamic_shapes=(dynamic,), strict=False)
    assert program.module()(pictures(net, (size + 32, size + 64), batch=3)).shape == (3, 7)
