"""The classics' published and computed figures (torchvision's networks on the meta device, no weights)."""

from __future__ import annotations

import functools
import math
import warnings

import pytest
import torch
import torchvision.models as published

import anmok
import anmok.anatomy

# name: parameters, (conv, fc, norm), MACs, receptive field of the features, of the last convolution or block
FACTS = {
    "alexnet": (61_100_840, (2_469_696, 58_631_144, 0), 714_188_480, 195),
    "vgg11": (132_863_336, (9_220_480, 123_642_856, 0), 7_609_090_048, 150),
    "vgg13": (133_047_848, (9_404_992, 123_642_856, 0), 11_308_466_176, 156),
    "vgg16": (138_357_544, (14_714_688, 123_642_856, 0), 15_470_264_320, 212),
    "vgg19": (143_667_240, (20_024_384, 123_642_856, 0), 19_632_062_464, 268),
    "vgg16_bn": (138_365_992, (14_714_688, 123_642_856, 8_448), 15_470_264_320, 212),
    "googlenet": (13_004_888, (5_718_464, 7_271_352, 15_072), 1_498_376_192, 379),
    "inception_v3": (27_161_264, (24_307_040, 2_818_000, 36_224), 5_713_216_096, 1311),
    "resnet18": (11_689_512, (11_166_912, 513_000, 9_600), 1_814_073_344, 435),
    "resnet34": (21_797_672, (21_267_648, 513_000, 17_024), 3_663_761_408, 899),
    "resnet50": (25_557_032, (23_454_912, 2_049_000, 53_120), 4_089_184_256, 427),
    "resnet101": (44_549_160, (42_394_816, 2_049_000, 105_344), 7_801_405_440, 971),
    "resnet152": (60_192_808, (57_992_384, 2_049_000, 151_424), 11_513_626_624, 1451),
    "densenet121": (7_978_856, (6_870_208, 1_025_000, 83_648), 2_834_161_664, 2071),
    "densenet161": (28_681_000, (26_252_064, 2_209_000, 219_936), 7_727_907_072, 2967),
    "densenet169": (14_149_480, (12_326_080, 1_665_000, 158_400), 3_359_843_328, 3351),
    "densenet201": (20_013_928, (17_863_872, 1_921_000, 229_056), 4_291_365_888, 3863),
}
LAST_CONV = {"alexnet": ("features.10", 163), "vgg11": ("features.18", 134), "vgg16": ("features.28", 196),
             "vgg19": ("features.34", 252)}  # fmt: skip
STAGES = {
    "alexnet": ("features", {0: (64, 55), 2: (64, 27), 3: (192, 27), 5: (192, 13), 6: (384, 13), 8: (256, 13),
                             10: (256, 13), 12: (256, 6)}),
    "vgg16": ("features", {4: (64, 112), 9: (128, 56), 16: (256, 28), 23: (512, 14), 30: (512, 7)}),
    "googlenet": ("", {"conv1": (64, 112), "maxpool1": (64, 56), "conv3": (192, 56), "maxpool2": (192, 28),
                       "inception3a": (256, 28), "inception3b": (480, 28), "inception4a": (512, 14),
                       "inception4e": (832, 14), "inception5a": (832, 7), "inception5b": (1024, 7)}),
    "inception_v3": ("", {"Conv2d_1a_3x3": (32, 149), "Conv2d_2a_3x3": (32, 147), "maxpool1": (64, 73),
                          "Conv2d_4a_3x3": (192, 71), "Mixed_5b": (256, 35), "Mixed_5d": (288, 35),
                          "Mixed_6e": (768, 17), "Mixed_7a": (1280, 8), "Mixed_7c": (2048, 8)}),
    "resnet18": ("", {"layer1": (64, 56), "layer2": (128, 28), "layer3": (256, 14), "layer4": (512, 7)}),
    "resnet50": ("", {"layer1": (256, 56), "layer2": (512, 28), "layer3": (1024, 14), "layer4": (2048, 7)}),
    "densenet121": ("features", {"denseblock1": (256, 56), "denseblock2": (512, 28), "denseblock3": (1024, 14),
                                 "denseblock4": (1024, 7), "transition1": (128, 28)}),
    "densenet161": ("features", {"denseblock1": (384, 56), "denseblock3": (2112, 14), "denseblock4": (2208, 7)}),
}  # fmt: skip


def build(name: str, **options: object) -> torch.nn.Module:
    if name in ("googlenet", "inception_v3"):
        options["init_weights"] = False
    with torch.device("meta"):
        return getattr(published, name)(**options).eval()


@functools.cache
def look(name: str) -> anmok.anatomy.Anatomy:
    size = 299 if name == "inception_v3" else 224
    return anmok.anatomy(build(name), (3, size, size))


@pytest.mark.parametrize("name", FACTS)
def test_parameters_multiply_adds_and_receptive_field(name):
    parameters, (conv, linear, norm), macs, field = FACTS[name]
    seen = look(name)
    assert seen.parameters == parameters
    assert seen.shares == {"conv": conv, "linear": linear, "norm": norm, "other": 0}
    assert seen.macs == macs and seen.product_macs == 0
    assert [axis.size for axis in seen.receptive_field] == [field, field]
    assert [axis.jump for axis in seen.receptive_field] == [32, 32]
    assert seen.notes == ()


@pytest.mark.parametrize("name", LAST_CONV)
def test_receptive_field_of_the_last_convolution(name):
    layer, field = LAST_CONV[name]
    assert [axis.size for axis in look(name).layer(layer).field] == [field, field]


@pytest.mark.parametrize("name", STAGES)
def test_stage_shapes(name):
    seen = look(name)
    room, stages = STAGES[name]
    for stage, (channels, size) in stages.items():
        assert seen.layer(f"{room}.{stage}" if room else stage).output == (channels, size, size)


PAPER_STRIDES = [("resnet50", 483, 3_857_973_248), ("resnet101", 1027, 7_570_194_432),
                 ("resnet152", 1507, 11_282_415_616)]  # fmt: skip


@pytest.mark.parametrize(("name", "field", "macs"), PAPER_STRIDES)
def test_the_papers_stride_placement(name, field, macs):
    net = build(name)
    for module in net.modules():
        if isinstance(module, published.resnet.Bottleneck):
            module.conv1.stride, module.conv2.stride = module.conv2.stride, (1, 1)
    seen = anmok.anatomy(net, (3, 224, 224))
    assert seen.receptive_field[0].size == field
    assert seen.macs == macs
    assert seen.parameters == FACTS[name][0]


def test_auxiliary_heads_run_in_training_and_are_idle_otherwise():
    net = build("googlenet")
    at_rest, at_work = anmok.anatomy(net, (3, 224, 224)), anmok.anatomy(net, (3, 224, 224), training=True)
    idle = [layer for layer in at_rest.fold(1) if layer.family == "idle"]
    assert [layer.name for layer in idle] == ["aux1", "aux2"]
    assert at_rest.parameters - sum(layer.parameters for layer in idle) == 6_624_904
    assert at_rest.output_shapes == ((1000,),) and at_work.output_shapes == ((1000,),) * 3
    assert at_work.parameters == at_rest.parameters and at_work.macs > at_rest.macs
    assert not [layer for layer in at_work.layers if layer.family == "idle"]
    assert at_work.receptive_field == at_rest.receptive_field


def test_fcn_resnet50_returns_a_dictionary():
    with torch.device("meta"):
        net = published.segmentation.fcn_resnet50(weights=None, weights_backbone=None, aux_loss=True)
    seen = anmok.anatomy(net, (3, 224, 224))
    assert (seen.parameters, seen.macs) == (35_322_218, 28_338_401_280)
    assert seen.output_shapes == ((21, 224, 224), (21, 224, 224))
    assert seen.layer("backbone.layer4").field[0].size == 427
    assert seen.layer("backbone.layer4").field[0].jump == 8


@pytest.mark.parametrize("name", ["resnet50", "resnext50_32x4d", "efficientnet_b0", "mobilenet_v3_large",
                                  "shufflenet_v2_x1_0", "squeezenet1_0", "mnasnet1_0", "mobilenet_v2", "convnext_tiny",
                                  "vit_b_16", "swin_t"])  # fmt: skip
def test_torchvisions_own_figures(name):
    """torchvision publishes parameters and giga-multiply-adds (attention included) with its weights."""
    meta = published.get_model_weights(name).DEFAULT.meta
    size = 384 if "SWAG" in str(meta) else 224
    seen = anmok.anatomy(build(name), (3, size, size))
    assert seen.parameters == meta["num_params"]
    assert math.isclose((seen.macs + seen.product_macs) / 1e9, meta["_ops"], rel_tol=0.005)


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "densenet121", "vit_b_16", "swin_t", "mobilenet_v3_small"])
def test_rows_sum_up_at_every_depth(name):
    seen = look(name)
    for depth in (1, 2, 3, 4, None):
        rows = seen.fold(depth)
        assert sum(row.parameters for row in rows) == seen.parameters
        assert sum(row.macs for row in rows) == seen.macs
        assert sum(row.activation_bytes for row in rows) == seen.activation_bytes


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "googlenet", "inception_v3", "resnet18"])
def test_answering_holds_no_more_than_torchvisions_networks(name):
    """Stages are handed out by `features` alone; an answer frees each map as soon as it has been read."""
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = getattr(published, name)()
        ours = anmok.networks.build(name, num_classes=1000)
    shape = (3, ours.accepts.natural, ours.accepts.natural)
    assert anmok.anatomy(ours, shape).peak_bytes <= anmok.anatomy(theirs, shape).peak_bytes
