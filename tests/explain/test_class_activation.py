import pytest
import torch
import torch.nn.functional as F
import torchvision
from captum.attr import LayerGradCam
from torch import nn

from anmok.core.errors import UsageError
from anmok.explain.class_activation import class_activation, last_feature_layer

from .conftest import small_network


@pytest.mark.parametrize(
    ("name", "layer"),
    [("resnet18", "layer4"), ("densenet121", "features"), ("vgg11_bn", "features.27"), ("googlenet", "inception5b")],
)
def test_the_rule_finds_what_the_papers_use(name, layer):
    kinds = {"init_weights": False} if name == "googlenet" else {}
    network = torchvision.models.get_model(name, weights=None, **kinds).eval()
    with torch.no_grad():
        assert last_feature_layer(network, torch.randn(1, 3, 64, 64)) == layer


def test_grad_cam_worked_by_hand(planted):
    """ReLU(Σ_k mean(∂y/∂A_k) · A_k), the paper's equations 1 and 2, with plain autograd."""
    picture, target = planted.pictures[0], int(planted.classes[0])
    maps = planted.network[:10](picture[None])
    maps = maps.detach().requires_grad_()
    score = planted.network[10:](maps)[0, target]
    (gradient,) = torch.autograd.grad(score, maps)
    cam = (gradient.mean(dim=(2, 3), keepdim=True) * maps).sum(1, keepdim=True).relu()
    cam = F.interpolate(cam.detach(), size=picture.shape[-2:], mode="bilinear", align_corners=False)[0, 0]
    found = class_activation(planted.network, picture, target)
    assert found.layer == "9"
    assert found.peak == pytest.approx(float(cam.max()), rel=1e-4)
    torch.testing.assert_close(torch.from_numpy(found.heat), cam / cam.max(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "mobilenet_v2"])
def test_grad_cam_is_captums(name):
    """Networks whose last activation works in place, or is skipped over, or lies within the layer looked at."""
    torch.manual_seed(0)
    network, picture = torchvision.models.get_model(name, weights=None).eval(), torch.randn(3, 96, 96)
    found = class_activation(network, picture)
    layer = LayerGradCam(network, network.get_submodule(found.layer))
    wanted = layer.attribute(picture[None].requires_grad_(), target=found.target, relu_attributions=True)
    wanted = F.interpolate(wanted.detach(), size=(96, 96), mode="bilinear", align_corners=False)[0, 0]
    assert found.peak == pytest.approx(float(wanted.max()), rel=1e-4)
    torch.testing.assert_close(torch.from_numpy(found.heat), wanted / wanted.max(), atol=1e-4, rtol=1e-4)


def test_explaining_leaves_a_network_as_it_was():
    network = torchvision.models.resnet18(weights=None)
    class_activation(network, torch.randn(3, 64, 64))
    assert network.training and all(p.grad is None for p in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())


def test_any_layer_by_name(planted):
    found = class_activation(planted.network, planted.pictures[0], layer="4")
    assert found.layer == "4" and found.heat.max() == 1


def test_wrong_layers_are_named():
    network = small_network()
    with pytest.raises(UsageError, match="no layer of this name"):
        class_activation(network, torch.randn(1, 24, 24), layer="layer9")
    with pytest.raises(UsageError, match="layer='9'"):
        class_activation(network, torch.randn(1, 24, 24), layer="12")


def test_a_network_without_maps_is_told_what_to_use():
    dense = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    with pytest.raises(UsageError, match="occlusion"):
        class_activation(dense, torch.randn(1, 4, 4))
