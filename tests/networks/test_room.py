"""The package as a user meets it: names, laziness, building by name, cards."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

import anmok.networks
from anmok import networks
from anmok.core.errors import UsageError
from anmok.networks._interface import Accepts


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_room_imports_no_torch() -> None:
    assert run("import sys, anmok.networks; print('torch' in sys.modules)") == "False"


def test_networks_come_without_torchvision_and_timm() -> None:
    code = (
        "import sys, anmok.networks as n; n.textbook_cnn(); n.card('vgg16')\n"
        "print(sorted({'torchvision', 'timm', 'PIL'} & set(sys.modules)), type(n.alexnet).__name__)"
    )
    assert run(code) == "[] function"


def test_a_name_means_the_network_also_after_its_file_was_imported() -> None:
    code = (
        "from anmok.networks.alexnet import AlexNet\n"
        "import anmok.networks.googlenet\n"
        "from anmok.networks import densenet121, alexnet, densenet\n"
        "kinds = [type(x).__name__ for x in (alexnet, anmok.networks.googlenet, densenet121, densenet)]\n"
        "print(*kinds, AlexNet.__name__)"
    )
    assert run(code) == "function function function module AlexNet"


def test_names_are_listed() -> None:
    assert {"vgg16", "resnet50_2015", "textbook_cnn", "build", "card"} <= set(dir(networks))


def test_a_misspelt_name() -> None:
    with pytest.raises(AttributeError, match="did you mean 'resnet18'"):
        networks.resnet19  # noqa: B018
    with pytest.raises(UsageError, match="Try: 'densenet121'"):
        networks.build("densenet12", num_classes=2)
    with pytest.raises(UsageError, match="network"):
        networks.card("nothing")
    assert not hasattr(networks, "__wrapped__")


def test_build_passes_keywords_on() -> None:
    net = networks.build("textbook_cnn", num_classes=3, in_channels=2, input_size=16, dropout=0.1)
    assert (net.fc2.out_features, net.conv1.in_channels, net.fc1.in_features) == (3, 2, 64 * 16)
    assert net.dropout.p == 0.1
    assert isinstance(net, nn.Module)


def test_the_package_is_the_module_python_knows() -> None:
    assert sys.modules["anmok.networks"] is anmok.networks is networks


def test_check_is_silent_where_input_is_right() -> None:
    accepts = Accepts("net", 3, smallest=8, natural=32)
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        accepts.check(torch.zeros(1, 3, 8, 9, dtype=dtype))


def test_every_error_says_what_came_and_what_is_allowed() -> None:
    with pytest.raises(UsageError) as caught, torch.device("meta"):
        networks.vgg11_bn()(torch.zeros(1, 3, 31, 200))
    assert "float32 (1, 3, 31, 200)" in str(caught.value)
    assert "H and W of 32 or more" in str(caught.value)
    assert "224 × 224" in str(caught.value)


def test_inception_in_training_names_its_own_smallest_size() -> None:
    with torch.device("meta"):
        net = networks.inception_v3().train()
        x = torch.zeros(2, 3, 298, 298)
        with pytest.raises(UsageError, match="H and W of 299 or more"):
            net(x)
        assert net(torch.zeros(2, 3, 299, 299)).aux_logits.shape == (2, 1000)
        assert networks.inception_v3(aux_logits=False).train()(x).shape == (2, 1000)
        net.AuxLogits(torch.zeros(2, 768, 17, 17))
        with pytest.raises(RuntimeError):
            net.AuxLogits(torch.zeros(2, 768, 16, 16))


def test_networks_survive_tracing() -> None:
    """fx, compile's capture and jit keep no memory of one input's size."""
    net = networks.textbook_cnn().eval()
    x = torch.randn(2, 1, 28, 28)
    with torch.no_grad():
        expected = net(x)
        torch.testing.assert_close(torch.fx.symbolic_trace(net)(x), expected)
        torch.testing.assert_close(torch.jit.trace(net, x)(x), expected)
        torch.testing.assert_close(torch.compile(net, backend="eager", fullgraph=True)(x), expected)


def test_which_task_a_name_serves() -> None:
    names = ("resnet18", "unet", "unet:timm:resnet18", "timm:resnet18", "nothing", None)
    assert [networks.task_of(name) for name in names] == ["classify", "segment", "segment", "classify", None, None]


def test_a_keyword_that_a_network_does_not_have() -> None:
    with pytest.raises(UsageError, match=r"autoencoder has no such keyword.*num_classes"):
        networks.build("autoencoder", num_classes=3)
    with pytest.raises(UsageError, match="Got: depht"):
        networks.build("resnet18", num_classes=3, depht=5)
