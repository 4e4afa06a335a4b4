"""What every registered segmentation network promises, whoever wrote it."""

from __future__ import annotations

import copy
import functools
import inspect

import pytest
import torch
from torch import Tensor, nn

from anmok import networks
from anmok.core.errors import UsageError
from anmok.networks._card import Card

SEGMENT = networks.OF_TASK["segment"]
ALL = [*SEGMENT, "unet:vgg11_bn", "unet:timm:convnext_atto"]
SMALL = ["unet"]  # cheap enough to compute with


@functools.cache
def on_meta(name: str, num_classes: int = 7, in_channels: int = 3) -> nn.Module:
    """Shapes without numbers. Built once: nobody may change it."""
    with torch.device("meta"):
        return networks.build(name, num_classes=num_classes, in_channels=in_channels)


def pictures(net: nn.Module, size: tuple[int, int] | None = None, batch: int = 2) -> Tensor:
    size = size or (net.accepts.natural, net.accepts.natural)
    return torch.zeros(batch, net.accepts.channels, *size, device=next(net.parameters()).device)


def logits(answer: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def test_the_room_has_them() -> None:
    assert set(SEGMENT) >= {"unet", "unet_2015", "fcn_32s", "fcn_16s", "fcn_8s", "fcn_resnet50"}


@pytest.mark.parametrize("name", list(SEGMENT))
def test_signature(name: str) -> None:
    """Plain keywords: at most eight, all but the first two by name, with defaults."""
    parameters = inspect.signature(SEGMENT[name]).parameters
    assert list(parameters)[:2] == ["num_classes", "in_channels"]
    assert "weights" in parameters
    assert len(parameters) <= 8
    assert all(p.default is not inspect.Parameter.empty for p in parameters.values())
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in list(parameters.values())[2:])
    assert getattr(networks, name) is SEGMENT[name]


@pytest.mark.parametrize("name", ALL)
def test_every_pixel_of_any_picture_gets_its_classes(name: str) -> None:
    net = on_meta(name).eval()
    least, natural = net.accepts.smallest, net.accepts.natural
    for size in ((natural, natural), (least, least), (natural + 13, least + 40), (97, 131)):
        assert net(pictures(net, size)).shape == (2, 7, *size)


@pytest.mark.parametrize("name", SEGMENT)
def test_any_number_of_classes_and_channels(name: str) -> None:
    net = on_meta(name, num_classes=2, in_channels=5).eval()
    assert net(pictures(net, (64, 64))).shape == (2, 2, 64, 64)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", list(networks.NETWORKS))
def test_u_net_stands_on_every_classifier(encoder: str) -> None:
    net = on_meta(f"unet:{encoder}").eval()
    least = net.accepts.smallest
    for size in ((least, least + 30), (101, 131)):
        assert net(pictures(net, size)).shape == (2, 7, *size)
    learned = [p for p in net.parameters() if p.requires_grad]
    slopes = torch.autograd.grad(net.train()(pictures(net, (128, 160))).sum(), learned, allow_unused=True)
    assert all(slope is not None for slope in slopes)


@pytest.mark.parametrize("name", ALL)
def test_gradients_reach_every_parameter_that_learns(name: str) -> None:
    net = on_meta(name).train()
    answers = logits(net(pictures(net)))
    assert {tuple(one.shape[1:]) for one in answers} == {(7, net.accepts.natural, net.accepts.natural)}
    learned = {key: p for key, p in net.named_parameters() if p.requires_grad}
    slopes = torch.autograd.grad(sum(part.sum() for part in answers), list(learned.values()), allow_unused=True)
    assert [key for key, slope in zip(learned, slopes, strict=True) if slope is None] == []
    fixed = [key for key, p in net.named_parameters() if not p.requires_grad]
    assert all(key.startswith("upscore") for key in fixed)


@pytest.mark.parametrize("name", ALL)
def test_wrong_input_is_named(name: str) -> None:
    net = on_meta(name).eval()
    good = pictures(net)
    least = net.accepts.smallest
    for bad, said in (
        (good[:, :1], "in_channels=1"),
        (good[0], "batch of one"),
        (good.permute(0, 2, 3, 1), "channels come before"),
        (good.to(torch.uint8), "normalised"),
    ):
        with pytest.raises(UsageError, match=said):
            net(bad)
    if least > 1:
        with pytest.raises(UsageError, match=f"H and W of {least} or more"):
            net(pictures(net, (least - 1, least)))


@pytest.mark.parametrize("name", ALL)
def test_the_head_can_be_replaced(name: str) -> None:
    net = copy.deepcopy(on_meta(name)).train()
    before = {key: tuple(p.shape) for key, p in net.named_parameters()}
    net.reset_classifier(11)
    changed = {key for key, p in net.named_parameters() if tuple(p.shape) != before[key]}
    heads = {f"{head}.{part}" for head in net.heads for part in ("weight", "bias")}
    assert {key for key in changed if not key.startswith("upscore")} == heads
    assert {part.shape[1] for part in logits(net(pictures(net)))} == {11}
    with pytest.raises(UsageError, match="1 or more"):
        net.reset_classifier(0)


@pytest.mark.parametrize("name", list(SEGMENT))
def test_card_is_complete(name: str) -> None:
    card = networks.card(name)
    assert isinstance(card, Card)
    for field in ("title", "idea", "fixed", "cost", "reach_for", "avoid"):
        assert len(getattr(card, field)) > (3 if field == "title" else 40), field
    assert 1990 < card.paper.year < 2100
    with torch.device("meta"):
        accepts = SEGMENT[name]().accepts
    assert (card.natural, card.smallest) == (accepts.natural, accepts.smallest)
    assert max(map(len, str(card).splitlines())) <= 88


def test_cards_differ() -> None:
    assert len({str(networks.card(name)) for name in SEGMENT}) == len(SEGMENT)


@pytest.mark.parametrize(
    "name", [name if name == "unet" else pytest.param(name, marks=pytest.mark.slow) for name in ALL]
)
def test_exports_with_any_batch_and_size(name: str) -> None:
    """torch.export, with batch, height and width left open: nothing in forward depends on one input's size."""
    net = on_meta(name).eval()
    dynamic = {0: torch.export.Dim("n"), 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    program = torch.export.export(net, (pictures(net),), dynamic_shapes=(dynamic,), strict=False)
    size = (net.accepts.natural + 32, net.accepts.natural + 65)
    assert program.module()(pictures(net, size, batch=3)).shape == (3, 7, *size)


@pytest.mark.parametrize("name", SMALL)
def test_state_dict_round_trip(name: str) -> None:
    torch.manual_seed(1)
    first, second = networks.build(name, num_classes=3), copy.deepcopy(on_meta(name, num_classes=3))
    second.load_state_dict(first.state_dict(), assign=True)
    x = torch.randn(1, 3, 33, 41)
    with torch.no_grad():
        assert torch.equal(first.eval()(x), second.eval()(x))


@pytest.mark.parametrize("name", SMALL)
def test_low_precision_and_channels_last(name: str) -> None:
    """As training on a CPU computes: bf16 autocast, channels last. It stays so, and near float32's answers."""
    torch.manual_seed(1)
    net = networks.build(name, num_classes=3).eval()
    x = torch.randn(2, 3, 40, 56)
    with torch.no_grad():
        expected = net(x)
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
        torch.testing.assert_close(net(x), expected)
        with torch.autocast("cpu", torch.bfloat16):
            answer = net(x)
    assert answer.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(answer.float(), expected, atol=0.1 * float(expected.abs().max()), rtol=0)


def test_it_learns_a_square() -> None:
    """Twenty steps on one picture: a bright square becomes its own class."""
    torch.manual_seed(0)
    net = networks.unet(num_classes=2, in_channels=1).train()
    x, y = torch.randn(2, 1, 32, 32) * 0.1, torch.zeros(2, 32, 32, dtype=torch.long)
    x[:, :, 8:20, 10:24] += 1
    y[:, 8:20, 10:24] = 1
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(20):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    assert (net(x).argmax(1) == y).float().mean() > 0.97
