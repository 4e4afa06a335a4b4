"""FACTS.md §3, §4 and §7 for networks that reconstruct, generate and translate, number by number."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from anmok import networks
from anmok.networks._reconstruct import DownConv, UpConv
from anmok.networks._translate import PatchGAN

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


def test_cyclegan() -> None:
    net = on_meta("cyclegan")
    assert count(net.generator_ab) == count(net.generator_ba) == 11_378_179
    assert count(on_meta("cyclegan", blocks=6).generator_ab) == 7_837_699
    assert count(net.discriminator_a) == count(net.discriminator_b) == 2_764_737
    assert net.discriminator_a(torch.empty(1, 3, 256, 256, device="meta")).shape == (1, 1, 30, 30)
    assert receptive_field(net.discriminator_a.model, upto="11") == 70


def test_patchgan_with_batch_normalisation() -> None:
    net = PatchGAN("pix2pix", 3, width=64, layers=3, norm=nn.BatchNorm2d)
    assert count(net) == 2_765_633
    assert receptive_field(net.model, upto="11") == 70


def test_cyclegan_generator_reads_the_authors_weights() -> None:
    """The layers' places in the authors' published files: residual blocks 10 to 18, the last convolution 26."""
    keys = set(on_meta("cyclegan").generator_ab.state_dict())
    assert {"model.1.weight", "model.4.bias", "model.10.conv_block.1.weight", "model.18.conv_block.5.bias"} <= keys
    assert {"model.19.weight", "model.22.weight", "model.26.weight"} <= keys
    assert len(keys) == 2 * 24  # instance normalisation holds nothing


@pytest.mark.parametrize(("settings", "printed"), [({}, ("54.408", "2.765")),
                                                   ({"input_size": 64, "layers": 2}, ("29.238", "0.662"))])  # fmt: skip
def test_pix2pix(settings: dict[str, int], printed: tuple[str, str]) -> None:
    """Millions, as the authors' code prints them for grey pictures (junyanz/pytorch-CycleGAN-and-pix2pix#1152)."""
    net = on_meta("pix2pix", in_channels=1, **settings)
    assert (f"{count(net.generator) / 1e6:.3f}", f"{count(net.discriminator) / 1e6:.3f}") == printed
    assert net.generator.down[-1](torch.empty(1, 512, 2, 2, device="meta")).shape == (1, 512, 1, 1)


@pytest.mark.parametrize("size", [(32, 48), (30, 41), (24, 24)])
def test_translated_pictures_keep_their_size(size: tuple[int, int]) -> None:
    for name in ("cyclegan", "pix2pix"):
        net = on_meta(name, out_channels=1)
        assert net(torch.empty(2, 3, *size, device="meta")).shape == (2, 1, *size)


@pytest.mark.parametrize(
    ("progressive", "generator", "discriminator"), [(True, 26_219_627, 23_087_249), (False, 26_212_019, 23_077_137)]
)
def test_stylegan(progressive: bool, generator: int, discriminator: int) -> None:
    """As a whole and built at its full size: then with the last layer to colours only, and the first from them."""
    net = on_meta("stylegan", progressive=progressive)
    assert count(net.generator) == generator
    assert count(net.discriminator) == discriminator
    assert count(net.generator.mapping) == 2_101_248
    assert net.generator.layers == 18
    assert sum(b.numel() for key, b in net.generator.named_buffers() if key.endswith("plane")) == 2_796_192


@pytest.mark.parametrize(
    ("settings", "generator", "discriminator"),
    [
        ({}, 30_370_060, 29_012_513),
        ({"input_size": 512}, 30_276_583, 28_982_849),
        ({"input_size": 256, "base": 16384}, 24_767_458, 24_001_089),
    ],
)
def test_stylegan2(settings: dict[str, int], generator: int, discriminator: int) -> None:
    net = on_meta("stylegan2", **settings)
    assert count(net.generator) == generator
    assert count(net.discriminator) == discriminator
    block = net.generator.synthesis.blocks[1]
    assert count(block.conv1) == 2_622_465
    assert count(block.to_rgb) == 264_195
    assert count(net.generator.mapping.layers[0]) == 262_656
