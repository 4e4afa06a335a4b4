"""Networks asked by name or as modules: published weights that are here, ImageNet's names, refusals that lead on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from skimage import data
from torch import nn

import anmok
from anmok.cli import run as cli
from anmok.core.errors import UsageError
from anmok.verbs.classifier import named, preparation_for
from anmok.verbs.explain import MOST_WORK, TRIALS, passes
from anmok.verbs.opened import subject_of


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("chelsea", "coffee"):
        Image.fromarray(getattr(data, name)()).save(folder / f"{name}.jpg")
    return folder


@pytest.fixture(scope="module")
def lite0() -> anmok.Classifier:
    return named("efficientnet_lite0")


def test_published_weights_know_what_is_in_a_photograph(lite0: anmok.Classifier, photos: Path) -> None:
    cat, coffee = anmok.predict(lite0, [photos / "chelsea.jpg", photos / "coffee.jpg"], top=5)
    assert {"tabby", "Egyptian cat", "tiger cat"} == set((cat.labels or ())[:3])
    assert (coffee.labels or ("",))[0] == "espresso" and len(coffee.labels or ()) == 1000
    assert (lite0.preparation.size, lite0.preparation.store) == (224, 256)


def test_explained_by_name_with_its_class_names(lite0: anmok.Classifier, photos: Path, tmp_path: Path) -> None:
    found = anmok.explain(lite0, photos / "coffee.jpg", out=tmp_path / "new" / "why.png", verdict=False)
    assert found.answer == "espresso" and found.png.is_file()
    with pytest.raises(UsageError, match="espresso"):
        anmok.explain(lite0, photos / "coffee.jpg", target="expresso")


def test_a_random_network_is_flagged(photos: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    one = named("small_resnet", "random", imgsz=32)
    found = anmok.explain(one, photos / "chelsea.jpg", out=tmp_path / "why.png")
    assert found.answer.startswith("class ") and found.verdict is not None
    assert not found.verdict.trusted and "learned nothing" in found.verdict.sentence


def test_any_module_answers(photos: Path) -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3, stride=4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    answer = anmok.predict(net, photos / "chelsea.jpg")[0]
    assert set(answer.labels or ()) == {"class 0", "class 1", "class 2"}
    mine = anmok.Classifier(net, ["cat", "dog", "owl"], preparation_for(net, 32))
    assert set(anmok.predict(mine, photos / "chelsea.jpg")[0].labels or ()) == {"cat", "dog", "owl"}


def test_a_run_is_itself_by_object_and_by_folder(run: anmok.Run, photos: Path) -> None:
    assert subject_of(run) is run
    answers = [anmok.predict(one, photos / "chelsea.jpg")[0] for one in (run, run.path)]
    assert answers[0].labels == answers[1].labels
    with pytest.raises(UsageError, match="by its name"):
        subject_of(run, "imagenet")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["resnet18"], "--weights imagenet"),
        (["timm:resnet18"], "--weights imagenet"),
        (["textbook_cnn"], "anmok train"),
        (["resnet19"], "'resnet18'"),
        (["efficientnet_lite0", "--weights", "imagenet-v9"], "imagenet-v1"),
        (["runs/none"], "no run"),
    ],
)
def test_refusals_lead_on(arguments: list[str], words: str, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    subject, *flags = arguments
    assert cli(["predict", subject, str(photos / "chelsea.jpg"), *flags]) == 2
    assert words in capsys.readouterr().err


def test_the_verdict_of_a_large_network_is_cheaper_but_never_empty() -> None:
    costs = [passes(*trials) for trials in TRIALS]
    assert costs == sorted(costs, reverse=True) and costs[0] == 960 and costs[-1] >= 100
    assert costs[0] * 4_000_000 < MOST_WORK  # a small network gets all of them
