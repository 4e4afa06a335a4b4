"""StyleGAN's parts against what they are said to equal, written out without the shortcuts."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anmok import networks
from anmok.core.errors import UsageError
from anmok.networks._stylegan import EqualLinear, MinibatchDeviation, filtered, mix_styles, pixel_norm
from anmok.networks.stylegan import DownConv, Epilogue, UpConv, blurred
from anmok.networks.stylegan2 import TAPS, doubled, modulated_conv

SMALL = {"input_size": 16, "latent": 8, "base": 64, "widest": 8}


def test_pixel_norm_by_hand() -> None:
    assert pixel_norm(torch.tensor([[3.0, 4.0]]))[0].tolist() == pytest.approx([0.848528, 1.131371], abs=1e-6)


def test_modulation_by_hand() -> None:
    """w = (1, 2), s = (3, ½) → (3, 1) → (0.948683, 0.316228), read off by showing one channel at a time."""
    weight = torch.tensor([1.0, 2.0]).reshape(1, 2, 1, 1)
    found = modulated_conv(torch.eye(2).reshape(2, 2, 1, 1), weight, torch.tensor([[3.0, 0.5]]))
    assert found.flatten().tolist() == pytest.approx([0.948683, 0.316228], abs=1e-6)


@pytest.mark.parametrize("up", [False, True])
def test_modulation_scales_each_picture_s_own_weights(up: bool) -> None:
    x, weight, styles = torch.randn(3, 4, 6, 6), torch.randn(5, 4, 3, 3), torch.randn(3, 4)
    found = modulated_conv(x, weight, styles, up)
    for i in range(3):
        own = weight * styles[i][None, :, None, None]
        own = own / own.square().sum((1, 2, 3), keepdim=True).sqrt()
        if up:
            full = F.conv_transpose2d(x[i : i + 1], own.transpose(0, 1), stride=2)
            kernel = torch.outer(torch.tensor(TAPS), torch.tensor(TAPS)).float() / 16
            expected = F.conv2d(full, kernel.expand(5, 1, 4, 4), padding=1, groups=5)
        else:
            expected = F.conv2d(x[i : i + 1], own, padding=1)
        torch.testing.assert_close(found[i : i + 1], expected, atol=1e-4, rtol=1e-4)


def test_demodulated_maps_keep_unit_variance() -> None:
    torch.manual_seed(0)
    x, weight, styles = torch.randn(2, 64, 32, 32), torch.randn(16, 64, 3, 3), 3 * torch.randn(2, 64)
    inner = modulated_conv(x, weight, styles)[:, :, 1:-1, 1:-1]
    assert inner.std().item() == pytest.approx(1, abs=0.05)


def test_doubling_interpolates() -> None:
    """A plain picture stays plain, a ramp stays a ramp of half the slope; only the border sees the zeros around."""
    plain = doubled(torch.ones(1, 1, 6, 6))[..., 1:-1, 1:-1]
    torch.testing.assert_close(plain, torch.ones_like(plain))
    ramp = doubled(torch.arange(8.0).expand(1, 1, 8, 8))[0, 0, 4, 1:-1]
    torch.testing.assert_close(ramp.diff(), torch.full((13,), 0.5))


def test_filter_by_hand() -> None:
    impulse = torch.zeros(1, 1, 3, 3)
    impulse[0, 0, 1, 1] = 16
    torch.testing.assert_close(
        filtered(impulse, (1, 2, 1), pad=1)[0, 0], torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])
    )


def test_enlarging_and_convolving_in_one_step() -> None:
    conv = UpConv(3, 5, 3, bias=False)
    x = torch.randn(2, 3, 6, 4)
    expected = blurred(F.conv2d(F.interpolate(x, scale_factor=2), conv.weight * conv.scale, padding=1))
    torch.testing.assert_close(conv(x), expected, atol=1e-5, rtol=1e-5)


def test_convolving_and_averaging_in_one_step() -> None:
    conv = DownConv(3, 5, 3)
    nn.init.normal_(conv.bias)
    x = torch.randn(2, 3, 6, 4)
    expected = F.avg_pool2d(F.conv2d(blurred(x), conv.weight * conv.scale, conv.bias, padding=1), 2)
    torch.testing.assert_close(conv(x), expected, atol=1e-5, rtol=1e-5)


def test_a_style_sets_mean_and_deviation() -> None:
    layer = Epilogue(4, 32, style=8)
    w = torch.randn(2, 8)
    maps = layer(torch.randn(2, 4, 32, 32), w)
    scale, shift = layer.style(w).chunk(2, 1)
    torch.testing.assert_close(maps.mean((2, 3)), shift, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(maps.std((2, 3), correction=0), (scale + 1).abs(), atol=1e-4, rtol=1e-4)


def test_equalised_layers_begin_alike_and_slow_ones_learn_slower() -> None:
    torch.manual_seed(0)
    x = torch.randn(512, 512)
    for slower in (1.0, 0.01):
        layer = EqualLinear(512, 512, slower=slower)
        assert layer(x).std().item() == pytest.approx(1, abs=0.05)
        assert layer.weight.std().item() == pytest.approx(1 / slower, rel=0.05)


def test_minibatch_deviation_by_hand() -> None:
    """Two pictures of one value a map: deviations ½ and 1, mean ¾; alike pictures have none."""
    x = torch.stack([torch.tensor([0.0, 5.0]), torch.tensor([1.0, 7.0])]).reshape(2, 2, 1, 1)
    assert MinibatchDeviation()(x)[:, 2].flatten().tolist() == pytest.approx([0.75, 0.75])
    alike = MinibatchDeviation()(torch.ones(8, 3, 4, 4))
    assert alike.shape == (8, 4, 4, 4) and alike[:, 3].max().item() == pytest.approx(1e-4, rel=1e-3)
    assert MinibatchDeviation()(torch.randn(7, 3, 4, 4)).shape == (7, 4, 4, 4)


@pytest.mark.parametrize("name", ["stylegan", "stylegan2"])
def test_evaluation_repeats_itself_and_training_does_not(name: str) -> None:
    net = getattr(networks, name)(**SMALL)
    for key, p in net.named_parameters():
        if key.endswith("strength"):
            nn.init.ones_(p)
    z = torch.randn(2, 8)
    with torch.no_grad():
        assert torch.equal(net.eval()(z), net(z))
        assert not torch.equal(net.train()(z), net(z))


@pytest.mark.parametrize("name", ["stylegan", "stylegan2"])
def test_truncation_draws_towards_the_mean(name: str) -> None:
    torch.manual_seed(0)
    generator = getattr(networks, name)(**SMALL).generator.train()
    with torch.no_grad():
        for _ in range(3):
            generator.mapping(torch.randn(64, 8))
    assert generator.mapping.w_mean.abs().max() > 0
    generator.eval()
    z, mean = torch.randn(4, 8), generator.mapping.w_mean
    full = generator.styles(z)
    assert torch.equal(generator.styles(z, truncation=1), full)
    half = generator.styles(z, truncation=0.5, cutoff=3)
    torch.testing.assert_close(half[:, :3], (full[:, :3] + mean) / 2)
    assert torch.equal(half[:, 3:], full[:, 3:])
    torch.testing.assert_close(generator.styles(z, truncation=0)[:, 0], mean.expand(4, -1))


def test_mean_style_is_a_running_mean() -> None:
    mapping = networks.stylegan2(**SMALL).generator.mapping.train()
    w = mapping(torch.randn(5, 8))
    torch.testing.assert_close(mapping.w_mean, 0.005 * w.mean(0))
    mapping.eval()(torch.randn(5, 8))
    torch.testing.assert_close(mapping.w_mean, 0.005 * w.mean(0))


def test_mixing_takes_coarse_from_one_and_fine_from_the_other() -> None:
    net = networks.stylegan2(**SMALL).eval()
    with torch.no_grad():
        a, b = (net.generator.styles(torch.randn(2, 8)) for _ in range(2))
    mixed = mix_styles(a, b, 4)
    assert torch.equal(mixed[:, :4], a[:, :4]) and torch.equal(mixed[:, 4:], b[:, 4:])
    each = mix_styles(a, b, torch.tensor([0, 6]))
    assert torch.equal(each[0], b[0]) and torch.equal(each[1], a[1])


def pictures_at(net: nn.Module, growth: float, z: Tensor) -> Tensor:
    with torch.no_grad():
        return net.generator(z, growth=growth)


def test_growing_fades_the_next_size_in() -> None:
    net = networks.stylegan(progressive=True, **SMALL).eval()
    z = torch.randn(3, 8)
    coarse, fine = pictures_at(net, 1, z), pictures_at(net, 2, z)
    assert (coarse.shape[2], fine.shape[2]) == (8, 16)
    expected = 0.75 * F.interpolate(coarse, scale_factor=2) + 0.25 * fine
    torch.testing.assert_close(pictures_at(net, 1.25, z), expected, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(net(z), fine)
        for growth in (0, 0.5, 1, 2):
            assert net.discriminator(pictures_at(net, growth, z), growth=growth).shape == (3,)
        barely, before = (
            net.discriminator(x, growth=g) for x, g in ((F.interpolate(coarse, scale_factor=2), 1 + 1e-6), (coarse, 1))
        )
    torch.testing.assert_close(barely, before, atol=1e-3, rtol=1e-3)


def test_growing_says_what_it_may() -> None:
    fixed, growing = networks.stylegan(**SMALL), networks.stylegan(progressive=True, **SMALL)
    z = torch.randn(1, 8)
    with pytest.raises(UsageError, match="progressive=True"):
        fixed.generator(z, growth=1)
    with pytest.raises(UsageError, match="0 to 2"):
        growing.generator(z, growth=2.5)
    with pytest.raises(UsageError, match="a power of two from 8"):
        networks.stylegan2(input_size=48)


@pytest.mark.parametrize("name", ["stylegan", "stylegan2"])
def test_a_class_reaches_picture_and_verdict(name: str) -> None:
    net = getattr(networks, name)(num_classes=3, **SMALL).eval()
    z, labels = torch.randn(2, 8), torch.tensor([0, 2])
    with torch.no_grad():
        first, second = net(z, labels), net(z, 2 - labels)
        assert not torch.allclose(first, second)
        assert not torch.allclose(net.discriminator(first, labels), net.discriminator(first, 2 - labels))
    assert math.isfinite(first.sum().item())
