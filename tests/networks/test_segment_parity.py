"""torchvision's FCN on ResNet-50 and ours: the same tensors, the same answers, the same published facts."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from anmok import networks


def theirs() -> nn.Module:
    """torchvision's, with normalisation drawn at random, and no dropout."""
    torch.manual_seed(0)
    net = torchvision.models.segmentation.fcn_resnet50(
        weights=None, weights_backbone=None, aux_loss=True, num_classes=5
    )
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return net


def test_answers() -> None:
    reference, net = theirs(), networks.fcn_resnet50(num_classes=5)
    net.load_state_dict(reference.state_dict())
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    x = torch.randn(2, 3, 33, 40)
    with torch.no_grad():
        expected, answer = reference.eval()(x)["out"], net.eval()(x)
        assert answer.std() > 1e-3
        torch.testing.assert_close(answer, expected)
        both, answers = reference.train()(x), net.train()(x)
    torch.testing.assert_close(answers.logits, both["out"])
    torch.testing.assert_close(answers.aux_logits, both["aux"])


@pytest.mark.slow
def test_initialisation_draws_the_same_numbers() -> None:
    torch.manual_seed(3)
    expected = torchvision.models.segmentation.fcn_resnet50(
        weights=None, weights_backbone=None, aux_loss=True, num_classes=5
    ).state_dict()
    torch.manual_seed(3)
    state = networks.fcn_resnet50(num_classes=5).state_dict()
    assert list(state) == list(expected)
    assert all(torch.equal(state[key], expected[key]) for key in expected)


def test_published_facts() -> None:
    known = torchvision.models.get_model_weights("fcn_resnet50").COCO_WITH_VOC_LABELS_V1
    ours = networks.published("fcn_resnet50")["coco-v1"]
    assert (ours.url, ours.classes) == (known.url, len(known.meta["categories"]))
    measured = known.meta["_metrics"]["COCO-val2017-VOC-labels"]
    assert ours.figures == {"mean IoU": measured["miou"], "pixel accuracy": measured["pixel_acc"]}
    transform = known.transforms()
    assert [ours.preprocessing.size] == transform.resize_size
    assert (list(ours.preprocessing.mean), list(ours.preprocessing.std)) == (transform.mean, transform.std)
    with torch.device("meta"):
        assert known.meta["num_params"] == sum(p.numel() for p in networks.fcn_resnet50().parameters())


def test_backbone_weights_fill_the_backbone_alone(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for ResNet-50's published file; with it every tensor of the backbone is set and no head is."""
    state = {key: torch.full_like(value, 0.5) for key, value in networks.resnet50().state_dict().items()}
    monkeypatch.setattr("anmok.networks._pretrained._read", lambda weights, published: dict(state))
    net = networks.fcn_resnet50(num_classes=3, weights="imagenet")
    assert all((value == value.new_tensor(0.5)).all() for value in net.backbone.state_dict().values())
    assert all(value.std() > 0 for key, value in net.classifier.state_dict().items() if value.ndim == 4)
    assert list(networks.published("fcn_resnet50"))[-1] == "imagenet-v2"
