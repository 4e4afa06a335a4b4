"""The same tensors in torchvision's detectors and in ours give the same boxes, scores and losses."""

from __future__ import annotations

import functools

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN as TheirFasterRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

from anmok import networks

SIZE = (96, 128)


@functools.cache
def theirs(kind: type[nn.Module] = TheirFasterRCNN) -> nn.Module:
    torch.manual_seed(0)
    backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None, norm_layer=nn.BatchNorm2d)
    own = {"image_mean": [0.0] * 3, "image_std": [1.0] * 3, "min_size": min(SIZE), "max_size": max(SIZE)}
    net = kind(backbone, num_classes=8, box_score_thresh=0.02, rpn_post_nms_top_n_test=60, **own)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    nn.init.normal_(net.roi_heads.box_predictor.cls_score.weight, std=0.3)
    nn.init.normal_(net.roi_heads.box_predictor.bbox_pred.weight, std=0.1)
    nn.init.normal_(net.rpn.head.bbox_pred.weight, std=0.1)
    nn.init.normal_(net.rpn.head.cls_logits.weight, std=0.3)
    return net.eval()


def ours(name: str = "fasterrcnn_resnet50_fpn") -> nn.Module:
    net = networks.build(name, num_classes=7, encoder="resnet18")
    kind = TheirFasterRCNN if name.startswith("faster") else torchvision.models.detection.MaskRCNN
    net.load_state_dict(theirs(kind).state_dict())
    net.rpn.after = (2000, 60)
    return net.eval()


def pictures() -> Tensor:
    return torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(1))


def test_boxes_scores_and_labels() -> None:
    x = pictures()
    with torch.no_grad():
        expected = theirs()(list(x))
        found = ours()
        found = found.detect(found(x), [SIZE, SIZE], score=0.02, nms=0.5, limit=100)
    for own, other in zip(found, expected, strict=True):
        assert 20 < len(other["boxes"]) <= 100
        torch.testing.assert_close(own["boxes"], other["boxes"], rtol=1e-4, atol=1e-3)
        torch.testing.assert_close(own["scores"], other["scores"], rtol=1e-4, atol=1e-5)
        assert torch.equal(own["labels"], other["labels"] - 1)
