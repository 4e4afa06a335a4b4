"""Kernels by hand, filters, feature maps and the sliding window."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from skimage import data
from torch import nn

import anmok.anatomy
from anmok.anatomy.filters import KERNELS
from anmok.anatomy.windows import convolve
from anmok.core.errors import UsageError


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_do_what_a_convolution_does(name):
    picture = data.astronaut()[100:140, 60:110]
    response = anmok.anatomy.apply_kernel(picture, name)
    x = torch.from_numpy(picture.transpose(2, 0, 1).copy()).double()[:, None]
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    expected = F.conv2d(padded, torch.from_numpy(KERNELS[name])[None, None])[:, 0].numpy().transpose(1, 2, 0)
    assert response.shape == picture.shape
    np.testing.assert_allclose(response, expected, atol=1e-9)


def test_line_kernels_tell_directions_apart():
    picture = np.zeros((9, 9), np.uint8)
    picture[4] = 100
    lying, standing = (anmok.anatomy.apply_kernel(p, "horizontal_line")[4, 4] for p in (picture, picture.T))
    assert (lying, standing) == (600, 0)
    assert anmok.anatomy.apply_kernel(picture.T, "vertical_line")[4, 4] == 600


def test_a_flat_picture_stays_flat():
    picture = np.full((6, 7, 3), 90, np.uint8)
    for name, weights in KERNELS.items():
        expected = 90 if abs(weights.sum() - 1) < 1e-9 else 0
        shown = anmok.anatomy.as_picture(anmok.anatomy.apply_kernel(picture, name), name)
        assert shown.dtype == np.uint8 and (shown == expected).all()


def test_own_kernels_and_their_errors():
    picture = data.camera()[:20, :30]
    shift = np.array([[0.0, 0, 0, 0, 1]])
    assert (anmok.anatomy.apply_kernel(picture, shift)[:, :-2] == picture[:, 2:]).all()
    for bad in (np.ones((2, 3)), np.ones(3)):
        with pytest.raises(UsageError, match="middle"):
            anmok.anatomy.apply_kernel(picture, bad)
    with pytest.raises(UsageError, match="'sharpen'"):
        anmok.anatomy.apply_kernel(picture, "sharpn")
    with pytest.raises(UsageError, match="no picture"):
        anmok.anatomy.apply_kernel(np.zeros(3), "blur")


def test_feature_maps_are_the_layers_own_answer():
    net = torchvision.models.resnet18().train()
    picture = torch.rand(3, 64, 64)
    maps = anmok.anatomy.feature_maps(net, picture, "layer1")
    assert net.training and net.bn1.training and int(net.bn1.num_batches_tracked) == 0
    net.eval()
    with torch.no_grad():
        expected = net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(picture[None])))))[0].numpy()
    np.testing.assert_allclose(maps, expected, atol=1e-6)
    assert anmok.anatomy.feature_maps(net, picture[None], "fc").shape == (1000, 1, 1)
    assert not net.layer1._forward_hooks


def test_the_second_call_of_a_reused_layer():
    class Reuse(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.relu(self.relu(x) - 0.5)

    picture = torch.tensor([[[0.2, 0.9]]])
    assert anmok.anatomy.feature_maps(Reuse(), picture, "relu")[0, 0].tolist() == pytest.approx([0.2, 0.9])
    assert anmok.anatomy.feature_maps(Reuse(), picture, "relu", call=2)[0, 0].tolist() == pytest.approx([0.0, 0.4])
    with pytest.raises(UsageError, match="calls 1 to 2"):
        anmok.anatomy.feature_maps(Reuse(), picture, "relu", call=3)


def test_wrong_layers_name_the_nearest():
    net = torchvision.models.resnet18()
    with pytest.raises(UsageError, match=r"'layer2\.0\.conv1'"):
        anmok.anatomy.feature_maps(net, torch.rand(3, 32, 32), "layer2.0.conv11")
    with pytest.raises(UsageError, match="conv1"):
        anmok.anatomy.filters_of(net, "fc")
    with pytest.raises(UsageError, match="none here"):
        anmok.anatomy.filters_of(nn.Linear(2, 2))


def test_first_filters_are_the_first_convolution():
    net = torchvision.models.alexnet()
    name, weights = anmok.anatomy.filters_of(net)
    assert name == "features.0" and weights.shape == (64, 3, 11, 11)
    assert (weights == net.features[0].weight.detach().numpy()).all()


def images(figure):
    return [image for axes in figure.axes for image in axes.images]


def test_grids_have_one_scale_symmetric_around_zero(tmp_path):
    weights = np.random.default_rng(0).normal(size=(10, 4, 3, 3))
    figure = anmok.anatomy.filters_figure("conv", weights, limit=30)
    limits = {image.get_clim() for image in images(figure)}
    most = np.abs(weights).max()
    assert len(images(figure)) == 30 and limits == {(-most, most)}
    text = " ".join(item.get_text() for item in figure.texts)
    assert "30 of 40" in text and f"{most:.3g}" in text
    assert anmok.anatomy.save(figure, tmp_path / "filters.png").stat().st_size > 1000


def test_maps_start_at_zero_where_nothing_is_negative():
    maps = np.random.default_rng(0).random((70, 5, 5))
    figure = anmok.anatomy.maps_figure("relu", maps)
    assert {image.get_clim() for image in images(figure)} == {(0.0, maps.max())}
    assert "64 of 70 maps" in figure.texts[0].get_text()
    signed = anmok.anatomy.maps_figure("conv", maps - 0.7)
    most = max(0.7 - maps.min(), maps.max() - 0.7)
    assert {image.get_clim() for image in images(signed)} == {(-most, most)}
    assert len(images(anmok.anatomy.maps_figure("dead", np.zeros((2, 3, 3))))) == 2


def test_colour_filters_keep_zero_gray():
    weights = np.zeros((2, 3, 3, 3))
    weights[0, 0], weights[1, 2] = 0.5, -0.25
    shown = [image.get_array() for image in images(anmok.anatomy.filters_figure("first", weights))]
    assert shown[0][0, 0].tolist() == [1.0, 0.5, 0.5] and shown[1][0, 0].tolist() == [0.5, 0.5, 0.25]


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "dilation"),
    [(5, 3, 1, 0, 1), (5, 3, 2, 1, 1), (7, 2, 3, 0, 1), (6, 3, 1, 1, 2)],
)
def test_the_sliding_window_computes_what_torch_computes(size, kernel, stride, padding, dilation):
    values = np.random.default_rng(0).integers(0, 9, (size, size))
    weights = np.random.default_rng(1).integers(-2, 3, (kernel, kernel))
    mine = convolve(np.pad(values, padding), weights, stride, dilation)
    x, w = (torch.from_numpy(a).double()[None, None] for a in (values, weights))
    assert (mine == F.conv2d(x, w, None, stride, padding, dilation)[0, 0].numpy()).all()
    figure = anmok.anatomy.window_figure(size, kernel, stride, padding, dilation, picture=values, weights=weights)
    shown = [text.get_text() for text in figure.axes[-1].texts]
    assert f"step {mine.size} of {mine.size}" in shown and f"{mine[-1, -1]:g}" in shown


def test_a_grid_too_large_to_read_is_refused():
    with pytest.raises(UsageError, match="too large to read"):
        anmok.anatomy.window_figure(20, 3)


def test_kernels_figure_shows_every_kernel():
    figure = anmok.anatomy.kernels_figure(data.astronaut()[::8, ::8])
    assert len(images(figure)) == len(KERNELS) + 1
