"""A seed names a picture: the same bits alone, in a grid, after another opening; and what is shipped draws the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import anmok
from anmok.cli import run as command
from anmok.core.codes import codes_of
from anmok.core.errors import ArtefactError, ParityError, UsageError
from anmok.engine.devices import PlainDevices
from anmok.ship import generator_graph
from anmok.ship.artefact import read_artefact
from anmok.ship.runtime import Model
from anmok.tasks.generate.yardstick import Yardstick
from anmok.verbs import export_generator
from anmok.verbs.generate import parse_seeds
from tests.verbs.photographs import write_photographs

QUICK = {"task": "generate", "imgsz": 8, "batch": 6, "epochs": 1, "val": 0.2, "test": 0.2}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, anmok.Run]:
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("generate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANMOK_CACHE", str(place / "cache"))
        data = write_photographs(place / "photos", each=8, side=16)
        plain = anmok.train(data, project=place, name="plain", **QUICK)
        vae = anmok.train(data, project=place, name="vae", task="reconstruct", net="vae", imgsz=8, epochs=1)
        styled = anmok.train(data, project=place, name="styled", net="stylegan2", latent=8, conditional=False, **QUICK)
    return {"plain": plain, "styled": styled, "vae": vae}


@pytest.mark.parametrize("which", ["plain", "styled", "vae"])
def test_a_seed_is_a_picture_alone_and_among_others(which: str, runs, tmp_path: Path) -> None:
    many = runs[which].generate(range(9), out=tmp_path / "many")
    alone = anmok.generate(anmok.load(runs[which].path), seeds=4, out=tmp_path / "alone")
    assert np.array_equal(many.pictures[4], alone.pictures[0])
    assert not np.array_equal(many.pictures[3], many.pictures[4])
    assert alone.files[0].name == many.files[4].name
    written = np.asarray(Image.open(many.files[4]).convert("RGB"))
    assert np.array_equal(written, np.broadcast_to(many.pictures[4], written.shape))
    sheet = np.asarray(Image.open(many.sheet))
    assert np.array_equal(sheet[:8, :8], np.asarray(Image.open(many.files[0])))


def test_a_vae_draws_what_its_decoder_makes_of_normal_codes(runs, tmp_path: Path) -> None:
    drawn = runs["vae"].generate("3", out=tmp_path).pictures[0]
    network = runs["vae"].network.float().eval()
    code = torch.from_numpy(codes_of([3], network.latent))
    with torch.no_grad():
        expected = network.decode(code).sigmoid()[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(drawn - expected).max() <= 0.51


def test_classes_rows_walks_and_truncations(runs, tmp_path: Path) -> None:
    run = runs["plain"]
    rows = run.generate("0,5", classes="all", out=tmp_path)
    assert len(rows.pictures) == 6 and rows.names[:2] == ["seed-00000-cat", "seed-00005-cat"]
    one = run.generate("5", classes="커피", out=tmp_path)
    assert np.array_equal(one.pictures[0], rows.pictures[rows.names.index("seed-00005-커피")])
    walk = run.generate("0,5", walk=True, steps=5, classes="cat", out=tmp_path)
    assert len(walk.pictures) == 5
    assert np.array_equal(walk.pictures[0], rows.pictures[0]) and np.array_equal(walk.pictures[4], rows.pictures[1])
    cut = run.generate("0,5", classes="cat", truncation="0,1", out=tmp_path)
    assert np.array_equal(cut.pictures[0], cut.pictures[1])  # no variety is left
    assert np.array_equal(cut.pictures[2:], rows.pictures[:2])


def test_mixed_styles_take_the_coarse_of_one_and_the_fine_of_the_other(runs, tmp_path: Path) -> None:
    run = runs["styled"]
    mixed = run.generate("1,2", mix="2,3", crossover=1, out=tmp_path)
    own = run.generate("2", out=tmp_path)
    assert len(mixed.pictures) == 4
    assert np.array_equal(mixed.pictures[mixed.names.index("coarse-2-fine-2")], own.pictures[0])  # nothing is mixed
    assert np.asarray(Image.open(mixed.sheet)).shape == (3 * 8 + 4, 3 * 8 + 4, 3)  # two pixels between pictures
    with pytest.raises(UsageError, match="styles"):
        runs["plain"].generate("0", mix="1", out=tmp_path)


@pytest.mark.parametrize("which", ["plain", "styled"])
@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_what_is_shipped_draws_the_same(which: str, form: str, runs, tmp_path: Path) -> None:
    exported = anmok.export(runs[which], to=form, out=tmp_path / "draws.anmok")
    assert exported.parity["64 seeds"].pictures == 128
    settings = {"seeds": "7,300", "truncation": "1,0.6", "single": False}
    ours = anmok.generate(runs[which], out=tmp_path / "run", **settings)
    theirs = anmok.generate(exported.path, out=tmp_path / "shipped", **settings)
    assert ours.names == theirs.names
    assert np.abs(ours.pictures.astype(int) - theirs.pictures.astype(int)).max() <= 1
    assert "anmok generate FILE" in read_artefact(exported.path).card
    with pytest.raises(ArtefactError):
        Model(read_artefact(exported.path))  # which would answer to pictures


def test_what_is_shipped_draws_where_there_is_no_torch(runs, tmp_path: Path) -> None:
    exported = anmok.export(runs["plain"], to="onnx", out=tmp_path / "draws.anmok")
    code = "import sys; sys.modules['torch'] = None; from anmok.cli import run; sys.exit(run(sys.argv[1:]))"
    command = ["generate", exported.path, "--seeds", "3,5", "--out", tmp_path / "alone", "--quiet"]
    subprocess.run([sys.executable, "-c", code, *map(str, command)], check=True)
    ours = anmok.generate(exported.path, seeds="3,5", out=tmp_path / "here")
    for file in ours.files:
        assert np.array_equal(np.asarray(Image.open(tmp_path / "alone" / file.name)), np.asarray(Image.open(file)))


def test_a_generator_that_draws_something_else_is_not_shipped(runs, tmp_path: Path, monkeypatch) -> None:
    def dimmed(module: torch.nn.Module, width: int):
        class Dimmed(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.own = module

            def forward(self, rows: torch.Tensor) -> torch.Tensor:
                return (self.own(rows).float() * 0.97).to(torch.uint8)

        return generator_graph.generator_to_onnx(Dimmed(), width)

    monkeypatch.setattr(export_generator, "generator_to_onnx", dimmed)
    with pytest.raises(ParityError, match="same seeds"):
        anmok.export(runs["plain"], out=tmp_path / "draws.anmok")
    assert not list(tmp_path.iterdir())


def test_a_classifier_of_ones_own_may_judge(run: anmok.Run) -> None:
    """`run` learned classes; its stages' maps, averaged, are the features."""
    pictures = np.random.default_rng(0).integers(0, 256, (3, 20, 20, 3), dtype=np.uint8)
    yardstick = Yardstick(str(run.path))
    found = yardstick.raw(pictures, PlainDevices("float32"))
    size = run.preparation.size
    x = torch.nn.functional.interpolate(
        torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255, (size, size), mode="bilinear", antialias=True
    )
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (run.preparation.mean, run.preparation.std))
    with torch.no_grad():
        maps = run.network.features((x - mean) / std)
    assert np.allclose(found, torch.cat([stage.mean((2, 3)) for stage in maps], 1).numpy(), atol=1e-4)
    yardstick.measure_by(found)
    scaled = yardstick.scaled(found)
    assert np.allclose(scaled.mean(0), 0, atol=1e-4) and np.allclose(scaled.std(0)[found.std(0) > 0.01], 1, atol=1e-3)


def test_the_command_names_what_it_drew(runs, tmp_path: Path, capsys) -> None:
    place = str(runs["plain"].path)
    assert command(["generate", place, "--seeds", "2-3", "--out", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [Path(file).name.startswith(f"seed-0000{seed}") for seed, file in zip((2, 3), told["files"], strict=True)]
    assert Path(told["sheet"]).exists() and len(told["pictures"]) == 2
    assert command(["inspect", place]) == 0 and "Conv" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "a", "3-1", "-4", "1,,2", "0-99999"])
def test_odd_seeds_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="seeds"):
        parse_seeds(text)


def test_unknown_classes_and_truncations_are_refused(runs, tmp_path: Path) -> None:
    for settings in (
        {"classes": "dog"},
        {"truncation": "much"},
        {"seeds": "1", "walk": True},
        {"mix": "1", "walk": True},
    ):
        with pytest.raises(UsageError):
            runs["plain"].generate(out=tmp_path, **settings)
    assert not list(tmp_path.iterdir())
