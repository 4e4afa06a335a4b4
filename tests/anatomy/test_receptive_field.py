"""Receptive fields against the gradient's support in the real network, and against known values."""

from __future__ import annotations

import pytest
import torch
import torchvision.models as published
from torch import nn

import anmok.anatomy
from tests.anatomy.nets import Branches, OriginalUNet, SmallUNet


def gradient_support(net: nn.Module, shape: tuple[int, ...], pick: tuple[slice | int, ...]) -> list[tuple[int, int]]:
    """First and last pixel, along each axis, whose gradient is not zero, for the outputs `pick` of an all-ones net."""
    net = net.double().eval()
    for parameter in net.parameters():
        nn.init.constant_(parameter, 0.01)
    x = torch.rand((1, *shape), dtype=torch.float64).add(0.5).requires_grad_()
    net(x)[pick].sum().backward()
    touched = (x.grad[0].abs().sum(0) > 0).nonzero()
    return [(int(touched[:, d].min()), int(touched[:, d].max())) for d in range(touched.shape[1])]


def chain(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers)


CASES = {
    "branches": (Branches(), (1, 64, 64)),
    "u-net": (SmallUNet(), (1, 64, 64)),
    "dilated": (chain(nn.Conv2d(1, 2, 3, dilation=3), nn.Conv2d(2, 1, (5, 2), stride=(2, 1))), (1, 50, 50)),
    "nearest": (chain(nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.Upsample(scale_factor=2), nn.Conv2d(2, 1, 3)),
                (1, 40, 40)),
    "bilinear": (chain(nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.Upsample(scale_factor=2, mode="bilinear")),
                 (1, 40, 40)),
    "odd bilinear": (chain(nn.Conv2d(1, 2, 3, stride=3), nn.Upsample(size=(31, 29), mode="bilinear")), (1, 40, 40)),
    "transposed": (chain(nn.Conv2d(1, 2, 4, stride=4), nn.ConvTranspose2d(2, 1, 5, stride=3, padding=1)), (1, 40, 44)),
    "shuffle": (chain(nn.Conv2d(1, 8, 3, stride=2), nn.PixelShuffle(2), nn.Conv2d(2, 1, 3)), (1, 41, 41)),
    "unshuffle": (chain(nn.PixelUnshuffle(3), nn.Conv2d(9, 1, 3)), (1, 45, 45)),
    "adaptive": (chain(nn.Conv2d(1, 1, 3), nn.AdaptiveAvgPool2d((7, 5))), (1, 40, 40)),
    "reflected": (chain(nn.ReflectionPad2d(2), nn.Conv2d(1, 1, 5)), (1, 40, 40)),
    "same, even": (chain(nn.Conv2d(1, 1, 4, padding="same"), nn.Conv2d(1, 1, 2, padding="same")), (1, 40, 40)),
    "line": (chain(nn.Conv1d(1, 2, 5, stride=2), nn.AvgPool1d(3), nn.Conv1d(2, 1, 3)), (1, 90)),
    "space": (chain(nn.Conv3d(1, 1, (1, 2, 3)), nn.AvgPool3d(2)), (1, 12, 14, 16)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_every_output_sees_what_its_gradient_touches(name):
    """Position by position, where no edge cuts. (Averages only: a maximum hides what it passes over.)"""
    net, shape = CASES[name]
    seen = anmok.anatomy(net, shape)
    field = seen.receptive_field
    sizes = seen.output_shapes[0][1:]
    found: list[set[int]] = [set() for _ in sizes]
    middle = [size // 2 for size in sizes]
    for d, size in enumerate(sizes):
        for position in range(size // 3, size - size // 3):
            where = [*middle]
            where[d] = position
            support = gradient_support(net, shape, (0, slice(None), *where))
            first, last = support[d]
            if first > 0 and last < shape[1 + d] - 1:  # not cut off by the edge
                found[d].add(last - first + 1)
    for axis, widths in zip(field, found, strict=True):
        assert widths, "the test picture is too small to see anything"
        assert (axis.smallest, axis.size) == (min(widths), max(widths))


@pytest.mark.parametrize(
    ("name", "layer", "size"), [("resnet18", "layer4", 435), ("shufflenet_v2_x0_5", "stage2", None)]
)
def test_gradient_support_of_published_networks(name, layer, size):
    """The whole network, batch norm as identity, on a picture larger than the field where there is one."""
    net = getattr(published, name)()
    seen = anmok.anatomy(net, (3, 448, 448)).layer(layer)
    assert size is None or seen.field[0].size == size
    children = dict(net.named_children())
    body = nn.Sequential(*list(children.values())[: list(children).index(layer) + 1])
    middle = seen.output[1] // 2
    (top, bottom), (left, right) = gradient_support(body, (3, 448, 448), (0, slice(None), middle, middle))
    assert (bottom - top + 1, right - left + 1) == (seen.field[0].size, seen.field[1].size)
    assert (top + bottom) / 2 == seen.field[0].start + middle * seen.field[0].jump


def test_patchgan_sees_70_pixels():
    """70×70 PatchGAN: 4×4 convolutions, strides 2, 2, 2, 1, 1."""
    channels, layers = [3, 64, 128, 256, 512, 1], []
    for i, stride in enumerate((2, 2, 2, 1, 1)):
        layers += [nn.Conv2d(channels[i], channels[i + 1], 4, stride, 1), nn.InstanceNorm2d(channels[i + 1])]
    seen = anmok.anatomy(nn.Sequential(*layers), (3, 256, 256))
    assert seen.receptive_field[0].size == 70
    assert seen.output_shapes == ((1, 30, 30),)


def test_the_original_u_net_sees_188_or_204_pixels():
    with torch.device("meta"):
        net = OriginalUNet()
    seen = anmok.anatomy(net, (1, 572, 572))
    assert seen.parameters == 31_030_658
    assert seen.output_shapes == ((2, 388, 388),)
    field = seen.receptive_field[0]
    assert (field.smallest, field.size, field.jump) == (188, 204, 1.0)


def test_attention_and_dense_layers_see_everything():
    with torch.device("meta"):
        net = published.vit_b_16()
    seen = anmok.anatomy(net, (3, 224, 224))
    assert seen.layer("conv_proj").field[0].size == 16
    assert seen.layer("encoder.layers.encoder_layer_0").field[0].whole
    flat = anmok.anatomy(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), (1, 8, 8)).layers[-1].field[0]
    assert (flat.size, flat.whole, flat.jump) == (8, True, None)


def test_swin_windows():
    """Windows of 7×7 patches of 4 pixels see 28; the next block's shifted windows join neighbours."""
    seen = anmok.anatomy(published.swin_t(), (3, 224, 224))
    assert seen.layer("features.1.0.attn").field[0].size == 28
    assert not seen.layer("features.1.1").field[0].whole
    assert seen.layer("features.5").field[0].whole


@pytest.mark.parametrize(("name", "kernel", "size"), [("vgg16", 7, 404), ("alexnet", 6, 355)])
def test_fully_convolutional_fc6(name, kernel, size):
    """FCN (Long et al. 2015), table 1: fc6 as a convolution over the last pooling, stride 32."""
    with torch.device("meta"):
        body = getattr(published, name)().features
        channels = 512 if name == "vgg16" else 256
        seen = anmok.anatomy(nn.Sequential(body, nn.Conv2d(channels, 8, kernel)), (3, 500, 500))
    assert [(axis.size, axis.jump) for axis in seen.receptive_field] == [(size, 32), (size, 32)]


def test_dcgans_discriminator_sees_94_pixels_and_the_first_faster_rcnn_proposals_228():
    """DCGAN: four 4×4 of stride 2 and one of stride 1, to a single answer. RPN: a 3×3 on VGG16's conv5_3."""
    discriminator = nn.Sequential(
        *[nn.Conv2d(i, o, 4, 2, 1) for i, o in ((3, 8), (8, 8), (8, 8), (8, 8))], nn.Conv2d(8, 1, 4)
    )
    assert anmok.anatomy(discriminator, (3, 64, 64)).receptive_field[0].size == 94
    with torch.device("meta"):
        proposals = nn.Sequential(published.vgg16().features[:30], nn.Conv2d(512, 512, 3, padding=1))
    seen = anmok.anatomy(proposals, (3, 600, 1000))
    assert [(axis.size, axis.jump) for axis in seen.receptive_field] == [(228, 16), (228, 16)]


def test_pixels_folded_into_channels_by_hand():
    """A stem that reshapes 4×4 pixels into channels (TResNet) equals a 4×4 window of stride 4."""

    class Fold(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            n, c, h, w = x.shape
            return x.view(n, c, h // 4, 4, w // 4, 4).permute(0, 3, 5, 1, 2, 4).reshape(n, 16 * c, h // 4, w // 4)

    seen = anmok.anatomy(nn.Sequential(Fold(), nn.Conv2d(48, 8, 3)), (3, 64, 64))
    assert [(axis.size, axis.jump) for axis in seen.receptive_field] == [(12, 4), (12, 4)]
