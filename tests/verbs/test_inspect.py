"""Inspecting networks by name, runs and modules; drawings, filters and maps of a picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from torch import nn

import anmok
from anmok.cli import run as cli
from anmok.core.errors import UsageError

PICTURE = Path(__file__).parents[2] / "examples/pictures/ankle_boot.png"


def test_a_network_by_name_is_the_published_one() -> None:
    found = anmok.inspect("vgg16")
    assert found.anatomy.parameters == 138_357_544 and found.anatomy.macs == 15_470_264_320
    assert "89.4%" in found.text and "VGG-16" in found.text and not found.pictures
    assert "VGG-16" not in anmok.inspect("vgg16", card=False).text


def test_a_networks_own_channels_and_classes_are_the_default() -> None:
    assert anmok.inspect("textbook_cnn").anatomy.parameters == 333_526
    grey = anmok.inspect("resnet18", channels=1, num_classes=10).anatomy
    assert grey.input_shape == (1, 224, 224) and grey.output_shapes == ((10,),)


def test_rows_unfold() -> None:
    assert "layer4.1.conv2" not in anmok.inspect("resnet18", depth=1).text
    assert "layer4.1.conv2" in anmok.inspect("resnet18", depth=3).text


def test_timm_a_run_and_a_module(run: anmok.Run) -> None:
    assert anmok.inspect("timm:resnet18").anatomy.parameters == 11_689_512
    mine = sum(weight.numel() for weight in run.network.parameters())
    assert anmok.inspect(run).anatomy.parameters == anmok.inspect(run.path).anatomy.parameters == mine
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.LazyLinear(2))
    assert anmok.inspect(net, imgsz=8).anatomy.output_shapes == ((2,),)


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_drawn(ending: str, tmp_path: Path) -> None:
    found = anmok.inspect("googlenet", draw=tmp_path / f"net.{ending}")
    assert found.pictures == [tmp_path / f"net.{ending}"] and found.pictures[0].stat().st_size > 10_000


def test_filters_and_maps_of_a_picture(run: anmok.Run, tmp_path: Path) -> None:
    convolution = next(name for name, part in run.network.named_modules() if isinstance(part, nn.Conv2d))
    filters, maps = anmok.inspect(run, picture=PICTURE, layer=convolution, out=tmp_path).pictures
    assert filters.name.endswith("filters.png") and maps.name.endswith("maps.png")
    assert all(Image.open(path).size[0] > 300 for path in (filters, maps))


def test_a_layer_that_is_no_convolution_has_maps_only(tmp_path: Path) -> None:
    found = anmok.inspect("textbook_cnn", picture=PICTURE, layer="pool2", out=tmp_path)
    assert [path.name for path in found.pictures] == ["textbook_cnn-pool2-maps.png"]


@pytest.mark.parametrize(
    ("subject", "settings", "words"),
    [
        ("resnet19", {}, "resnet18"),
        ("no/such/run", {}, "no run"),
        ("vgg16", {"imgsz": 20}, "32 or more"),
        ("textbook_cnn", {"picture": PICTURE, "layer": "conv9"}, "conv"),
        ("resnet18", {"draw": "net.pdf"}, "svg"),
        ("resnet18", {"picture": PICTURE, "channels": 5}, "channels"),
    ],
)
def test_refusals(subject: str, settings: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        anmok.inspect(subject, **settings)


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(["inspect", "alexnet", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["anatomy"]["parameters"] == 61_100_840


def test_networks_of_other_tasks() -> None:
    found = anmok.inspect("unet:small_resnet")
    assert found.text.startswith("U-Net") and found.anatomy.output_shapes == ((2, 256, 256),)
    assert anmok.inspect("fcn_8s", depth=2).anatomy.macs == 181_529_034_048
    with pytest.raises(UsageError, match="generator or discriminator"):
        anmok.inspect("dcgan")
