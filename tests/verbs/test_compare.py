"""Comparing as a person does: facts by name, costs measured apart, advice that follows from stated numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import anmok
from anmok.anatomy.cost import Cost
from anmok.cli import run
from anmok.core.errors import UsageError
from anmok.verbs.advice import advise, spoken
from anmok.verbs.knife import Knife
from anmok.verbs.settings import CompareSettings


def knife(name: str, *, step_s: float = 0.1, **facts: object) -> Knife:
    """A network of one million weights whose training step of ten pictures takes `step_s`."""
    plain = Knife(name, 2015, "an idea", 10**6, 10**9, 10**7, (99, 99), 7.0, True, 70.0, 90.0, "someone",
                  Cost(10, 0.02, 0.05, step_s, 10**8, 10**9))  # fmt: skip
    return replace(plain, **facts)


def asked(**settings: object) -> CompareSettings:
    return CompareSettings.of(**{"pictures": 1000, "imgsz": 224, "time": "1h", **settings})


def test_photographs_get_the_most_accurate_that_fits_the_time() -> None:
    # 1000 pictures, 5 epochs: 500 steps of ten. 0.1 s a step is 50 s, 1 s a step 500 s.
    good, better = knife("good", top1=70.0), knife("better", top1=80.0, step_s=1.0)
    assert advise([good, better], asked(time=600)).take == "better"
    in_haste = advise([good, better], asked(time=60))
    assert in_haste.take == "good" and "better: training takes 8 minutes" in in_haste.text
    assert "50 s" in in_haste.text and "70.0 % top-1" in in_haste.text and "20 ms" in in_haste.text


def test_when_nothing_fits_it_says_so() -> None:
    found = advise([knife("slow", step_s=10.0), knife("slower", step_s=20.0)], asked(time=60))
    assert found.take is None and "slow, takes about 83 minutes" in found.text


def test_small_pictures_do_not_get_a_network_whose_map_vanishes() -> None:
    deep = knife("deep", year=2020, cells=28 / 32, top1=80.0)
    shallow = knife("shallow", year=2016, cells=28 / 8, pretrained=False, top1=None)
    found = advise([deep, shallow], asked(imgsz=28, pictures=60_000, time="24h"))
    assert found.take == "shallow" and "deep: its last map has 1 cells" in found.text and "random weights" in found.text
    alone = advise([deep], asked(imgsz=28, pictures=60_000, time="24h"))
    assert alone.take == "deep" and "But its last map" in alone.text


def test_few_pictures_without_published_weights_get_few_weights() -> None:
    large = knife("large", year=2020, parameters=10**8, pretrained=False, top1=None)
    small = knife("small", year=2010, parameters=10**5, pretrained=False, top1=None)
    assert advise([large, small], asked()).take == "small"
    many = asked(pictures=10**6, time="2400h")
    assert advise([large, small], many).take == "large"
    assert "teach as much themselves" in advise([knife("a")], many).text


def test_without_measurements_the_advice_says_so() -> None:
    found = advise([knife("plain", cost=None)], asked(time=None))
    assert found.take == "plain" and "not measured" in found.text and "no --time was given" in found.text


def test_durations_are_spoken() -> None:
    assert [spoken(s) for s in (0.2, 119, 3600, 9000)] == ["1 s", "119 s", "60 minutes", "2.5 hours"]


def test_structure_and_published_accuracy() -> None:
    found = anmok.compare("alexnet", "resnet18", "alexnet", measure=False)
    alexnet, resnet = found.knives
    assert (alexnet.parameters, resnet.parameters) == (61_100_840, 11_689_512)
    assert (alexnet.macs, resnet.macs) == (714_188_480, 1_814_073_344)
    assert (alexnet.top1, resnet.top1) == (56.522, 69.758) and resnet.field == (435, 435) and resnet.cells == 7
    assert found.machine == {} and alexnet.cost is None


def test_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    found = anmok.compare("textbook_cnn", imgsz=28, channels=1, num_classes=10, seconds=0.01, batch=2,
                          out=tmp_path / "plot.png")  # fmt: skip
    cost = found.knives[0].cost
    assert cost is not None and cost.batch == 2 and min(cost.one_s, cost.batch_s, cost.train_s) > 0
    assert found.machine["layout"] == "channels_last" and found.machine["threads"] >= 1
    assert found.png is not None and Image.open(found.png).size[0] > 800


def test_inception_trains_at_224_where_its_auxiliary_head_does_not_fit() -> None:
    assert anmok.compare("inception_v3", measure=False, imgsz=224).knives[0].parameters == 23_834_568
    assert anmok.compare("inception_v3", measure=False, imgsz=299).knives[0].parameters == 27_161_264


@pytest.mark.parametrize(
    ("nets", "settings", "words"),
    [
        (["resnet19"], {}, "resnet18"),
        (["vgg16"], {"imgsz": 16}, "32 or more"),
        (["timm:no_such_net"], {}, "no_such_net"),
        ([], {}, "nothing to compare"),
        (["alexnet"], {"out": "plot.pdf"}, "plot.png"),
        (["unet", "resnet18"], {}, "unet: segment, resnet18: classify"),
        (["vae", "autoencoder"], {}, "reconstruct are not laid side by side"),
    ],
)
def test_refusals_come_before_measuring(nets: list[str], settings: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        anmok.compare(*nets, **settings)


def test_the_table_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["efficientnet_lite0", "resnet152_2015", "vgg19_bn"]
    assert run(["compare", *names, "--no-measure"]) == 0
    table = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert len(table) == 4 and max(len(line.rstrip()) for line in table) <= 80
    assert run(["compare", *names, "--no-measure", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in printed["networks"]] == names and printed["take"] in names


def test_networks_that_segment() -> None:
    found = anmok.compare("unet:resnet34", "unet", "fcn_resnet50", measure=False, imgsz=256)
    assert found.take == "unet" and "fewest multiply-adds" in found.advice and "unet:resnet34" not in found.advice
    assert [knife.top1 for knife in found.knives] == [None, None, None]
    assert found.knives[0].parameters == 24_436_369 + 20 * 145  # 21 classes, where one has 145 parameters in the head
    measured = anmok.compare("unet", imgsz=32, seconds=0.01, batch=2, num_classes=3).knives[0].cost
    assert measured is not None and measured.train_s > 0
