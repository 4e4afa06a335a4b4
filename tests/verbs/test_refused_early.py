"""What cannot be done is refused before pictures are decoded, which takes minutes where there are many."""

import os
from pathlib import Path

import pytest

import anmok
from anmok.core.errors import AnmokError, DataError, UsageError
from anmok.core.preparation import Preparation
from anmok.data.decoding import DecodingPool
from anmok.verbs.generate_settings import GenerateSettings
from anmok.verbs.places import answers_for
from anmok.verbs.predict import prepared_picture
from anmok.verbs.setting import Settings
from anmok.verbs.settings import (
    CheckSettings,
    CompareSettings,
    EvalSettings,
    ExplainSettings,
    ExportSettings,
    InspectSettings,
    PredictSettings,
)
from tests.verbs.photographs import write_photographs


class DecodedError(Exception):
    """Pictures were decoded."""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def decode(*_: object) -> None:
        raise DecodedError

    monkeypatch.setattr(DecodingPool, "map", decode)
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))
    return write_photographs(tmp_path / "photographs", each=4, side=100)


def test_a_good_request_does_decode(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DecodedError):
        anmok.train(data, project=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"net": "resnet81"}, "no network of this name.*resnet18"),
        ({"net": "unet"}, "does not classify; it is made to segment"),
        ({"net": "resnet18:resnet34"}, "stands on no other network"),
        ({"net": "timm:resnet81"}, "no network in timm.*resnet18"),
        ({"net": "dcgan", "task": "reconstruct"}, "does not reconstruct; it is made to generate"),
        ({"net": "vae", "task": "generate"}, "does not generate; it is made to reconstruct"),
        ({"net": "resnet50", "weights": "imagenet"}, "cannot reach|not the published file"),
        ({"net": "resnet50", "weights": "imagenet-v9"}, "no published weights of this name"),
        ({"name": "a/b"}, "name"),
    ],
)
def test_what_cannot_be_trained(settings: dict[str, str], said: str, data: Path, tmp_path: Path) -> None:
    with pytest.raises(AnmokError, match=said):
        anmok.train(data, project=tmp_path / "runs", **settings)
    assert not (tmp_path / "runs").exists()


def test_a_list_of_a_thousand_names_is_not_said(data: Path) -> None:
    with pytest.raises(UsageError) as caught:
        anmok.train(data, net="timm:resnet81")
    assert "resnet18" in str(caught.value) and len(str(caught.value)) < 500


def test_places_where_no_run_can_be_kept(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    for place in ("file", "file/deeper"):
        with pytest.raises(UsageError, match="is no folder"):
            anmok.train(data, project=tmp_path / place)
    known = os.access
    monkeypatch.setattr(os, "access", lambda place, mode: mode == os.F_OK and known(place, mode))  # root may write all
    with pytest.raises(UsageError, match="must not be written to"):
        anmok.train(data, project=tmp_path / "new" / "runs")


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (CheckSettings, "html"), (CheckSettings, "split"), (EvalSettings, "report"), (PredictSettings, "to"),
        (ExplainSettings, "out"), (InspectSettings, "draw"), (CompareSettings, "out"), (ExportSettings, "out"),
        (GenerateSettings, "out"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_written(settings: type[Settings], name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in ("new.out", "file", "new/deeper/a.out"):
        assert getattr(settings.of(**{name: tmp_path / place}), name) == tmp_path / place
    with pytest.raises(UsageError, match=f"--{name} does not fit.*file is no folder"):
        settings.of(**{name: tmp_path / "file" / "a.out"})
    with pytest.raises(UsageError, match="--to does not fit"):
        CheckSettings.of(to=("coco", tmp_path / "file" / "a"))


def test_an_empty_name_is_not_the_folder_one_is_in(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data)
    with pytest.raises(DataError, match="no name"):
        anmok.train("")
    with pytest.raises(UsageError, match="no name"):
        list(answers_for("", lambda *_: iter(()), print))
    with pytest.raises(DecodedError):
        anmok.train(".", project=data.parent / "runs")


def test_a_folder_is_not_one_picture(data: Path) -> None:
    with pytest.raises(UsageError, match="one picture is asked for"):
        prepared_picture(data, Preparation(32, 32))
