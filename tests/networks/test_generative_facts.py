"""FACTS.md §3, §4 and §7 for networks that reconstruct, generate and translate, number by number."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from anmok import networks
from anmok.networks._reconstruct import DownConv, UpConv

from .measure import receptive_field


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def on_meta(name: str, **kwargs: object) -> nn.Module:
    with torch.device("meta"):
        return getattr(networks, name)(**kwargs)


@pytest.mark.parametrize(("name", "total"), [("conv_autoencoder", 28_353), ("autoencoder", 50_992), ("vae", 652_824)])
def test_autoencoders(name: str, total: int) -> None:
    assert count(on_meta(name)) == total


def test_conv_vae() -> None:
    net = on_meta("conv_vae")
    assert count(net.decoder) == 65_089
    assert count(net) - 65_089 == 69_076


@pytest.mark.parametrize(("side", "out", "before", "after"), [(28, 14, 0, 1), (13, 7, 1, 1), (112, 56, 0, 1)])
def test_stride_two_pads_as_tensorflow_does(side: int, out: int, before: int, after: int) -> None:
    """⌈i/s⌉ cells; (o − 1)·s + k − i padded, the odd one at the bottom and right."""
    conv = DownConv(1, 1)
    nn.init.ones_(conv.weight)
    nn.init.zeros_(conv.bias)
    windows = conv(torch.ones(1, 1, side, side))[0, 0]
    assert windows.shape == (out, out)
    assert windows[0, out // 2] == 3 * (3 - before)  # how much of the first window lies on the picture
    assert windows[-1, out // 2] == 3 * (3 - after)


def test_up_is_the_transpose_of_down() -> None:
    """⟨down(x), y⟩ = ⟨x, up(y)⟩ with the same kernel."""
    down, up = DownConv(2, 3), UpConv(3, 2)
    up.weight = down.weight
    nn.init.zeros_(down.bias)
    nn.init.zeros_(up.bias)
    x, y = torch.randn(1, 2, 8, 6), torch.randn(1, 3, 4, 3)
    torch.testing.assert_close((down(x) * y).sum(), (x * up(y)).sum())


def test_dcgan() -> None:
    net = on_meta("dcgan")
    assert count(net.generator) == 3_576_704
    assert count(net.discriminator) == 2_765_568
    assert receptive_field(net.discriminator.main, upto="11") == 94
    sizes = [8, 16, 32, 64, 128]
    assert [on_meta("dcgan", input_size=s)(torch.empty(2, 100, device="meta")).shape[2] for s in sizes] == sizes


def test_dcgan_starts_as_the_paper_says() -> None:
    torch.manual_seed(0)
    net = networks.dcgan()
    convolution, normalisation = net.generator.main[0].weight, net.generator.main[1].weight
    assert convolution.std().item() == pytest.approx(0.02, rel=0.01)
    assert (normalisation.mean().item(), normalisation.std().item()) == pytest.approx((1, 0.02), abs=0.002)
