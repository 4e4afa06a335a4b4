"""FACTS.md §2, number by number. The figures were worked out from the papers, Caffe's files and torchvision."""

from __future__ import annotations

import functools
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anmok import networks
from anmok.core.errors import UsageError
from anmok.networks import fcn
from anmok.networks._encoder import Encoder
from anmok.networks._interface import keep_nothing
from anmok.networks.unet_2015 import UNet2015, ValidUNet, middle, mirrored, spare

from .measure import key_hash, multiply_adds, receptive_field


def on_meta(name: str, **kwargs: object) -> nn.Module:
    kwargs = {"num_classes": None, "in_channels": None, **kwargs}
    with torch.device("meta"):
        return networks.build(name, **kwargs)  # type: ignore[arg-type]


def count(module: nn.Module, learned: bool = True) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad is learned)


# --- FCN ---

FCN = {  # learned parameters, fixed deconvolutions', crops of the skips and of the answer, (kernel, stride) of each
    "fcn_32s": (134_346_581, 1_806_336, [], 19, [(64, 32)]),
    "fcn_16s": (134_357_354, 458_640, [5], 27, [(4, 2), (32, 16)]),
    "fcn_8s": (134_362_751, 127_008, [5, 9], 31, [(4, 2), (4, 2), (16, 8)]),
}


@pytest.mark.parametrize("name", FCN)
def test_fcn(name: str) -> None:
    learned, fixed, crops, last, enlarging = FCN[name]
    net = on_meta(name)
    assert (count(net), count(net, learned=False)) == (learned, fixed)
    layers = [m for m in net.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert sorted((m.kernel_size[0], m.stride[0]) for m in layers) == sorted(enlarging)
    assert ([offset for _, offset in net.skips], net.offset) == (crops, last)
    assert [p.requires_grad for m in layers for p in m.parameters()] == [False] * len(layers)
    assert count(on_meta(name, learn_upsampling=True), learned=False) == 0


def test_fcns_chain_of_sizes() -> None:
    """500² becomes 698, 349, 175, 88, 44, 22, 16 and the deconvolutions' 544; 34, 560; 34, 70, 568."""
    seen: list[int] = []
    for name in FCN:
        net = on_meta(name)
        for module in net.modules():
            if isinstance(module, (nn.MaxPool2d, nn.ConvTranspose2d)) or module is net.features[0] or module is net.fc6:
                module.register_forward_hook(lambda _, __, out: seen.append(out.shape[2]))
        net.eval()(torch.empty(1, 3, 500, 500, device="meta"))
    down = [698, 349, 175, 88, 44, 22, 16]
    assert seen == [*down, 544, *down, 34, 560, *down, 34, 70, 568]


def test_fcns_receptive_field() -> None:
    assert receptive_field(on_meta("fcn_32s"), upto="fc6.0") == 404


@pytest.mark.parametrize("name", FCN)
def test_fcns_crops_put_scores_where_they_were_seen(name: str) -> None:
    """The middle of a cell: the border, poolings and fc6 move it, deconvolutions and crops bring it back to 0."""
    net = on_meta(name)
    centre, jump, pools = 1.0 - fcn.BORDER, 1, []  # of the first cell of conv1_1, in pixels of the picture
    for _ in range(5):
        centre, jump = centre + jump / 2, jump * 2
        pools.append(centre)
    centre += 3 * jump  # fc6 reads 7×7 cells
    for module, crop in [*((net.get_submodule(f"upscore_pool{b}"), None) for b, _ in net.skips), (net.upscore, 1)]:
        stride = module.stride[0]
        jump //= stride
        centre -= (module.kernel_size[0] - 1) / 2 * jump  # the first output lies so far before the kernel's middle
        if crop is None:
            block, offset = next(skip for skip in net.skips if 2 ** skip[0] == jump)
            assert pools[block - 1] + offset * jump == centre
    assert centre + net.offset == 0


def test_bilinear_kernels() -> None:
    line = torch.tensor([0.25, 0.75, 0.75, 0.25])
    torch.testing.assert_close(fcn.bilinear_kernel(2), torch.outer(line, line))
    scores = torch.randn(2, 3, 5, 6)
    for stride in (2, 8):
        enlarged = fcn.bilinear(3, stride, learn=False)(scores)
        half = stride // 2
        inner = slice(stride, -stride)  # where no edge is near
        expected = F.interpolate(scores, scale_factor=stride, mode="bilinear", align_corners=False)
        cut = enlarged[:, :, half:-half, half:-half]
        torch.testing.assert_close(cut[:, :, inner, inner], expected[:, :, inner, inner])


def test_vggs_tensors_become_fcns() -> None:
    """By names and shapes. A dense layer's row is a kernel in the order channel, row, column: see convolutionalize."""
    net = on_meta("fcn_8s", num_classes=4)
    with torch.device("meta"):
        state = networks.vgg16().state_dict()
    translated = fcn._translate(net, dict(state))
    own = net.state_dict()
    assert {key: v.shape for key, v in translated.items() if not key.startswith("classifier.6")} == {
        key: v.shape for key, v in own.items()
    }
    assert all(translated[key] is state[key] for key in own if key.startswith("features"))


def test_a_coarser_fcns_file_is_taken_up() -> None:
    coarse, fine = on_meta("fcn_32s"), on_meta("fcn_16s")
    translated = fcn._translate(fine, dict(coarse.state_dict()))
    assert translated.keys() == fine.state_dict().keys()
    assert translated["score_fr.weight"].shape == (21, 4096, 1, 1)
    assert translated["upscore.weight"].shape == (21, 21, 32, 32)  # its own: the coarser one enlarges 32 times at once


def test_scores_begin_at_zero_and_enlarging_as_interpolation() -> None:
    net = on_meta("fcn_16s", num_classes=3).to_empty(device="cpu")
    net._zero_scores()
    assert all((net.get_parameter(f"{name}.weight") == 0).all() for name in net.heads)
    net._build_upsampling(3)
    kernel = net.upscore.weight
    assert (kernel[0, 1] == 0).all() and torch.equal(kernel[2, 2], fcn.bilinear_kernel(16))


# --- FCN on ResNet-50 ---


def test_fcn_resnet50() -> None:
    net, plain = on_meta("fcn_resnet50"), on_meta("fcn_resnet50", aux_logits=False)
    assert (count(net), count(plain)) == (35_322_218, 32_957_013)
    parts = [count(part) for part in (net.backbone, net.classifier, net.aux_classifier)]
    assert parts == [23_508_032, 9_448_981, 2_365_205]
    assert (key_hash(net), key_hash(plain)) == ((334, "52e1c7d8d4"), (326, "f03ed6d2eb"))


@pytest.mark.parametrize(("size", "macs"), [(224, 28_338_401_280), (520, 152_716_512_000)])
def test_fcn_resnet50s_operations(size: int, macs: int) -> None:
    assert multiply_adds(on_meta("fcn_resnet50"), 3, size, size, training=True) == macs


def test_fcn_resnet50s_map_is_an_eighth_and_sees_as_far() -> None:
    class Backbone(nn.Module):
        def __init__(self, net: nn.Module) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: Tensor) -> Tensor:
            return self.net.trunk(x, keep_nothing)

    backbone = Backbone(on_meta("fcn_resnet50").backbone).eval()
    assert backbone(torch.empty(1, 3, 224, 224, device="meta")).shape == (1, 2048, 28, 28)
    assert receptive_field(backbone) == 427
    assert [stage.stride for stage in backbone.net.stages] == [2, 4, 8, 8, 8]


# --- U-Net ---


def test_the_u_net_of_2015() -> None:
    assert count(on_meta("unet_2015", num_classes=2, in_channels=1)) == 31_030_658
    assert count(on_meta("unet_2015", num_classes=2, in_channels=3)) == 31_031_810


PAPER = sys.modules[ValidUNet.__module__]  # the file: its name in the package means the network


def test_its_chain_of_sizes_and_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    """572 becomes 568, 280, 136, 64, 28 and 388; 88, 40, 16 and 4 are cut from each side of the skips."""
    cut: list[float] = []

    def watched(x: Tensor, like: Tensor) -> Tensor:
        cut.append((x.shape[2] - like.shape[2]) / 2)
        return middle(x, like)

    monkeypatch.setattr(PAPER, "middle", watched)
    net = on_meta("unet_2015")
    sizes: list[int] = []
    for block in net.valid.down:
        block.register_forward_hook(lambda _, __, out: sizes.append(out.shape[2]))
    assert net.valid(torch.empty(1, 1, 572, 572, device="meta")).shape == (1, 2, 388, 388)
    assert (sizes, cut) == ([568, 280, 136, 64, 28], [4, 16, 40, 88])


def test_its_size_rule() -> None:
    """12 + 16·k passes and loses 184; another size would lose a row in a pooling, and is refused with one that fits."""
    net = on_meta("unet_2015")
    for size in range(172, 240):
        x = torch.empty(1, 1, size, 572, device="meta")
        if size % 16 == 12 and size >= 188:
            assert net.valid(x).shape == (1, 2, size - 184, 388)
        else:
            fits = next(n for n in range(size, 300) if n % 16 == 12 and n >= 188)
            with pytest.raises(UsageError, match=f"Try: {fits} for {size}"):
                net.valid(x)


@pytest.fixture
def thin(monkeypatch: pytest.MonkeyPatch) -> UNet2015:
    """The paper's network with a few channels: the same arithmetic of sizes."""
    monkeypatch.setattr(PAPER, "WIDTHS", (2, 4, 8, 16, 32))
    torch.manual_seed(0)
    return networks.unet_2015().eval()


def test_its_receptive_field(thin: UNet2015) -> None:
    """188 or 204 pixels, by place: which pixels move an answer when every weight is one, and poolings hide none."""
    for parameter in thin.parameters():
        nn.init.ones_(parameter)
    thin.valid.pool = nn.AvgPool2d(2)
    x = torch.ones(1, 1, 220, 220, dtype=torch.float64, requires_grad=True)
    answers = thin.double().valid(x)
    sees = set()
    for place in range(16):
        (slope,) = torch.autograd.grad(answers[0, 0, place, place], x, retain_graph=True)
        touched = slope[0, 0].abs().sum(1).nonzero().flatten()
        sees.add(int(touched.max() - touched.min()) + 1)
    assert sees == {188, 204}


def test_any_picture_passes_and_the_middle_is_the_papers_answer(thin: UNet2015) -> None:
    x = torch.randn(2, 1, 220, 236)
    with torch.no_grad():
        whole, valid = thin(x), thin.valid(x)
        assert whole.shape == (2, 2, 220, 236)
        # The mirrored border shifts the poolings by 92 = 12 mod 16 pixels; shift the picture back and answers agree.
        padded = mirrored(x, 92, spare(220), spare(236))
        torch.testing.assert_close(thin.valid(padded)[:, :, :220, :236], whole)
        assert valid.shape == (2, 2, 36, 52)
        assert thin(torch.randn(1, 1, 1, 3)).shape == (1, 2, 1, 3)


def test_tiles_leave_no_seam(thin: UNet2015) -> None:
    x = torch.randn(1, 1, 71, 50)
    with torch.no_grad():
        whole = thin(x)
        for side in (20, 36, 388):
            torch.testing.assert_close(thin.in_tiles(x, side), whole)
    with pytest.raises(UsageError, match="Try: 36"):
        thin.in_tiles(x, 40)


def test_mirroring_is_numpys() -> None:
    """np.pad's `symmetric`, also where the picture is smaller than the border."""
    for height, width in ((5, 8), (1, 3), (40, 2)):
        x = torch.randn(1, 2, height, width)
        expected = np.pad(x.numpy(), ((0, 0), (0, 0), (12, 15), (12, 14)), mode="symmetric")
        torch.testing.assert_close(mirrored(x, 12, 3, 2), torch.from_numpy(expected))


SMP = {"resnet18": 14_328_209, "resnet34": 24_436_369, "resnet50": 32_521_105, "vgg16_bn": 23_756_689,
       "densenet121": 13_607_633}  # fmt: skip


@pytest.mark.parametrize("encoder", SMP)
def test_u_net_has_the_parameters_of_segmentation_models(encoder: str) -> None:
    assert count(on_meta(f"unet:{encoder}", num_classes=1)) == SMP[encoder]


def test_u_nets_decoder_and_head() -> None:
    net = on_meta("unet:resnet34", num_classes=1)
    assert (count(net.ups), count(net.head)) == (3_151_552, 145)


# --- encoders ---


@pytest.mark.parametrize("name", ["googlenet", "efficientnet_lite0", "timm:mobilenetv3_small_050"])
def test_an_encoder_keeps_what_its_maps_need_and_nothing_else(name: str) -> None:
    encoder = Encoder(name, in_channels=2).eval()
    maps = encoder(torch.zeros(1, 2, 96, 64))
    torch.stack([one.sum() for one in maps]).sum().backward()
    assert [one.shape[1:] for one in maps] == [(s.channels, 96 // s.stride, 64 // s.stride) for s in encoder.stages]
    assert [key for key, p in encoder.named_parameters() if p.requires_grad and p.grad is None] == []
    assert not any(isinstance(module, nn.Linear) and module.out_features == 1 for module in encoder.modules())


def test_vggs_maps_come_from_before_the_poolings() -> None:
    net = on_meta("vgg11")
    outputs: dict[str, Tensor] = {}
    for stage in net.before_pooling:
        keep = functools.partial(outputs.__setitem__, stage.name)
        net.get_submodule(stage.name).register_forward_hook(lambda _, __, out, keep=keep: keep(out))
    maps = net.features_before_pooling(torch.empty(1, 3, 64, 64, device="meta"))
    assert [tuple(one.shape[1:]) for one in maps] == [
        (64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8), (512, 4, 4), (512, 2, 2)
    ]  # fmt: skip
    assert all(outputs[stage.name] is one for stage, one in zip(net.before_pooling, maps, strict=True))
    assert [(s.channels, s.stride) for s in net.before_pooling] == [(one.shape[1], 64 // one.shape[2]) for one in maps]


def test_a_pretrained_encoder() -> None:
    """From the embedded file: the encoder's tensors are the classifier's, the decoder's are new."""
    net = networks.build("unet:efficientnet_lite0", num_classes=3, weights="imagenet")
    classifier = networks.build("efficientnet_lite0", num_classes=3, weights="imagenet").state_dict()
    own = net.encoder.net.state_dict()
    assert len(own) > 200 and all(torch.equal(own[key], classifier[key]) for key in own)
    assert networks.published("unet:efficientnet_lite0").keys() == networks.published("efficientnet_lite0").keys()
    assert networks.published("unet:resnet18")["imagenet-v1"].top1 is None


def test_an_encoders_frozen_statistics_are_untouched_by_looking() -> None:
    torch.manual_seed(0)
    encoder = Encoder("small_resnet")
    assert encoder.training and all(int(v) == 0 for k, v in encoder.state_dict().items() if k.endswith("tracked"))


def test_a_backbone_behind_a_colon() -> None:
    assert on_meta("unet:timm:mobilenetv3_small_050").encoder.accepts.network == "timm:mobilenetv3_small_050"
    assert networks.card("unet:resnet18") is networks.card("unet")
    with pytest.raises(UsageError, match="stands on no other network"):
        networks.build("fcn_8s:resnet18", num_classes=2)
    with pytest.raises(UsageError, match="Try: 'resnet18'"):
        networks.build("unet:resnet19", num_classes=2)
    with pytest.raises(UsageError, match="no published weights"):
        networks.build("unet", num_classes=2, weights="imagenet")
