"""Runs on pairs and on domains with a hidden pairing, their figures against pictures compared by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

import anmok
from anmok.core.errors import AnmokError, UsageError
from anmok.core.preparation import Preparation
from anmok.data.samples.domains import domains
from anmok.engine.devices import PlainDevices
from anmok.networks import build
from anmok.tasks.decoding import decode
from anmok.tasks.translate.choosing import prepared_for
from anmok.tasks.translate.learning import Translate
from anmok.tasks.translate.measuring import measure
from anmok.tasks.translate.recipe import TranslateRecipe

SIDE = 32


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    torch.set_num_threads(1)
    patch = pytest.MonkeyPatch()
    patch.setenv("ANMOK_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 patches of a photograph, and their negatives, of the same names."""
    root, photograph = tmp_path_factory.mktemp("data") / "negatives", data.chelsea()
    for folder in ("A", "B"):
        (root / folder).mkdir(parents=True)
    for place in range(24):
        top, left = 40 * (place // 6), 60 * (place % 6)
        patch = photograph[top : top + SIDE, left : left + SIDE]
        Image.fromarray(patch).save(root / "A" / f"{place:02}.png")
        Image.fromarray(255 - patch).save(root / "B" / f"{place:02}.png")
    return root


@pytest.fixture(scope="module")
def run(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> anmok.Run:
    project = tmp_path_factory.mktemp("runs")
    return anmok.train(pairs, project=project, val=0.2, test=0.25, epochs=25, batch=2, width=8, precision="float32")


def test_pix2pix_learns_pairs_and_is_measured_against_partners(run: anmok.Run, pairs: Path) -> None:
    figures = run.metrics["test"]
    tested = [row.id for row in run.evaluate().predictions]
    answers = run.predict([pairs / name for name in tested])
    errors, untouched = [], []
    for name, answer in zip(tested, answers, strict=True):
        picture, partner = (np.asarray(Image.open(pairs / folder / Path(name).name), float) for folder in ("A", "B"))
        errors.append(np.abs(answer.picture - partner).mean() / 255)
        untouched.append(np.abs(picture - partner).mean() / 255)
    assert figures["error"]["value"] == pytest.approx(np.mean(errors), abs=1e-6)
    assert figures["untouched"]["value"] == pytest.approx(np.mean(untouched), abs=1e-6)
    assert figures["nearer"]["value"] == pytest.approx(np.mean(untouched) / np.mean(errors), rel=1e-6)
    assert figures["nearer"]["value"] > 1.2  # it has learned something in a few steps
    assert {"psnr", "ssim"} <= figures.keys() and "cycle" not in figures


def test_the_report_shows_how_it_came_about(run: anmok.Run) -> None:
    page = run.report.read_text(encoding="utf-8")
    assert 'id="course"' in page and "A → B" in page and "its partner" in page


def test_pix2pix_goes_one_way(run: anmok.Run, pairs: Path) -> None:
    with pytest.raises(UsageError, match="one way only"):
        run.predict(pairs / "B" / "00.png", into="A")


def test_translations_are_written_by_name_into_a_folder(run: anmok.Run, pairs: Path, tmp_path: Path) -> None:
    run.predict(pairs / "A", to=tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*.png"))) == 24
    with pytest.raises(UsageError, match="folder"):
        run.predict(pairs / "A", to=tmp_path / "out.csv")


def test_pix2pix_needs_pairs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pairs"):
        anmok.train("domains", net="pix2pix", project=tmp_path)


@pytest.mark.parametrize("setting", [{"cycle": 5.0}, {"optimizer": "muon"}, {"patience": 3}])
def test_idle_settings_are_refused(setting: dict, pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(AnmokError, match=next(iter(setting))):
        anmok.train(pairs, project=tmp_path, **setting)
    assert not list(tmp_path.iterdir())


def test_the_hidden_pairing_is_measured_and_not_learned_from() -> None:
    dataset = domains(train=2, test=3, side=SIDE)
    decoded = decode(dataset, prepared_for(Preparation(SIDE, SIDE, 3)))
    network = build("cyclegan", num_classes=None, width=4, blocks=1, layers=2)
    model = Translate(network, decoded.preparation, PlainDevices("float32"), TranslateRecipe("cyclegan", 1, 1),
                      dataset.classes)  # fmt: skip
    ab, ba = measure(model, decoded, "test").ways
    pixels = {entry.id: dataset.pictures.read(entry.locator).astype(float) for entry in dataset.entries}
    for way, here, there in ((ab, "photograph", "blueprint"), (ba, "blueprint", "photograph")):
        by_hand = [np.abs(pixels[name] - pixels[name.replace(here, there)]).mean() / 255 for name in way.ids]
        assert len(way.ids) == 3 and way.values["untouched"] == pytest.approx(by_hand, abs=1e-9)
    assert "error" not in measure(model, decoded, "train").ways[0].values  # nobody is told there


def test_each_way_is_shipped_and_answers_as_the_run_does(tmp_path: Path) -> None:
    for domain, photograph in (("A", data.chelsea()), ("B", data.coffee())):
        (tmp_path / "data" / domain).mkdir(parents=True)
        for place in range(8):
            patch = photograph[30 * place : 30 * place + SIDE, 90 : 90 + SIDE]
            Image.fromarray(patch).save(tmp_path / "data" / domain / f"{domain}{place}.png")
    run = anmok.train(tmp_path / "data", project=tmp_path, epochs=1, batch=2, width=4, val=0.25, test=0.0)
    picture = tmp_path / "data" / "A" / "A0.png"
    for into in ("A", "B"):
        file = anmok.export(run, into=into).path
        assert file.name == f"data-into-{into}.anmok"
        shipped, own = anmok.predict(file, picture)[0].picture, run.predict(picture, into=into)[0].picture
        assert np.abs(shipped.astype(int) - own).max() <= 1
        assert np.abs(own.astype(int) - np.asarray(Image.open(picture))).max() > 1  # something was done to it
    with pytest.raises(UsageError, match="one way"):
        anmok.predict(file, picture, into="A")
