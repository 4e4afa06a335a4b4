"""Is this a hot dog? Probabilities by hand, names as people write them, figures on a folder of two classes."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

import anmok
from anmok.cli import run as command
from anmok.core.errors import DataError, UsageError
from anmok.core.preparation import Preparation
from anmok.data.load import load_data
from anmok.verbs.question import Question, answerable, asking


class Shade(nn.Module):
    """Logits from the mean of the first channel, in [-1, 1]: dark, middle, light."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        level = x[:, 0].mean((1, 2))
        return torch.stack([-4 * level, 2 - 4 * level.abs(), 4 * level], 1)


@pytest.fixture
def shades() -> anmok.Classifier:
    return anmok.Classifier(Shade(), ["pitch_dark", "middle", "Light"], Preparation(8, 8), device="cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, level in enumerate((250, 240, 200, 10, 20, 120)):
        place = tmp_path / "pictures" / ("light" if level > 150 else "others") / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 12), (level,) * 3).save(place)
    return tmp_path / "pictures"


def test_the_answer_adds_up_the_other_classes() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Identity())
    logits = torch.tensor([[[[2.0, 0.0, 1.0, -1.0]]]])
    question = Question(network, [1, 3], temperature=2.0)
    expected = (logits.flatten() / 2).softmax(0)
    found = question(logits).exp()[0]
    assert found[1] == pytest.approx((expected[1] + expected[3]).item())
    assert found.sum() == pytest.approx(1.0)


def test_it_answers_for_pictures(shades: anmok.Classifier, folder: Path) -> None:
    answers = anmok.predict(shades, folder, is_="LIGHT")
    assert {Path(a.id).parent.name: a.labels[0] for a in answers} == {"light": "LIGHT", "others": "not LIGHT"}
    plain = anmok.predict(shades, folder / "light/0.png", top=3)[0]
    light = plain.scores[plain.labels.index("Light")]
    yes = anmok.predict(shades, folder / "light/0.png", is_="light", top=2)[0]
    assert yes.scores[yes.labels.index("light")] == pytest.approx(light, rel=1e-4)
    assert asking(shades, "pitch dark").classes == ("not pitch dark", "pitch dark")


def test_it_is_measured_on_a_folder_of_two_classes(shades: anmok.Classifier, folder: Path) -> None:
    report = anmok.evaluate(shades, folder, is_="light")
    assert report.figures["accuracy"] == 1.0
    assert [row["class"] for row in report.tables["classes"]] == ["not light", "light"]
    assert [row["pictures"] for row in report.tables["classes"]] == [3, 3]


def test_the_folder_may_say_yes_and_no(folder: Path) -> None:
    (folder / "light").rename(folder / "Yes")
    found = answerable(load_data(folder), "hot dog")
    assert found.classes == ("not hot dog", "hot dog")
    assert {entry.id.split("/")[0]: entry.target for entry in found.entries} == {"Yes": 1, "others": 0}


def test_refusals_lead_on(shades: anmok.Classifier, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="Light"):
        anmok.predict(shades, folder, is_="lihgt")
    with pytest.raises(DataError, match="two classes"):
        anmok.evaluate(shades, folder, is_="middle")
    with pytest.raises(UsageError, match="pictures of its own"):
        anmok.evaluate(shades, is_="light")
    assert command(["predict", "efficientnet_lite0", str(folder), "--is", "hot dag"]) == 2
    assert 'Try: --is "hotdog"' in capsys.readouterr().err
