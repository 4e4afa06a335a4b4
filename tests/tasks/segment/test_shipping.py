"""Shipped segmentations: tiles, fits and seams, answered without torch pixel for pixel as with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import anmok
from anmok.core.errors import ArtefactError, ParityError
from anmok.core.instances import touching
from anmok.data.stores import ArrayPictures, PathPictures
from anmok.ship.answers import segment as its_answers
from anmok.ship.artefact import Artefact, Manifest
from anmok.ship.gate import compare
from anmok.ship.graph import to_onnx
from anmok.ship.runtime import Model
from anmok.tasks import _shipping as shipping
from anmok.tasks.segment import Segment
from anmok.tasks.segment.answering import answers
from anmok.tasks.segment.shipping import cargo
from anmok.verbs import export as verb
from anmok.verbs.shipped import shipped_answers
from tests.contracts.tiny import segment as tiny
from tests.tasks.segment.pointwise import CLASSES, model, painting
from tests.tasks.segment.test_instances import BySeam, two_discs

SIZES = [(40, 60), (90, 31), (7, 5), (128, 128)]


def shipped(one: Segment, engine: str = "onnxruntime") -> Model:
    load = cargo(one)
    graph = to_onnx(load.network, load.squares(one.preparation), load.outputs)
    return Model(Artefact(Manifest("segment", "s", one.preparation, load.outputs, load.answers), graph), engine)


@pytest.fixture
def paintings(tmp_path: Path) -> tuple[list[str], list[np.ndarray]]:
    names, masks = [], []
    for number, size in enumerate(SIZES):
        pixels, mask = painting(*size, seed=number)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        names.append(str(tmp_path / f"{number}.png"))
        masks.append(mask)
    return names, masks


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_tiles_are_blended_without_torch_and_a_bad_file_is_named(engine: str, paintings, tmp_path: Path) -> None:
    pytest.importorskip(engine)
    (tmp_path / "torn.png").write_bytes(b"\x89PNG")
    names, masks = paintings
    asked = [names[0], str(tmp_path / "torn.png"), *names[1:]]
    found = list(shipped_answers(shipped(model(16, "window"), engine), PathPictures(), asked, asked))
    assert [answer.id for answer in found] == asked and found[1].error
    good = [answer for answer in found if answer.error is None]
    for answer, mask in zip(good, masks, strict=True):
        assert np.array_equal(answer.mask, mask) and answer.classes == CLASSES
        shares = {name: float((mask == number).mean()) for number, name in enumerate(CLASSES) if (mask == number).any()}
        assert dict(zip(answer.labels, answer.scores, strict=True)) == pytest.approx(shares)


@pytest.mark.parametrize("fit", ["pad", "squash", "window"])
@pytest.mark.parametrize("mirror", [False, True])
def test_every_fit_passes_the_gate(fit: str, mirror: bool, paintings) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1))
    one, names = model(64, fit, net, mirror=mirror), paintings[0]
    expected = list(answers(one, PathPictures(), names, names, batch=2))
    found = compare(expected, shipped_answers(shipped(one), PathPictures(), names, names))
    assert found.holds and found.pictures == len(SIZES)
    one.mirror = not mirror  # another way of answering, which the gate must tell
    other = compare(expected, shipped_answers(shipped(one), PathPictures(), names, names))
    assert not other.holds


def test_touching_discs_come_apart_without_torch() -> None:
    objects = two_discs()
    red = np.where(objects > 0, 255, 0)
    red[touching(objects, 2.0) & (objects > 0)] = 128
    picture = np.stack([red, 0 * red, 0 * red], 2).astype(np.uint8)[None]
    for fit in ("window", "pad"):
        one = model(32 if fit == "window" else 64, fit, BySeam(), seams=True)
        (found,) = shipped_answers(shipped(one), ArrayPictures(picture, "discs"), [0], ["discs"])
        assert found.objects.max() == 2 and set(np.unique(found.mask)) == {0, 1}


def test_as_few_pictures_are_asked_again_as_keep_the_pixels_alike() -> None:
    generator = np.random.default_rng(0)
    exact = generator.dirichlet([0.3] * 4, (4, 64, 64)).transpose(0, 3, 1, 2).astype(np.float32)
    certain = np.eye(4, dtype=np.float32)[generator.integers(0, 4, (64, 64))].transpose(2, 0, 1)
    exact[1] = certain
    exact[2, :, 8:] = certain[:, 8:]  # an eighth of it is uncertain
    exact[3, :, 32:] = certain[:, 32:]
    fast = exact + generator.normal(0, 0.003, exact.shape).astype(np.float32)
    told = shipped(model(16, "pad")).answers
    slack = told.slack({"probabilities": fast}, {"probabilities": exact})
    again = told.doubtful({"probabilities": fast}, slack)
    otherwise = (fast.argmax(1) != exact.argmax(1))[:, ::4].mean((1, 2))
    assert otherwise.mean() > 1.5 * its_answers.ALIKE and again[0] and not again[1] and not again[2]
    assert np.where(again, 0, otherwise).mean() <= its_answers.ALIKE
    fewer = told.doubtful({"probabilities": fast}, float(np.nextafter(np.float32(slack), np.float32(0))))
    assert fewer.sum() == again.sum() - 1 and np.where(fewer, 0, otherwise).mean() > its_answers.ALIKE
    assert told.slack({"probabilities": exact}, {"probabilities": exact}) == 0
    assert not told.doubtful({"probabilities": fast}, 0.0).any()


@pytest.mark.parametrize("size", [(30, 25), (1, 7), (64, 3)])
def test_shares_counted_some_rows_at_a_time_are_those_of_the_whole(size: tuple[int, int], monkeypatch) -> None:
    monkeypatch.setattr(its_answers, "COUNTED", 40)
    mask = np.random.default_rng(0).integers(0, 5, size).astype(np.uint8)
    expected = [(mask == number).mean() for number in range(5)]
    assert its_answers.class_shares(mask, 5) == pytest.approx(expected)


def test_a_graph_of_other_classes_is_refused() -> None:
    one = model(16, "window")
    wrong = shipped(one)
    settings = {**wrong.manifest.answers, "classes": ["a", "b"]}
    manifest = Manifest("segment", "s", one.preparation, wrong.manifest.outputs, settings)
    with pytest.raises(ArtefactError, match="does not fit its manifest"):
        Model(Artefact(manifest, wrong.artefact.graph), "onnxruntime").answer_whole(*_asked())


def _asked() -> tuple[np.ndarray, object]:
    from anmok.ship.answers import Asked

    return painting(20, 20)[0], Asked("a", (20, 20))


@pytest.fixture(autouse=True)
def few_odd_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of them: tests of the gate answer all."""

    def made(folder: Path, **_: object) -> list[Path]:
        Image.fromarray(painting(70, 50)[0]).save(folder / "odd.png")
        (folder / "empty.png").touch()
        return [folder / "odd.png", folder / "empty.png"]

    monkeypatch.setattr(verb, "make_odd_pictures", made)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> anmok.Run:
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANMOK_CACHE", str(place / "cache"))
        settings = {**tiny.SETTINGS, "windows": True, "imgsz": 32}
        return anmok.train(tiny.write(place / "tiny"), project=place, epochs=1, val=0.25, test=0.25, **settings)


def test_a_run_that_learned_on_windows_is_exported_and_answers_large_pictures(run: anmok.Run, tmp_path: Path) -> None:
    file = anmok.export(run, out=tmp_path / "cells.anmok").path
    assert run.preparation.fit == "window"
    Image.fromarray(painting(150, 211)[0]).save(tmp_path / "large.png")
    with verb.in_float32(run):
        (expected,) = run.predict(tmp_path / "large.png")
    (found,) = anmok.predict(file, tmp_path / "large.png")
    assert found.mask.shape == (150, 211) and (found.mask == expected.mask).mean() > 0.999
    anmok.predict(file, tmp_path / "large.png", to=tmp_path / "answers")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "answers/masks/large.png")), found.mask)
    assert Image.open(tmp_path / "answers/overlays/large.jpg").size == (211, 150)


def test_the_gate_refuses_a_graph_that_answers_otherwise(run: anmok.Run, tmp_path: Path, monkeypatch) -> None:
    class Dimmed(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.network(x).flip(1)  # classes in another order

    monkeypatch.setattr(shipping, "to_onnx", lambda network, *others: to_onnx(Dimmed(network), *others))
    with pytest.raises(ParityError, match="decisions differ"):
        anmok.export(run, out=tmp_path / "bad.anmok")
    assert not list(tmp_path.iterdir())
