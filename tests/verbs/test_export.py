"""Export: the file answers as the run does, from the picture to the label; what does not is refused."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import anmok
from anmok.cli import run as command
from anmok.core.errors import DataError, ParityError, UsageError
from anmok.data.decoding import DecodingPool
from anmok.ship.artefact import read_artefact
from anmok.ship.graph import to_onnx
from anmok.ship.odd_pictures import make_odd_pictures
from anmok.ship.runtime import load_model
from anmok.tasks import _shipping as shipping
from anmok.verbs import export as verb
from anmok.verbs.shipped import ask_shipped


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """All but the two huge pictures, which `tests.ship.test_odd_pictures` decodes."""
    folder = tmp_path_factory.mktemp("odd")
    return [path for path in make_odd_pictures(folder) if "huge" not in path.name]


@pytest.fixture(autouse=True)
def made_once(odd: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "make_odd_pictures", lambda folder: odd)


@pytest.fixture(scope="module")
def shipped(run: anmok.Run, odd: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verb, "make_odd_pictures", lambda folder: odd)
        return anmok.export(run, out=tmp_path_factory.mktemp("shipped") / "photos.anmok").path


def test_the_file_holds_everything(shipped: Path, run: anmok.Run) -> None:
    artefact = read_artefact(shipped)
    manifest, answers = artefact.manifest, artefact.manifest.answers
    assert manifest.preparation == run.preparation
    assert tuple(answers["classes"]) == run.classes
    assert answers["temperature"] == run.temperature
    assert answers["threshold"] == run.rejection.threshold
    assert manifest.origin["weights"] == run.card["weights_sha256"]
    assert set(manifest.parity) == {"odd pictures", "the run's val pictures"}
    for found in manifest.parity.values():
        assert found["differ"] == 0 and found["pictures"] > 0 and found["largest"] <= found["tolerance"] == 1e-4
    assert manifest.parity["the run's val pictures"]["pictures"] == run.card["data"]["splits"]["val"]
    accuracy = run.metrics["test"]["accuracy"]["value"]
    assert f"| test | accuracy | {accuracy:.4f} |" in artefact.card and run.classes[0] in artefact.card


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_its_answers_are_the_runs(engine: str, shipped: Path, run: anmok.Run, odd: list[Path]) -> None:
    with verb.in_float32(run):
        expected = run.predict(odd)
    found = list(ask_shipped(load_model(shipped, engine), odd, batch=7))
    assert [answer.id for answer in found] == [str(path) for path in odd]
    for one, other in zip(expected, found, strict=True):
        assert (one.labels, one.sure, one.error) == (other.labels, other.sure, other.error)
        if one.scores is not None:
            assert other.scores == pytest.approx(one.scores, abs=1e-4)
    assert {answer.error is None for answer in found} == {True, False}
    asked = anmok.predict(shipped, odd[:3], engine=engine, quiet=True)
    assert [answer.labels for answer in asked] == [answer.labels for answer in found[:3]]


class Swapped(nn.Module):
    """Reads blue as red."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x.flip(1))


def swapped_channels(network, preparation, outputs, further, honest=to_onnx):
    return honest(Swapped(network), preparation, outputs, further)


def wrong_mean(network, preparation, outputs, further, honest=to_onnx):
    mean = tuple(value + 0.02 for value in preparation.mean)
    return honest(network, replace(preparation, mean=mean), outputs, further)


def one_channels_std(network, preparation, outputs, further, honest=to_onnx):
    first, *others = preparation.std
    return honest(network, replace(preparation, std=(first * 1.05, *others)), outputs, further)


@pytest.mark.parametrize("fault", [swapped_channels, wrong_mean, one_channels_std])
def test_faults_in_the_graph_are_caught(fault, run: anmok.Run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(shipping, "to_onnx", fault)
    refused(run, tmp_path / "bad.anmok")


def refused(run: anmok.Run, out: Path) -> None:
    with pytest.raises(ParityError, match="largest difference"):
        anmok.export(run, out=out)
    assert not list(out.parent.iterdir())


def permuted(settings):
    first, second, *others = settings["classes"]
    return {**settings, "classes": (second, first, *others)}


@pytest.mark.parametrize(
    "fault",
    [
        permuted,
        lambda settings: {**settings, "temperature": settings["temperature"] * 1.05},
        lambda settings: {**settings, "threshold": 0.999},
    ],
)
def test_faults_in_the_answers_are_caught(fault, run: anmok.Run, tmp_path: Path, monkeypatch) -> None:
    honest = verb.cargo_of
    monkeypatch.setattr(verb, "cargo_of", lambda one: replace(honest(one), answers=fault(honest(one).answers)))
    refused(run, tmp_path / "bad.anmok")


@pytest.mark.parametrize("change", [{"interpolation": "bicubic"}, {"fit": "squash"}])
def test_faults_in_the_preparation_are_caught(change, run: anmok.Run, tmp_path: Path, monkeypatch) -> None:
    honest = shipping.Manifest
    monkeypatch.setattr(
        shipping, "Manifest",
        lambda task, title, preparation, *more, **others: honest(
            task, title, replace(preparation, **change), *more, **others
        ),
    )  # fmt: skip
    refused(run, tmp_path / "bad.anmok")


def test_an_orientation_that_is_ignored_is_caught(run: anmok.Run, tmp_path: Path, monkeypatch) -> None:
    """The shipped model's own decoding, in this process and without EXIF; the run decodes in its workers."""
    from anmok.core import pictures
    from anmok.verbs import shipped

    monkeypatch.setattr(shipped, "lasting_pool", partial(DecodingPool, workers=0))
    monkeypatch.setattr(pictures, "_orientation", lambda image: 1)
    with pytest.raises(ParityError, match="exif_"):
        anmok.export(run, out=tmp_path / "bad.anmok")


def test_runs_whose_pictures_moved_need_others(run: anmok.Run, photographs: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(run.path, tmp_path / "runs" / "moved")
    settings = (moved / "settings.yaml").read_text()
    (moved / "settings.yaml").write_text(settings.replace(str(photographs), str(tmp_path / "gone")))
    with pytest.raises(DataError, match="--data"):
        anmok.export(moved, out=tmp_path / "a.anmok")
    found = anmok.export(moved, out=tmp_path / "a.anmok", data=photographs / "cat")
    assert found.parity[f"pictures of {photographs / 'cat'}"].pictures == 14


def test_an_openvino_graph(run: anmok.Run, tmp_path: Path) -> None:
    found = anmok.export(run, to="openvino", out=tmp_path / "a.anmok")
    assert read_artefact(found.path).graph.kind == "openvino"


def test_names_that_do_not_fit(run: anmok.Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ending"):
        anmok.export(run, out=tmp_path / "a.onnx")


def test_the_command_says_where_and_predicts_without_torch(run: anmok.Run, photographs: Path, capsys) -> None:
    assert command(["export", str(run.path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert Path(told["path"]) == run.path / f"{run.path.name}.anmok"
    assert told["parity"]["odd pictures"]["differ"] == 0
    code = """
import sys
for name in ("torch", "torchvision", "pydantic", "cyclopts", "rich", "onnx", "pyarrow", "matplotlib"):
    sys.modules[name] = None
from anmok.cli import run
sys.exit(run(["predict", *sys.argv[1:]]))
"""
    cats = sorted((photographs / "cat").iterdir())[:2]
    asked = [sys.executable, "-c", code, told["path"], *map(str, cats), "--json"]
    result = subprocess.run(asked, capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    with verb.in_float32(run):
        expected = run.predict(cats)
    assert [row["label"] for row in rows] == [answer.labels[0] for answer in expected if answer.labels]


def test_eight_bits_within_the_loss(run: anmok.Run, tmp_path: Path) -> None:
    pytest.importorskip("nncf")
    found = anmok.export(run, int8=True, max_loss=0.2, out=tmp_path / "small.anmok")
    loss, artefact = found.parity["8 bits"], read_artefact(found.path)
    assert found.numbers == artefact.manifest.numbers == "int8" and loss.holds and loss.labelled
    assert loss.pictures == run.card["data"]["splits"]["val"] and 0 <= loss.kept < loss.layers
    assert loss.before == run.metrics["val"]["accuracy"]["value"]
    assert b"QuantizeLinear" in artefact.graph.onnx and loss.sentence in artefact.card
    assert len(artefact.graph.onnx) < 0.7 * len(to_onnx(run.network, run.preparation, ("logits",)).onnx)


def test_eight_bits_that_cost_too_much_are_refused(run: anmok.Run, tmp_path: Path, monkeypatch) -> None:
    """A graph that answers otherwise, whoever made it, is judged by the file's own answers."""
    from anmok.ship.quantise import Quantised
    from anmok.verbs import int8

    ruined = to_onnx(Swapped(run.network), run.preparation, ("logits",))
    monkeypatch.setattr(int8, "quantise", lambda *_: Quantised(ruined, 16, 3))
    with pytest.raises(ParityError, match=r"accuracy \d+\.\d% in float32, .* in 8 bits on \d+ pictures; 3 of 16"):
        anmok.export(run, int8=True, out=tmp_path / "small.anmok")
    assert not list(tmp_path.iterdir())


def test_ones_own_pictures_serve_for_ranges_or_for_accuracy(photographs: Path, tmp_path: Path, monkeypatch) -> None:
    from anmok.data.load import load_data
    from anmok.verbs import int8

    class Enough(Exception):
        pass

    asked: list[set[str]] = []

    def noted(entries, *_):
        asked.append({entry.id for entry in entries})
        if len(asked) == 2:
            raise Enough
        return None, None

    monkeypatch.setattr(int8, "_pixels", noted)
    own, draft = load_data(photographs), SimpleNamespace(manifest=SimpleNamespace(task="classify", preparation=None))
    with pytest.raises(Enough):
        int8.in_int8(draft, None, own, own, 0.01, tmp_path)  # type: ignore[arg-type]
    ranges, judged = asked
    assert not ranges & judged and len(ranges | judged) == len(own.entries) and abs(len(ranges) - len(judged)) < 2


def test_eight_bits_need_pictures(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--data"):
        anmok.export(anmok.Classifier(nn.Sequential(nn.Conv2d(3, 4, 8, 8), nn.Flatten(), nn.Linear(3136, 3))),
                     int8=True, out=tmp_path / "a.anmok")  # fmt: skip
