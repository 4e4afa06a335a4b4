"""Made ready once, answered without torch from then on: the same answers, whatever happened to what was kept."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

import anmok
from anmok.cli import run as command
from anmok.core import resizing
from anmok.core.preparation import Preparation
from anmok.data.stores import PathPictures
from anmok.ship.answers import Asked
from anmok.ship.runtime import Model
from anmok.verbs import prepared, preparing, respondent
from anmok.verbs.export import in_float32
from anmok.verbs.prepared import find, folder, key_of, of_file
from anmok.verbs.shipped import shipped_answers


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "prepared"


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "FEW", 2)
    for module in (prepared, respondent):
        monkeypatch.setattr(module, "MANY", 5)


def exact(run: anmok.Run, photographs: Path) -> list[tuple[str, tuple[str, ...] | None, bool | None]]:
    with in_float32(run):
        return told(run.predict(photographs, engine="torch"))


def told(answers):
    return [(answer.id, answer.labels, answer.sure) for answer in answers]


def test_many_pictures_are_answered_alike_by_whatever_is_fastest(
    run: anmok.Run, photographs: Path, own_folder: Path, few_are_many: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(anmok.predict(run.path, photographs, quiet=False)) == exact(run, photographs)
    said = capsys.readouterr().err
    assert "without torch, once" in said and "computed by" in said
    found = find(run.path)
    assert found is not None and found.chosen is not None and found.torch is not None
    assert found.chosen.agreement >= 0.995 and "torch, float32" in found.chosen.rates
    assert told(anmok.predict(run.path, photographs)) == exact(run, photographs)


def test_the_third_question_needs_no_torch(
    run: anmok.Run, photographs: Path, own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = str(sorted((photographs / "cat").iterdir())[0])
    asked = ["predict", str(run.path), picture, "--json"]
    rows = []
    for number in range(2):
        assert command(asked) == 0
        rows.append(json.loads(capsys.readouterr().out))
        assert (find(run.path) is not None) == (number == 1)
    code = "import sys; sys.modules['torch'] = None; from anmok.cli import run; sys.exit(run(sys.argv[1:]))"
    result = subprocess.run([sys.executable, "-c", code, *asked], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    rows.append(json.loads(result.stdout))
    assert {(row["label"], row["sure"]) for row in rows} == {(rows[0]["label"], rows[0]["sure"])}
    assert rows[0]["score"] == pytest.approx(rows[2]["score"], abs=1e-4)


def test_another_card_is_another_key(run: anmok.Run, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    card = (run.path / "card.json").read_text()
    (copy / "card.json").write_text(card)
    assert key_of(copy) == key_of(run.path) == key_of(str(run.path))
    (copy / "card.json").write_text(card.replace('"temperature": ', '"temperature": 1'))
    assert key_of(copy) != key_of(run.path)
    assert key_of("efficientnet_lite0") not in (None, key_of("resnet50"))
    assert key_of(tmp_path) is None and key_of("some/where") is None and key_of(run) is None


@pytest.mark.parametrize("damage", ["model", "choice"])
def test_what_was_kept_and_broke_is_made_again(
    damage: str, run: anmok.Run, photographs: Path, own_folder: Path, few_are_many: None
) -> None:
    anmok.predict(run.path, photographs)
    model, choice = (next(own_folder.glob(f"*{end}")) for end in (".anmok", ".json"))
    if damage == "model":
        content = bytearray(model.read_bytes())
        content[len(content) // 2] ^= 4
        model.write_bytes(content)
    else:
        choice.write_text('{"artefact": 1, "torch": [1], "chosen": null}')
    assert find(run.path) is None
    assert told(anmok.predict(run.path, photographs)) == exact(run, photographs)
    assert find(run.path) is not None


def test_a_folder_that_cannot_be_written_stops_nobody(
    run: anmok.Run, photographs: Path, tmp_path: Path, few_are_many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "file"))
    assert told(anmok.predict(run.path, photographs)) == exact(run, photographs)
    assert find(run.path) is None


def test_an_engine_that_lies_is_not_taken(
    run: anmok.Run, photographs: Path, own_folder: Path, few_are_many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anmok.ship import choice

    class Liar:
        label = "liar"

        def __init__(self, graph, precision="float32"):
            self.honest = honest(graph, precision)

        def run(self, pictures):
            return {name: values[:, ::-1] for name, values in self.honest.run(pictures).items()}

    honest = choice.ENGINES["onnxruntime"]
    monkeypatch.setattr(choice, "ENGINES", {"onnxruntime": Liar})
    monkeypatch.setattr(choice, "installed", lambda: ["onnxruntime"])
    assert told(anmok.predict(run.path, photographs)) == exact(run, photographs)
    found = find(run.path)
    assert found is not None and found.artefact is None and found.needs_torch


def test_without_engines_torch_answers(
    run: anmok.Run, photographs: Path, own_folder: Path, few_are_many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anmok.ship import choice

    monkeypatch.setattr(choice, "installed", list)
    assert told(anmok.predict(run.path, photographs)) == exact(run, photographs)


def test_only_the_choice_is_kept_of_a_shipped_file(
    run: anmok.Run, photographs: Path, own_folder: Path, few_are_many: None, tmp_path: Path
) -> None:
    path = anmok.export(run, out=tmp_path / "a.anmok").path
    assert told(anmok.predict(path, photographs)) == exact(run, photographs)
    assert not list(own_folder.glob("*.anmok")) and of_file(path).chosen is not None
    assert told(anmok.predict(str(path), photographs)) == exact(run, photographs)


def test_the_least_recently_used_models_go(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setattr(prepared, "_KEPT", 250)
    own_folder.mkdir(parents=True)
    for age, name in enumerate(["new", "middle", "old"]):
        (own_folder / f"{name}.anmok").write_bytes(bytes(100))
        (own_folder / f"{name}.json").write_text("{}")
        os.utime(own_folder / f"{name}.anmok", (1e9 - age, 1e9 - age))
    prepared._evict(own_folder / "new.anmok")
    assert sorted(path.name for path in own_folder.iterdir()) == [
        "middle.anmok",
        "middle.json",
        "new.anmok",
        "new.json",
    ]
    assert folder() == own_folder and preparing.seen_before("x") is False and preparing.seen_before("x") is True


def test_pictures_that_cannot_be_read_stop_no_choice(
    run: anmok.Run, tmp_path: Path, own_folder: Path, few_are_many: None
) -> None:
    folder_of_none = tmp_path / "none"
    folder_of_none.mkdir()
    for number in range(6):
        (folder_of_none / f"{number}.jpg").write_text("no picture")
    answers = anmok.predict(run.path, sorted(folder_of_none.iterdir()))
    assert len(answers) == 6 and all(answer.error for answer in answers)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was made ready from now on."""
    made: list[str] = []

    def prepare(one, key, terminal):
        made.append(one.title)
        return preparing.prepare(one, key, terminal)

    monkeypatch.setattr(respondent, "prepare", prepare)
    return made


def test_pictures_asked_one_after_the_other_are_many_too(
    run: anmok.Run, photographs: Path, own_folder: Path, few_are_many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, opened = counted(monkeypatch), anmok.load(run.path)
    files = sorted((photographs / "cat").iterdir())
    answers = [opened.predict(file)[0] for file in files[:4]]
    assert not made and opened.remembered.asked == 4
    answers += [opened.predict(file)[0] for file in files[4:6]]
    assert len(made) == 1 and find(run.path) is not None
    ready = opened.remembered.ready
    assert ready is not None and len(ready.opened) == 1, "one engine answers both"
    wanted = {name: labels for name, labels, _ in exact(run, photographs)}
    assert [answer.labels for answer in answers] == [wanted[str(file)] for file in files[:6]]
    assert anmok.load(run.path).predict(files[0])[0].labels == answers[0].labels and len(made) == 1


def test_what_was_made_of_other_weights_or_thresholds_does_not_answer(
    run: anmok.Run, photographs: Path, own_folder: Path, few_are_many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, opened = counted(monkeypatch), anmok.load(run.path)
    assert told(opened.predict(photographs)) == told(opened.predict(photographs)) == exact(run, photographs)
    assert len(made) == 1
    opened.model.threshold = 0.999999
    assert not any(answer.sure for answer in opened.predict(photographs)) and len(made) == 2
    with torch.no_grad():
        next(iter(opened.network.parameters())).mul_(-3.0)
    assert told(opened.predict(photographs)) == exact(opened, photographs) != exact(run, photographs)
    assert len(made) == 3
    assert told(anmok.load(run.path).predict(photographs)) == exact(run, photographs), "what is kept is the run's"


@pytest.fixture(scope="module")
def large_photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    whole = Image.fromarray(data.astronaut())
    for number in range(8):
        whole.crop((10 * number, 8 * number, 330 + 12 * number, 240 + 9 * number)).save(folder / f"{number}.jpg")
    return folder


@pytest.mark.skipif(resizing.fast is None, reason="cykooz.resizer has no wheel for this platform")
def test_published_networks_are_asked_again_with_pillows_resizing_where_it_is_close(
    large_photographs: Path, own_folder: Path, few_are_many: None
) -> None:
    by_torch = anmok.predict("efficientnet_lite0", large_photographs, engine="torch")
    found = anmok.predict("efficientnet_lite0", large_photographs)
    assert [one.labels[0] for one in found] == [one.labels[0] for one in by_torch]
    ready = find("efficientnet_lite0")
    assert ready is not None and ready.artefact is not None and ready.chosen is not None
    assert ready.artefact.manifest.preparation.exact and 0 < ready.chosen.near < 1

    paths = [str(path) for path in sorted(large_photographs.iterdir())]

    def asked(near: float | None) -> np.ndarray:
        answers = shipped_answers(Model(ready.artefact), PathPictures(), paths, paths, near=near)
        return np.array([dict(zip(one.labels, one.scores, strict=True))["trombone"] for one in answers])

    as_published, never, always = asked(None), asked(0.0), asked(1e9)
    assert np.array_equal(always, as_published)
    assert not np.array_equal(never, as_published)
    assert never == pytest.approx(as_published, abs=1e-3)
    # by hand: the middle of what Pillow made of the whole, whose shorter side is 256
    picture = Image.open(paths[0])
    whole = picture.resize((256 * picture.width // picture.height, 256), Image.Resampling.BICUBIC)
    left, top = round((whole.width - 224) / 2), 16
    pixels = np.asarray(whole.crop((left, top, left + 224, top + 224)))[None]
    (one,) = Model(ready.artefact).answer(pixels, [Asked("by hand", (232, 320))])
    assert dict(zip(one.labels, one.scores, strict=True))["trombone"] == pytest.approx(as_published[0], rel=1e-3)


def test_runs_see_what_they_were_trained_with(run: anmok.Run) -> None:
    assert not run.preparation.exact and not Preparation.from_json(run.card["preparation"]).exact
