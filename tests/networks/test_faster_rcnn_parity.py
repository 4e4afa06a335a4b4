"""The same tensors in torchvision's detectors and in ours give the same boxes, scores, masks and losses."""

from __future__ import annotations

import functools

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

from anmok import networks
from anmok.networks import _rpn
from anmok.networks.fasterrcnn_resnet50_fpn import freeze_normalisation

SIZE = (96, 128)
LIMIT = {"fasterrcnn_resnet50_fpn": 100, "maskrcnn_resnet50_fpn": 6}  # masks are costly
NAMES = {"fasterrcnn_resnet50_fpn": FasterRCNN, "maskrcnn_resnet50_fpn": MaskRCNN}


@functools.cache
def theirs(name: str) -> nn.Module:
    """torchvision's network on a ResNet-18, nothing at 0 or 1; sampling takes whatever there is."""
    torch.manual_seed(0)
    backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None, norm_layer=nn.BatchNorm2d)
    net = NAMES[name](
        backbone, num_classes=8, image_mean=[0.0] * 3, image_std=[1.0] * 3, min_size=min(SIZE), max_size=max(SIZE),
        box_score_thresh=0.02, box_detections_per_img=LIMIT[name], rpn_post_nms_top_n_test=60,
        rpn_post_nms_top_n_train=60,
        rpn_batch_size_per_image=100_000, box_batch_size_per_image=100_000, box_positive_fraction=0.5,
    )  # fmt: skip
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    for module, std in (
        (net.roi_heads.box_predictor.cls_score, 0.3),
        (net.roi_heads.box_predictor.bbox_pred, 0.1),
        (net.rpn.head.bbox_pred, 0.1),
        (net.rpn.head.cls_logits, 0.3),
    ):
        nn.init.normal_(module.weight, std=std)
    return net


def ours(name: str) -> nn.Module:
    net = networks.build(name, num_classes=7, encoder="resnet18")
    net.load_state_dict(theirs(name).state_dict())
    net.rpn.after = (60, 60)
    net.roi_heads.count, net.roi_heads.positives = 100_000, 0.5
    return net


def pictures() -> Tensor:
    return torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(1))


def targets() -> list[dict[str, Tensor]]:
    found = []
    for boxes, labels in (([[8, 9, 50, 60], [60, 20, 100, 90]], [2, 0]), ([[30.5, 30, 110, 80]], [6])):
        masks = torch.zeros(len(boxes), *SIZE, dtype=torch.bool)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
            mask[y1:y2, int(x1) : x2] = True
            mask[y1 : y1 + 9, int(x1) : int(x1) + 9] = False
        found.append({"boxes": torch.tensor(boxes).float(), "labels": torch.tensor(labels), "masks": masks})
    return found


@pytest.mark.parametrize("name", NAMES)
def test_boxes_scores_labels_and_masks(name: str) -> None:
    x = pictures()
    with torch.no_grad():
        expected = theirs(name).eval()(list(x))
        net = ours(name).eval()
        found = net.detect(net(x), [SIZE, SIZE], score=0.02, nms=0.5, limit=LIMIT[name])
    for own, other in zip(found, expected, strict=True):
        assert min(20, LIMIT[name]) <= len(other["boxes"]) <= LIMIT[name]
        torch.testing.assert_close(own["boxes"], other["boxes"])
        torch.testing.assert_close(own["scores"], other["scores"])
        assert torch.equal(own["labels"], other["labels"] - 1)
        if "masks" in other:
            assert torch.equal(own["masks"], other["masks"][:, 0] > 0.5)
            assert 0 < own["masks"].float().mean() < 1


@pytest.mark.parametrize("name", NAMES)
def test_losses(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every anchor and region takes part, so that both sample the same."""
    monkeypatch.setattr(_rpn, "SAMPLED", 100_000)
    x, truths = pictures(), targets()
    net, other = ours(name).train(), theirs(name).train()
    for one in (net, other):
        for module in one.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    parts = net.losses(net(x, truths), truths)
    expected = other(list(x), [{**target, "labels": target["labels"] + 1, "masks": target["masks"].to(torch.uint8)}
                               for target in truths])  # fmt: skip
    names = {"objectness": "loss_objectness", "proposals": "loss_rpn_box_reg", "classes": "loss_classifier",
             "boxes": "loss_box_reg", "masks": "loss_mask"}  # fmt: skip
    assert {names[key] for key in parts} == set(expected)
    for key, value in parts.items():
        torch.testing.assert_close(value, expected[names[key]])


@pytest.mark.parametrize("name", NAMES)
def test_state_dict_is_torchvisions(name: str) -> None:
    with torch.device("meta"):
        net = getattr(networks, name)()
        other = getattr(torchvision.models.detection, name)(weights=None, weights_backbone=None)
    shapes = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    assert shapes == {key: tuple(value.shape) for key, value in other.state_dict().items()}
    assert sum(p.numel() for p in net.parameters()) == sum(p.numel() for p in other.parameters())
    assert next(iter(networks.published(name).values())).url.startswith("https://download.pytorch.org/models/")


def test_counts_of_the_pyramid_form() -> None:
    with torch.device("meta"):
        net = networks.fasterrcnn_resnet50_fpn()
        assert sum(p.numel() for p in net.parameters()) == 41_808_406
        assert len(net.state_dict()) == 348
        freeze_normalisation(net)
    counts = {
        "body": sum(p.numel() for p in net.backbone.body.parameters()),
        "pyramid": sum(p.numel() for p in net.backbone.fpn.parameters()),
        "proposals": sum(p.numel() for p in net.rpn.parameters()),
        "heads": sum(p.numel() for p in net.roi_heads.parameters()),
    }
    assert counts == {"body": 23_454_912, "pyramid": 3_344_384, "proposals": 593_935, "heads": 14_362_055}
    assert sum(p.numel() for p in net.parameters()) == 41_755_286
    assert len(net.state_dict()) == 295
