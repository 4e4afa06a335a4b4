"""What every network promises that reconstructs, generates or translates."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import Tensor, nn

from anmok import networks
from anmok.core.errors import UsageError
from anmok.networks._card import Card
from anmok.networks._generate import Adversarial
from anmok.networks._reconstruct import Autoencoder

RECONSTRUCT, GENERATE, TRANSLATE = (networks.OF_TASK[task] for task in ("reconstruct", "generate", "translate"))
EVERY = {**RECONSTRUCT, **GENERATE, **TRANSLATE}


def on_meta(name: str, **kwargs: object) -> nn.Module:
    with torch.device("meta"):
        return EVERY[name](**kwargs)


def pictures(net: nn.Module, batch: int = 2) -> Tensor:
    accepts = net.accepts
    device = next(net.parameters()).device
    return torch.zeros(batch, accepts.channels, accepts.natural, accepts.natural, device=device)


def codes(net: nn.Module, batch: int = 4) -> tuple[Tensor, Tensor | None]:
    device = next(net.parameters()).device
    z = torch.zeros(batch, net.takes.latent, device=device)
    return z, torch.zeros(batch, dtype=torch.long, device=device) if net.takes.num_classes else None


def without_gradient(net: nn.Module) -> list[str]:
    return [key for key, p in net.named_parameters() if p.requires_grad and p.grad is None]


@pytest.mark.parametrize("name", EVERY)
def test_signature(name: str) -> None:
    parameters = inspect.signature(EVERY[name]).parameters
    assert {"in_channels", "weights"} <= set(parameters)
    assert len(parameters) <= 8
    assert all(p.default is not inspect.Parameter.empty for p in parameters.values())
    assert getattr(networks, name) is EVERY[name]


@pytest.mark.parametrize("name", EVERY)
def test_card_is_complete(name: str) -> None:
    card = networks.card(name)
    assert isinstance(card, Card)
    for field in ("idea", "fixed", "cost", "reach_for", "avoid"):
        assert len(getattr(card, field)) > 40, field
    assert all((card.title, card.paper.title, card.paper.authors, card.paper.where))
    assert max(map(len, str(card).splitlines())) <= 88
    net = on_meta(name)
    assert card.natural == (net.takes.size if name in GENERATE else net.accepts.natural)


@pytest.mark.parametrize("name", RECONSTRUCT)
@pytest.mark.parametrize("channels", [1, 3])
def test_reconstruction_has_the_picture_s_shape(name: str, channels: int) -> None:
    net = on_meta(name, in_channels=channels).eval()
    assert isinstance(net, Autoencoder)
    x = pictures(net)
    assert net(x).shape == x.shape
    code = net.encode(x)
    assert len(code) == len(x)
    assert net.decode(code).shape == x.shape


@pytest.mark.parametrize("name", RECONSTRUCT)
def test_gradients_reach_every_parameter(name: str) -> None:
    net = on_meta(name).train()
    answer = net(pictures(net))
    sum(part.sum() for part in (answer if isinstance(answer, tuple) else (answer,))).backward()
    assert without_gradient(net) == []


@pytest.mark.parametrize("name", RECONSTRUCT)
def test_evaluation_repeats_itself(name: str) -> None:
    """What ships is deterministic: also a VAE answers with its mean, not with a draw."""
    net = EVERY[name]().eval()
    x = torch.rand(2, *pictures(net).shape[1:])
    with torch.no_grad():
        assert torch.equal(net(x), net(x))
        assert torch.equal(net(x), net.decode(net.encode(x)))


@pytest.mark.parametrize("name", [*RECONSTRUCT, *TRANSLATE])
def test_wrong_input_is_named(name: str) -> None:
    net = on_meta(name).eval()
    good = pictures(net)
    for bad in (torch.cat([good, good], 1), good[0], good.to(torch.uint8)):
        with pytest.raises(UsageError, match=name):
            net(bad)


@pytest.mark.parametrize("name", GENERATE)
@pytest.mark.parametrize("classes", [0, 3])
def test_generator_and_discriminator_fit(name: str, classes: int) -> None:
    net = on_meta(name, num_classes=classes).train()
    assert isinstance(net, Adversarial)
    z, labels = codes(net)
    drawn = net(z, labels)
    assert drawn.shape == (len(z), net.takes.channels, net.takes.size, net.takes.size)
    verdicts = net.discriminator(drawn, labels)
    assert verdicts.shape == (len(z),)
    verdicts.sum().backward()
    assert without_gradient(net) == []


@pytest.mark.parametrize("name", GENERATE)
def test_wrong_codes_are_named(name: str) -> None:
    net = on_meta(name)
    z, _ = codes(net)
    labels = torch.zeros(len(z), dtype=torch.long, device="meta")
    with pytest.raises(UsageError, match="takes codes"):
        net(z[:, 1:])
    with pytest.raises(UsageError, match="without classes"):
        net(z, labels)
    with pytest.raises(UsageError, match="built for classes"):
        on_meta(name, num_classes=3)(z)
    with pytest.raises(UsageError, match="without classes"):
        net.discriminator(net(z), labels)


@pytest.mark.parametrize("name", EVERY)
def test_state_dict_round_trip(name: str, tmp_path: object) -> None:
    """Weights written to a file come back through `weights=`."""
    from safetensors.torch import save_file

    first = EVERY[name](**SMALL.get(name, {}))
    save_file(first.state_dict(), tmp_path / "weights.safetensors")
    second = EVERY[name](weights=tmp_path / "weights.safetensors", **SMALL.get(name, {}))
    assert all(torch.equal(value, second.state_dict()[key]) for key, value in first.state_dict().items())


@pytest.mark.parametrize("name", TRANSLATE)
def test_every_part_of_a_translator_learns(name: str) -> None:
    """Down, up and judged: each network of the game is reached from its own answers."""
    net = on_meta(name).train()
    x = pictures(net)
    assert net(x).shape == x.shape
    for part, module in net.named_children():
        pair = torch.cat([x, x], 1) if name == "pix2pix" and part == "discriminator" else x
        module(pair).sum().backward()
    assert without_gradient(net) == []


SMALL: dict[str, dict[str, int]] = {
    "dcgan": {"input_size": 8, "width": 4},
    "stylegan": {"input_size": 8, "latent": 8, "base": 64},
    "stylegan2": {"input_size": 8, "latent": 8, "base": 64},
    "cyclegan": {"blocks": 1, "width": 4},
    "pix2pix": {"input_size": 16, "width": 4},
}
