"""The same tensors in torchvision's network and in ours give the same answers."""

from __future__ import annotations

import functools
import warnings

import pytest
import torch
import torchvision
from torch import nn

from anmok import networks

PUBLISHED = [name for name in networks.NETWORKS if hasattr(torchvision.models, name) and networks.published(name)]
SIZES = {"alexnet": 63, "vgg11": 32, "vgg11_bn": 32, "inception_v3": 75}
QUICK = ["alexnet", "vgg11_bn", "googlenet", "inception_v3", "resnet18", "resnet50", "densenet121"]
SLOW = [name for name in PUBLISHED if name not in QUICK]


@functools.lru_cache(maxsize=1)  # some are half a gigabyte
def theirs(name: str, seed: int = 0) -> nn.Module:
    """torchvision's network, batch-normalisation buffers and weights drawn at random and not left at 0 and 1."""
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = getattr(torchvision.models, name)()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
        elif name in ("inception_v3", "googlenet") and isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")  # the default lets values vanish or explode
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return net


def ours(name: str) -> nn.Module:
    """Our network holding torchvision's tensors, not copies, by the names of its state dict."""
    with torch.device("meta"):
        net = getattr(networks, name)()
    state = theirs(name).state_dict()
    net.load_state_dict({key: value.detach() for key, value in state.items()}, assign=True)
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return net


def test_all_of_torchvisions_files_are_covered() -> None:
    assert len(PUBLISHED) == 20


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_answers_in_evaluation(name: str) -> None:
    x = torch.randn(2, 3, SIZES.get(name, 64), SIZES.get(name, 64) + 7)
    with torch.no_grad():
        expected, answer = theirs(name).eval()(x), ours(name).eval()(x)
    assert answer.std() > 1e-4
    torch.testing.assert_close(answer, expected)


@pytest.mark.parametrize("name", ["googlenet", "resnet18", "densenet121"])
def test_answers_in_training(name: str) -> None:
    """Batch statistics and auxiliary heads; dropout is switched off, being random."""
    x = torch.randn(3, 3, 64, 64)
    state = {key: value.clone() for key, value in theirs(name).state_dict().items()}
    with torch.no_grad():
        expected = theirs(name).train()(x)
    theirs(name).load_state_dict(state)
    net = ours(name).train()
    with torch.no_grad():
        answer = net(x)
    if isinstance(expected, tuple):
        assert type(expected)._fields == type(answer)._fields
    torch.testing.assert_close(answer, expected)


def test_inceptions_auxiliary_head_in_training() -> None:
    name = "inception_v3"
    features = torch.randn(2, 768, 17, 17)
    with torch.no_grad():
        expected = theirs(name).train().AuxLogits(features)
        answer = ours(name).train().AuxLogits(features)
    torch.testing.assert_close(answer, expected)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_transform_input(name: str) -> None:
    x = torch.randn(2, 3, 75, 75)
    reference, net = theirs(name).eval(), ours(name).eval()
    with torch.no_grad():
        plain = net(x)
        reference.transform_input = net.transform_input = True
        expected, answer = reference(x), net(x)
        reference.transform_input = False
    torch.testing.assert_close(answer, expected, rtol=1e-3, atol=1e-4)
    assert (answer - plain).abs().max() > 0.1


@pytest.mark.parametrize(
    "name",
    [
        *("googlenet", "inception_v3", "resnet18", "densenet121"),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("alexnet", "resnet50", "vgg11", "vgg11_bn")),
    ],
)
def test_initialisation_draws_the_same_numbers(name: str) -> None:
    """From one seed both come out bit for bit alike: same distributions, same order."""
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = getattr(torchvision.models, name)(num_classes=5).state_dict()
    torch.manual_seed(3)
    state = getattr(networks, name)(num_classes=5).state_dict()
    assert list(state) == list(expected)
    assert all(torch.equal(state[key], expected[key]) for key in expected)


@pytest.mark.slow
def test_initialisation_of_the_paper_alexnet() -> None:
    net = networks.alexnet_2012(num_classes=10)
    ones = {net.features[4], net.features[10], net.features[12], net.classifier[1], net.classifier[4]}
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            assert abs(module.weight.std().item() - 0.01) < 1e-3
            assert (module.bias == (1.0 if module in ones else 0.0)).all()


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_facts_are_torchvisions(name: str) -> None:
    enum = {w.name: w for w in torchvision.models.get_model_weights(name)}
    enum.pop("IMAGENET1K_FEATURES", None)  # VGG-16's convolutions without a classifier, made for a detector
    files = networks.published(name)
    assert [f"IMAGENET1K_{key.removeprefix('imagenet-').upper()}" for key in files] == sorted(enum)
    for key, weights in files.items():
        known = enum[f"IMAGENET1K_{key.removeprefix('imagenet-').upper()}"]
        transform = known.transforms()
        assert weights.url == known.url
        assert known.url.endswith(f"-{weights.sha256_prefix}.pth")
        assert len(weights.sha256_prefix) == 8
        assert weights.classes == len(known.meta["categories"])
        accuracy = known.meta["_metrics"]["ImageNet-1K"]
        assert (weights.top1, weights.top5) == (accuracy["acc@1"], accuracy["acc@5"])
        prepared = weights.preprocessing
        assert [prepared.size] == transform.crop_size
        assert [prepared.resize] == transform.resize_size
        assert prepared.interpolation == transform.interpolation.value
        assert (list(prepared.mean), list(prepared.std)) == (transform.mean, transform.std)
        assert known.meta["num_params"] == sum(
            p.numel() for n, p in ours_on_meta(name).named_parameters() if name != "googlenet" or "aux" not in n
        )
        smallest = networks.card(name).smallest
        assert known.meta["min_size"] == (smallest, smallest)


@functools.cache
def ours_on_meta(name: str) -> nn.Module:
    with torch.device("meta"):
        return getattr(networks, name)()


def test_the_newest_file_is_the_default() -> None:
    for name in PUBLISHED:
        newest = list(networks.published(name).values())[-1]
        assert newest.url == torchvision.models.get_model_weights(name).DEFAULT.url
