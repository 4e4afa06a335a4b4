"""FACTS.md §1, number by number. The figures were computed from torchvision or worked out from the papers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from anmok import networks

from .measure import key_hash, multiply_adds, parameters, receptive_field

# name: parameters, (convolution, dense, normalisation), multiply-adds, receptive field, state-dict entries and digest
PUBLISHED = {
    "alexnet": (61_100_840, (2_469_696, 58_631_144, 0), 714_188_480, 195, 16, "6615e23ac0"),
    "vgg11": (132_863_336, (9_220_480, 123_642_856, 0), 7_609_090_048, 150, 22, "ad4c7d2a35"),
    "vgg13": (133_047_848, (9_404_992, 123_642_856, 0), 11_308_466_176, 156, 26, "f6921dbfc6"),
    "vgg16": (138_357_544, (14_714_688, 123_642_856, 0), 15_470_264_320, 212, 32, "4b5ce1b48b"),
    "vgg19": (143_667_240, (20_024_384, 123_642_856, 0), 19_632_062_464, 268, 38, "16743a6d72"),
    "vgg11_bn": (132_868_840, (9_220_480, 123_642_856, 5_504), 7_609_090_048, 150, 62, "52f6b76115"),
    "vgg13_bn": (133_053_736, (9_404_992, 123_642_856, 5_888), 11_308_466_176, 156, 76, "6523034bcf"),
    "vgg16_bn": (138_365_992, (14_714_688, 123_642_856, 8_448), 15_470_264_320, 212, 97, "0430b73ae1"),
    "vgg19_bn": (143_678_248, (20_024_384, 123_642_856, 11_008), 19_632_062_464, 268, 118, "e3d52dfe1b"),
    "googlenet": (13_004_888, (5_718_464, 7_271_352, 15_072), 1_498_376_192, 379, 364, "d474c6250f"),
    "inception_v3": (27_161_264, (24_307_040, 2_818_000, 36_224), 5_713_216_096, 1311, 580, "0af5d42786"),
    "resnet18": (11_689_512, (11_166_912, 513_000, 9_600), 1_814_073_344, 435, 122, "cef0042c7e"),
    "resnet34": (21_797_672, (21_267_648, 513_000, 17_024), 3_663_761_408, 899, 218, "46af1b8c76"),
    "resnet50": (25_557_032, (23_454_912, 2_049_000, 53_120), 4_089_184_256, 427, 320, "6e37467aee"),
    "resnet101": (44_549_160, (42_394_816, 2_049_000, 105_344), 7_801_405_440, 971, 626, "3f0e2681a8"),
    "resnet152": (60_192_808, (57_992_384, 2_049_000, 151_424), 11_513_626_624, 1451, 932, "634b35e74f"),
    "densenet121": (7_978_856, (6_870_208, 1_025_000, 83_648), 2_834_161_664, 2071, 727, "f4f688bcf5"),
    "densenet161": (28_681_000, (26_252_064, 2_209_000, 219_936), 7_727_907_072, 2967, 967, "cd2daeb2f0"),
    "densenet169": (14_149_480, (12_326_080, 1_665_000, 158_400), 3_359_843_328, 3351, 1015, "b21964e9d7"),
    "densenet201": (20_013_928, (17_863_872, 1_921_000, 229_056), 4_291_365_888, 3863, 1207, "5f07c31a25"),
}
# The papers' own forms: parameters, multiply-adds, receptive field.
PAPER = {
    "alexnet_2012": (60_965_224, 724_406_816, 195),
    "googlenet_2014": (13_378_280, 1_582_671_872, 715),
    "resnet50_2015": (25_557_032, 3_857_973_248, 483),
    "resnet101_2015": (44_549_160, 7_570_194_432, 1027),
    "resnet152_2015": (60_192_808, 11_282_415_616, 1507),
}
# Channels and width of the stages at the natural size.
SHAPES = {
    "alexnet": [(64, 55), (192, 27), (256, 13), (256, 6)],
    "vgg16": [(64, 112), (128, 56), (256, 28), (512, 14), (512, 7)],
    "vgg11_bn": [(64, 112), (128, 56), (256, 28), (512, 14), (512, 7)],
    "googlenet": [(64, 112), (192, 56), (480, 28), (832, 14), (1024, 7)],
    "googlenet_2014": [(64, 112), (192, 56), (480, 28), (832, 14), (1024, 7)],
    "inception_v3": [(64, 147), (192, 71), (288, 35), (768, 17), (2048, 8)],
    "resnet18": [(64, 112), (64, 56), (128, 28), (256, 14), (512, 7)],
    "resnet34": [(64, 112), (64, 56), (128, 28), (256, 14), (512, 7)],
    "resnet50": [(64, 112), (256, 56), (512, 28), (1024, 14), (2048, 7)],
    "resnet152_2015": [(64, 112), (256, 56), (512, 28), (1024, 14), (2048, 7)],
    "densenet121": [(64, 112), (256, 56), (512, 28), (1024, 14), (1024, 7)],
    "densenet161": [(96, 112), (384, 56), (768, 28), (2112, 14), (2208, 7)],
    "densenet169": [(64, 112), (256, 56), (512, 28), (1280, 14), (1664, 7)],
    "densenet201": [(64, 112), (256, 56), (512, 28), (1792, 14), (1920, 7)],
}
# Every map named in FACTS.md that is not the end of a stage: module → channels, width.
INNER = {
    "alexnet": {"features.2": (64, 27), "features.5": (192, 13), "features.6": (384, 13), "features.8": (256, 13)},
    "alexnet_2012": {"features.0": (96, 55), "features.4": (256, 27), "features.8": (384, 13), "features.14": (256, 6)},
    "googlenet": {"maxpool1": (64, 56), "maxpool2": (192, 28), "inception3a": (256, 28), "inception4a": (512, 14),
                  "maxpool4": (832, 7)},
    "inception_v3": {"Conv2d_1a_3x3": (32, 149), "Conv2d_2a_3x3": (32, 147), "maxpool1": (64, 73),
                     "Mixed_5b": (256, 35), "Mixed_5c": (288, 35), "Mixed_6a": (768, 17), "Mixed_7a": (1280, 8),
                     "Mixed_7b": (2048, 8)},
    "densenet121": {"features.transition1": (128, 28), "features.transition3": (512, 7)},
}  # fmt: skip


def on_meta(name: str, **kwargs: object) -> nn.Module:
    with torch.device("meta"):
        return getattr(networks, name)(**kwargs).eval()


def natural(net: nn.Module) -> tuple[int, int, int]:
    return (net.accepts.channels, net.accepts.natural, net.accepts.natural)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_form(name: str) -> None:
    total, split, _, _, entries, digest = PUBLISHED[name]
    net = on_meta(name)
    assert sum(p.numel() for p in net.parameters()) == total == sum(split)
    assert parameters(net) == split
    assert key_hash(net) == (entries, digest)


# The same blocks in other numbers; tests/anatomy/test_facts.py counts most of these for torchvision's networks too.
DEEPER = {"resnet101", "resnet152", "densenet161", "densenet169", "densenet201", "vgg13_bn", "vgg16_bn", "vgg19_bn"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in DEEPER else n for n in PUBLISHED])
def test_published_cost_and_sight(name: str) -> None:
    _, _, macs, field, _, _ = PUBLISHED[name]
    net = on_meta(name)
    assert multiply_adds(net, *natural(net)) == macs
    assert receptive_field(net) == field


@pytest.mark.parametrize("name", PAPER)
def test_paper_form(name: str) -> None:
    total, macs, field = PAPER[name]
    net = on_meta(name)
    assert sum(p.numel() for p in net.parameters()) == total
    assert multiply_adds(net, *natural(net)) == macs
    assert receptive_field(net) == field


def test_paper_alexnet_split() -> None:
    net = on_meta("alexnet_2012")
    assert parameters(net)[0] == 2_334_080
    assert net.accepts.natural == 227


@pytest.mark.parametrize(
    ("name", "total", "entries", "digest"),
    [("googlenet", 6_624_904, 344, "edccbb14b3"), ("inception_v3", 23_834_568, 566, "3eb1d58720")],
)
def test_without_auxiliary_heads(name: str, total: int, entries: int, digest: str) -> None:
    net = on_meta(name, aux_logits=False)
    assert sum(p.numel() for p in net.parameters()) == total
    assert key_hash(net) == (entries, digest)


def test_paper_googlenet_without_auxiliary_heads() -> None:
    net = on_meta("googlenet_2014", aux_logits=False)
    assert sum(p.numel() for p in net.parameters()) == 6_998_552


@pytest.mark.parametrize("name", SHAPES)
def test_stage_shapes(name: str) -> None:
    net = on_meta(name)
    maps = net.features(torch.empty(1, *natural(net), device="meta"))
    assert [(m.shape[1], m.shape[3]) for m in maps] == SHAPES[name]


@pytest.mark.parametrize("name", INNER)
def test_inner_shapes(name: str) -> None:
    net, seen = on_meta(name), {}
    for module in INNER[name]:
        net.get_submodule(module).register_forward_hook(
            lambda _, __, out, module=module: seen.__setitem__(module, (out.shape[1], out.shape[3]))
        )
    net(torch.empty(1, *natural(net), device="meta"))
    assert seen == INNER[name]


@pytest.mark.parametrize(
    ("name", "module", "field"),
    [
        ("alexnet", "features.10", 163),
        ("vgg11", "features.18", 134),
        ("vgg13", "features.22", 140),
        ("vgg16", "features.28", 196),
        ("vgg19", "features.34", 252),
    ],
)
def test_receptive_field_of_the_last_convolution(name: str, module: str, field: int) -> None:
    net = on_meta(name)
    assert isinstance(net.get_submodule(module), nn.Conv2d)
    assert receptive_field(net, upto=module) == field


def test_receptive_field_is_the_gradients_support() -> None:
    """A net of ones passes gradient from the middle of the last map to exactly the pixels that the middle sees."""
    net = networks.resnet18(in_channels=1, num_classes=1).eval()
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
    net.maxpool = nn.AvgPool2d(3, 2, 1)  # of equal values a maximum passes gradient to one only
    x = torch.ones(1, 1, 544, 33, requires_grad=True)
    last = net.forward_features(x)
    last[0, 0, last.shape[2] // 2].sum().backward()
    rows = x.grad[0, 0].abs().sum(1).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 435


@pytest.mark.parametrize(("name", "share"), [("alexnet", 96.0), ("vgg16", 89.4), ("resnet50", 8.0)])
def test_share_of_dense_layers(name: str, share: float) -> None:
    convolutions, dense, norms = parameters(on_meta(name))
    assert round(100 * dense / (convolutions + dense + norms), 1) == share


def test_textbook_cnn_by_hand() -> None:
    net = networks.textbook_cnn()
    first, second = 1 * 32 * 9 + 32, 32 * 64 * 9 + 64
    dense = 64 * 7 * 7 * 100 + 100 + 100 * 10 + 10
    assert parameters(net) == (first + second, dense, 0)
    assert sum(p.numel() for p in net.parameters()) == 333_526
    with torch.device("meta"):
        macs = multiply_adds(networks.textbook_cnn(), 1, 28, 28)
    assert macs == 28 * 28 * 32 * 9 + 14 * 14 * 64 * 32 * 9 + 3136 * 100 + 1000
    assert receptive_field(net) == 10  # 3, pooled 4; 4 + 2·2 = 8, pooled 8 + 2


def test_textbook_cnn_for_any_pictures() -> None:
    net = networks.textbook_cnn(num_classes=7, in_channels=3, input_size=33)
    assert net.fc1.in_features == 64 * 8 * 8
    assert net(torch.zeros(2, 3, 33, 33)).shape == (2, 7)
    assert net(torch.zeros(2, 3, 64, 40)).shape == (2, 7)


def test_response_normalisation_is_the_papers() -> None:
    """The paper: b_i = a_i / (k + α Σ_j a_j²)^β over five neighbouring channels, k = 2, α = 1e-4, β = 0.75."""
    norm = on_meta("alexnet_2012").features[2]
    a = torch.rand(1, 9, 1, 1) * 100
    squares = a.square().flatten()
    expected = [a[0, i, 0, 0] / (2 + 1e-4 * squares[max(0, i - 2) : i + 3].sum()) ** 0.75 for i in range(9)]
    torch.testing.assert_close(norm(a).flatten(), torch.stack(expected))


def test_groups_do_not_see_each_other() -> None:
    net = on_meta("alexnet_2012")
    assert [m.groups for m in net.features if isinstance(m, nn.Conv2d)] == [1, 2, 1, 2, 2]
    assert [(m.kernel_size, m.stride) for m in net.features if isinstance(m, nn.MaxPool2d)] == [(3, 2)] * 3
