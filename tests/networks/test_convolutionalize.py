from __future__ import annotations

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from anmok import networks
from anmok.core.errors import UsageError
from anmok.networks.convolutionalize import convolutionalize


class Unpadded(nn.Module):
    """A classifier in which no layer pads: 20×20 → 9×9 → 4×4 → dense."""

    def __init__(self, pool: nn.Module | None = None) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(2, 6, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 2, bias=False),
            nn.BatchNorm2d(8),
            nn.MaxPool2d(2),
        )
        self.pool = pool or nn.Identity()
        self.head = nn.Sequential(nn.LazyLinear(12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(), nn.Linear(12, 5))

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.body(x))
        return self.head(x.view(x.size(0), -1))


def settled(net: nn.Module, x: Tensor) -> nn.Module:
    """Lazy layers made, batch statistics no longer 0 and 1."""
    with torch.no_grad():
        for _ in range(3):
            net.train()(x * 3 + 1)
    return net.eval()


def slide(net: nn.Module, picture: Tensor, window: int, stride: int) -> Tensor:
    """The classifier on every window, one at a time."""
    rows = [
        torch.stack(
            [
                net(picture[:, :, top : top + window, left : left + window])
                for left in range(0, picture.shape[3] - window + 1, stride)
            ],
            dim=-1,
        )
        for top in range(0, picture.shape[2] - window + 1, stride)
    ]
    return torch.stack(rows, dim=-2)


@pytest.mark.parametrize("pool", [None, nn.AdaptiveAvgPool2d(4), nn.AdaptiveAvgPool2d(2), nn.AdaptiveMaxPool2d(1)])
def test_without_padding_it_is_sliding_over_the_picture(pool: nn.Module | None) -> None:
    torch.manual_seed(0)
    net = settled(Unpadded(pool), torch.randn(8, 2, 20, 20))
    heat = convolutionalize(net, 20)
    picture = torch.randn(2, 2, 45, 38)
    with torch.no_grad():
        expected = slide(net, picture, 20, 4)
        answer = heat(picture)
    assert (heat.window, heat.stride) == ((20, 20), 4)
    assert answer.shape == expected.shape == (2, 5, 7, 5)
    assert expected.std(dim=(2, 3)).min() > 1e-3
    torch.testing.assert_close(answer, expected, rtol=1e-4, atol=1e-5)


def test_unpadded_alexnet_slides() -> None:
    """AlexNet's own layers with their padding taken away."""
    torch.manual_seed(0)
    net = networks.alexnet(num_classes=4).eval()
    for module in net.features:
        if isinstance(module, nn.Conv2d):
            module.padding = (0, 0)
    size = 355  # 6 → 13 before pooling → 19 before three 3×3 → 39 → 43 → 87 → 86·4 + 11
    heat = convolutionalize(net, size)
    assert heat.stride == 32
    picture = torch.randn(1, 3, size + 33, size)  # a row of two windows, and a line over
    with torch.no_grad():
        torch.testing.assert_close(heat(picture), slide(net, picture, size, 32), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["textbook_cnn", "alexnet", "alexnet_2012", "resnet18", "googlenet"])
def test_at_its_own_size_it_is_the_classifier(name: str) -> None:
    torch.manual_seed(0)
    net = getattr(networks, name)(num_classes=6).eval()
    heat = convolutionalize(net)
    x = torch.randn(2, net.accepts.channels, net.accepts.natural, net.accepts.natural)
    with torch.no_grad():
        expected = net(x)
        torch.testing.assert_close(heat(x), expected[..., None, None], rtol=1e-3, atol=1e-5)


def test_vgg_at_its_own_size_and_larger() -> None:
    """At a fifth of its width, so that it takes a moment and not a minute."""
    torch.manual_seed(0)
    with torch.device("meta"):  # half a gigabyte of weights that `slim` would throw away
        net = networks.vgg11(num_classes=6)
    slim(net)
    heat = convolutionalize(net.eval())
    x = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(heat(x), net(x)[..., None, None], rtol=1e-3, atol=1e-6)
        larger = torch.randn(1, 3, 224 + 64, 224 + 32)
        check_windows_of_the_map(net, heat, larger, (3, 2))
    assert heat.stride == 32


def slim(net: nn.Module) -> None:
    channels = 3
    for index, layer in enumerate(net.features):
        if isinstance(layer, nn.Conv2d):
            net.features[index] = nn.Conv2d(channels, layer.out_channels // 16, 3, padding=1)
            channels = layer.out_channels // 16
    net.classifier[0], net.classifier[3] = nn.Linear(channels * 49, 64), nn.Linear(64, 64)
    net.classifier[6] = nn.Linear(64, net.classifier[6].out_features)


def check_windows_of_the_map(net: nn.Module, heat: nn.Module, picture: Tensor, cells: tuple[int, int]) -> None:
    """Each cell is the head on its window of the whole picture's last map."""
    last, answer = net.forward_features(picture), heat(picture)
    assert answer.shape[2:] == cells
    own = net.forward_features(picture[..., : net.accepts.natural, : net.accepts.natural]).shape[-1]
    for i in range(cells[0]):
        for j in range(cells[1]):
            expected = net.forward_head(last[:, :, i : i + own, j : j + own])
            torch.testing.assert_close(answer[:, :, i, j], expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["textbook_cnn", "resnet18"])
def test_each_cell_is_the_head_on_its_window_of_the_map(name: str) -> None:
    torch.manual_seed(0)
    net = getattr(networks, name)(num_classes=6).eval()
    heat = convolutionalize(net)
    side = net.accepts.natural + 2 * heat.stride
    with torch.no_grad():
        check_windows_of_the_map(net, heat, torch.randn(1, net.accepts.channels, side, side), (3, 3))


def test_where_padding_makes_a_difference() -> None:
    """The textbook network pads: a window cut out of the picture sees zeros around it where the heat map sees the
    neighbours. The maps differ in the outermost cells only, as far as padding reaches, and nowhere else."""
    torch.manual_seed(0)
    net = networks.textbook_cnn().eval()
    heat = convolutionalize(net)
    picture = torch.randn(1, 1, 60, 60)
    with torch.no_grad():
        whole = net.forward_features(picture)[:, :, 4:11, 4:11]
        cut = net.forward_features(picture[:, :, 16:44, 16:44])
        torch.testing.assert_close(whole[:, :, 1:-1, 1:-1], cut[:, :, 1:-1, 1:-1])
        assert (whole - cut)[:, :, 0].abs().max() > 1e-2
        slid = slide(net, picture, 28, 4)
        assert slid.shape == heat(picture).shape
        assert (slid - heat(picture)).abs().max() > 1e-3


def test_parameters_are_the_classifiers_own_memory() -> None:
    net = networks.textbook_cnn().train()
    heat = convolutionalize(net)
    assert sum(p.numel() for p in heat.parameters()) == sum(p.numel() for p in net.parameters())
    assert {p.data_ptr() for p in heat.parameters()} == {p.data_ptr() for p in net.parameters()}
    assert not heat.training
    assert all(module.training for module in net.modules())
    before = heat(torch.ones(1, 1, 28, 28))
    with torch.no_grad():
        net.fc1.weight.mul_(2)
    assert not torch.equal(heat(torch.ones(1, 1, 28, 28)), before)


def test_somebody_elses_network() -> None:
    torch.manual_seed(0)
    net = torchvision.models.alexnet(num_classes=3).eval()
    heat = convolutionalize(net, input_size=224)
    x = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(heat(x), net(x)[..., None, None], rtol=1e-3, atol=1e-6)
    with pytest.raises(UsageError, match="input_size=224"):
        convolutionalize(net)


def test_two_sides_of_different_length() -> None:
    torch.manual_seed(0)
    net = settled(Unpadded(), torch.randn(8, 2, 20, 32))
    heat = convolutionalize(net, (20, 32))
    x = torch.randn(1, 2, 20, 32)
    with torch.no_grad():
        torch.testing.assert_close(heat(x), net(x)[..., None, None], rtol=1e-4, atol=1e-5)


def test_refusals() -> None:
    with pytest.raises(UsageError, match="uneven blocks"):
        convolutionalize(settled(Unpadded(nn.AdaptiveAvgPool2d(3)), torch.randn(8, 2, 20, 20)), 20)
    with pytest.raises(UsageError, match="smaller than what one cell"):
        convolutionalize(networks.textbook_cnn())(torch.zeros(1, 1, 27, 28))
    with pytest.raises(UsageError, match="0 flattenings"):
        convolutionalize(nn.Sequential(nn.Conv2d(3, 4, 1)), 8)
    with pytest.raises(UsageError, match="no convolution"):
        convolutionalize(nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), 2)
    with pytest.raises(UsageError, match="every place of a map"):
        convolutionalize(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(256, 3), nn.LayerNorm(3)), 8)
    with pytest.raises(UsageError, match="every place of a map"):
        convolutionalize(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten()), 8)
    with pytest.raises(UsageError, match="cannot be traced"):
        convolutionalize(Branching(), 8)


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) if x.sum() > 0 else self.conv(x)
