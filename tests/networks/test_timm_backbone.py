from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from anmok import networks
from anmok.core.errors import AnmokError, CheckpointError, UsageError


@pytest.mark.parametrize("name", ["resnet18", "convnext_atto", "densenet121", "mobilenetv3_small_050"])
def test_stages_are_those_of_features_only(name: str) -> None:
    with torch.device("meta"):
        net = networks.build(f"timm:{name}", num_classes=4, in_channels=2).eval()
        reference = timm.create_model(name, features_only=True, in_chans=2).eval()
        x = torch.zeros(1, 2, 64, 96)
        maps, expected = net.features(x), reference(x)
    assert [m.shape for m in maps] == [m.shape for m in expected]
    assert [s.channels for s in net.stages] == reference.feature_info.channels()
    assert [s.stride for s in net.stages] == reference.feature_info.reduction()


def test_same_numbers_as_timm() -> None:
    torch.manual_seed(0)
    reference = timm.create_model("resnet18", num_classes=4).eval()
    net = networks.build("timm:resnet18", num_classes=4).eval()
    net.net.load_state_dict(reference.state_dict())
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(net(x), reference(x))
        torch.testing.assert_close(net.forward_head(net.forward_features(x)), reference(x))
        for found, expected in zip(net.features(x), reference.forward_intermediates(x)[1], strict=True):
            torch.testing.assert_close(found, expected)


def test_transformer_maps_are_maps() -> None:
    with torch.device("meta"):
        net = networks.build("timm:vit_tiny_patch16_224", num_classes=4).eval()
        maps = net.features(torch.zeros(1, 3, 224, 224))
    assert [tuple(m.shape) for m in maps] == [(1, 192, 14, 14)]
    assert [(s.channels, s.stride) for s in net.stages] == [(192, 16)]
    with pytest.raises(UsageError, match="224 or more"):
        net(torch.zeros(1, 3, 192, 192))


def test_head_can_be_replaced() -> None:
    with torch.device("meta"):
        net = networks.build("timm:convnext_atto", num_classes=4).eval()
        net.reset_classifier(9)
        assert net(torch.zeros(1, 3, 64, 64)).shape == (1, 9)
        assert isinstance(net.get_submodule(net.heads[0]), nn.Linear)


def test_unknown_names_and_keywords() -> None:
    with pytest.raises(UsageError, match="'resnet50'"):
        networks.build("timm:resnet5o", num_classes=2)
    with pytest.raises(UsageError, match="network in timm"):
        networks.card("timm:nothing_like_it_at_all")
    with pytest.raises(UsageError, match="no_such_keyword"):
        networks.build("timm:resnet18", num_classes=2, no_such_keyword=3)
    with pytest.raises(UsageError, match="channels"):
        networks.build("timm:resnet18", num_classes=2)(torch.zeros(1, 1, 64, 64))


def test_weights_of_ones_own(tmp_path: Path) -> None:
    first = networks.build("timm:resnet10t", num_classes=3)
    for state in (first.state_dict(), first.net.state_dict()):  # saved by us, saved by timm
        save_file(state, tmp_path / "a.safetensors")
        net = networks.build("timm:resnet10t", num_classes=3, weights=tmp_path / "a.safetensors")
        assert torch.equal(net.net.conv1[0].weight, first.net.conv1[0].weight)
    with pytest.raises(CheckpointError, match="another network"):
        networks.build("timm:resnet18", num_classes=3, weights=tmp_path / "a.safetensors")


def test_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", no_network)
    with pytest.raises(AnmokError, match="nothing is fetched unasked"):
        networks.build("timm:resnet18", num_classes=3, weights="imagenet")


def test_nothing_is_fetched_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    original = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda *a, **k: asked.append(k["pretrained"]) or original(*a, **k))
    networks.build("timm:resnet10t", num_classes=3)
    assert asked == [False]


def test_card() -> None:
    card = networks.card("timm:inception_v3")
    assert card.natural == 299
    assert "inception_v3 (timm)" in str(card)
    assert networks.published("timm:resnet18") == {}
