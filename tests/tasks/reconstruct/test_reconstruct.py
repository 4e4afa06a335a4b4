"""Reconstruction as its users meet it: trained, damaged, resumed, measured, asked."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import anmok
from anmok.core.errors import UsageError
from anmok.data.prepare_pictures import prepare_pictures
from anmok.engine.callbacks import Quiet
from anmok.tasks.reconstruct.choosing import batches
from anmok.tasks.reconstruct.recipe import choose_recipe
from anmok.verbs.duel import duel

from .conftest import SIDE, bars, save_all, with_squares

QUICK = {"task": "reconstruct", "epochs": 2, "batch": 16}


class Stop(BaseException):
    pass


class After(Quiet):
    def on_epoch(self, row) -> None:
        raise Stop


@pytest.mark.parametrize(
    "settings",
    [
        {"net": "conv_autoencoder", "corrupt": "boxes"},
        {"net": "vae", "novelty": "code", "latent": 4},
        pytest.param({"net": "conv_vae", "beta": 2.0}, marks=pytest.mark.slow),
        pytest.param({"net": "autoencoder", "novelty": "patches"}, marks=pytest.mark.slow),
    ],
)
def test_killed_and_resumed_it_ends_with_the_same_bits(folder: Path, tmp_path: Path, settings: dict) -> None:
    """Also where training draws (a VAE), and where something is remembered after it."""
    whole = anmok.train(folder, project=tmp_path, name="whole", **QUICK, **settings)
    with pytest.raises(Stop):
        anmok.train(folder, project=tmp_path, name="killed", callbacks=[After()], **QUICK, **settings)
    again = anmok.train(resume=tmp_path / "reconstruct" / "killed")
    digests = [
        hashlib.sha256((run.path / "weights/best.safetensors").read_bytes()).hexdigest() for run in (whole, again)
    ]
    assert digests[0] == digests[1]
    assert again.metrics == whole.metrics
    assert anmok.load(again.path).card["novelty"] == whole.card["novelty"]


@pytest.fixture(scope="module")
def repairer(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> anmok.Run:
    settings = {"epochs": 40, "batch": 16, "corrupt": "noise:0.2", "test": 0.2}
    return anmok.train(folder, project=tmp_path_factory.mktemp("runs"), task="reconstruct", **settings)


def test_figures_are_scikit_image_s(folder: Path, repairer: anmok.Run) -> None:
    """The same damage as the run's, compared anew: of what goes in, and of what comes out."""
    dataset = anmok.load_data(folder, task="reconstruct")
    decoded = prepare_pictures(dataset, repairer.preparation)
    test = [place for place, entry in enumerate(dataset.entries) if entry.id in _test_ids(repairer)]
    assert len(test) == 32
    report = repairer.evaluate()
    assert [answer.id for answer in report.predictions] == [dataset.entries[place].id for place in test]
    loader = batches(
        repairer.kind.decode(_with_split(dataset, test), repairer.model, None), "test", repairer.model.recipe
    )
    (batch,) = loader.epoch(0)
    clean, given = (part.permute(0, 2, 3, 1).numpy() for part in (batch.targets, batch.pictures))
    assert np.array_equal(clean, decoded.source.gather(decoded.rows[test]))
    before = np.mean([peak_signal_noise_ratio(a, b) for a, b in zip(clean, given, strict=True)])
    assert report.figures["psnr_damaged"] == pytest.approx(before, abs=1e-4)
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": 2}
    similar = [structural_similarity(a, b, **window) for a, b in zip(clean, given, strict=True)]
    assert report.figures["ssim_damaged"] == pytest.approx(np.mean(similar), abs=1e-4)


def _test_ids(run: anmok.Run) -> set[str]:
    lines = (run.path / "split.csv").read_text(encoding="utf-8").splitlines()
    return {line.split(",")[0] for line in lines if line.endswith(",test")}


def _with_split(dataset, test: list[int]):
    from dataclasses import replace

    entries = [replace(e, split="test" if k in test else "train") for k, e in enumerate(dataset.entries)]
    return replace(dataset, entries=entries)


def test_the_perceptual_distance_is_of_answers_and_targets(repairer: anmok.Run, folder: Path) -> None:
    report = repairer.evaluate()
    assert 0 < report.figures["perceptual_low"] < report.figures["perceptual"] < report.figures["perceptual_high"]
    assert repairer.evaluate(folder).figures["perceptual"] == pytest.approx(report.figures["perceptual"], rel=0.3)


def test_codes_are_seen_from_the_command_line(repairer: anmok.Run, folder: Path, tmp_path: Path) -> None:
    ends = sorted(folder.glob("*.png"))[:2]
    found = anmok.inspect(repairer.path, walk=ends, out=tmp_path)
    names = {path.name.removeprefix(f"{repairer.path.name}-") for path in found.pictures}
    assert names == {"map.png", "map-tsne.png", "walk.png", "directions.png", "neighbours.png"}
    with Image.open(tmp_path / f"{repairer.path.name}-walk.png") as walk:
        assert walk.size == (64 * 11, 64)  # nine steps between two pictures, four times their size
    with pytest.raises(UsageError, match="reconstructs"):
        anmok.inspect("efficientnet_lite0", codes=True, card=False)


def test_it_repairs(repairer: anmok.Run) -> None:
    figures = repairer.metrics["test"]
    assert figures["psnr"]["value"] > figures["psnr_damaged"]["high"] + 2
    assert figures["ssim"]["value"] > figures["ssim_damaged"]["high"]
    assert repairer.card["novelty"] is None


def test_answers_are_written_in_the_pictures_own_size(repairer: anmok.Run, tmp_path: Path) -> None:
    noisy = np.clip(bars(3, seed=9) + np.random.default_rng(0).normal(0, 50, (3, SIDE, SIDE)), 0, 255).astype(np.uint8)
    place = save_all(tmp_path / "in", noisy)
    Image.fromarray(noisy[0]).resize((40, 24)).save(place / "wide.png")
    (place / "sub").mkdir()
    Image.fromarray(noisy[1]).save(place / "sub" / "wide.png")
    answers = repairer.predict(place, to=tmp_path / "out")
    assert {Path(answer.id).name for answer in answers} == {"000.png", "001.png", "002.png", "wide.png"}
    written = {path.name: np.asarray(Image.open(path)) for path in (tmp_path / "out").iterdir()}
    assert len(written) == 5 and {"000.png", "001.png", "002.png", "wide.png"} < set(written)  # one more wide
    assert written["000.png"].shape == (SIDE, SIDE)
    assert {picture.shape for picture in written.values()} == {(SIDE, SIDE), (24, 40)}
    closer = [peak_signal_noise_ratio(bars(3, seed=9)[k], written[f"{k:03}.png"]) for k in range(3)]
    assert min(closer) > max(peak_signal_noise_ratio(bars(3, seed=9)[k], noisy[k]) for k in range(3))


def test_pairs_are_repaired_without_further_damage(tmp_path: Path) -> None:
    """Folders of damaged and of whole pictures: the second are what should come out."""
    clean = bars(48, seed=3)
    for name, pictures in (("A", 255 - clean), ("B", clean)):
        save_all(tmp_path / "data" / name, pictures)
    run = anmok.train(tmp_path / "data", project=tmp_path, task="reconstruct", epochs=30, batch=8)
    figures = run.metrics["test"]
    assert figures["psnr_damaged"]["value"] < 6  # nearly the negative
    assert figures["psnr"]["value"] > 15
    with pytest.raises(UsageError, match="damaged already"):
        anmok.train(tmp_path / "data", project=tmp_path, corrupt="noise", **QUICK)


@pytest.fixture(scope="module", params=["reconstruction", "code", pytest.param("patches", marks=pytest.mark.slow)])
def watcher(request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> anmok.Run:
    settings = {"net": "autoencoder", "epochs": 150, "batch": 16, "novelty": request.param, "latent": 8}
    project = tmp_path_factory.mktemp("runs")
    return anmok.train(folder, project=project, task="reconstruct", val=0.3, test=0.2, **settings)


def test_what_is_unusual_is_told(watcher: anmok.Run, tmp_path: Path) -> None:
    """Another kind altogether: negatives, lying on their side."""
    strange = 255 - bars(40, seed=5).transpose(0, 2, 1)
    report = watcher.evaluate(unseen=save_all(tmp_path / "odd", strange), report=tmp_path / "page.html")
    (row,) = report.tables["novelty"]
    assert row["pictures"] == 40 and row["auroc"] > 0.99
    assert row["flagged_usual"] < 0.3
    if row["by"] != "code":  # one odd code among the few validation pictures lifts the threshold above all
        assert row["flagged"] > 0.9
    usual, unusual = (watcher.predict(save_all(tmp_path / name, p)) for name, p in (("u", bars(20, 7)), ("o", strange)))
    flagged = [np.mean([answer.labels == ("unusual",) for answer in answers]) for answers in (usual, unusual)]
    assert flagged[0] < 0.3 and flagged[1] == pytest.approx(row["flagged"])
    assert all(0 <= answer.scores[0] <= 1 for answer in (*usual, *unusual))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Kinds never learned" in page and "Most unusual" in page


def test_masks_say_whether_it_is_told_where(watcher: anmok.Run, tmp_path: Path) -> None:
    marked, masks = with_squares(bars(24, seed=6))
    save_all(tmp_path / "images", marked)
    save_all(tmp_path / "masks", (masks * 255).astype(np.uint8))
    (row,) = watcher.evaluate(unseen=tmp_path).tables["novelty"]
    if row["by"] == "code":  # which does not say where
        assert "pixel_auroc" not in row
    else:
        assert row["pixel_auroc"] > 0.8 and row["region_overlap"] > 0.4


def test_what_does_not_fit_is_refused(folder: Path, tmp_path: Path, repairer: anmok.Run) -> None:
    for settings, says in (
        ({"beta": 2.0}, "only a VAE"),
        ({"latent": 3}, "code is a map"),
        ({"mixup": 0.2}, "no setting"),
        ({"net": "resnet18"}, "conv_autoencoder"),
        ({"corrupt": "noize"}, "'noise'"),
    ):
        with pytest.raises(UsageError, match=says):
            anmok.train(folder, project=tmp_path, **QUICK, **settings)
    with pytest.raises(UsageError, match="does not judge"):
        repairer.evaluate(unseen=folder)
    with pytest.raises(UsageError, match="scores no class"):
        repairer.explain(folder / "000.png")


@pytest.mark.parametrize(("pictures", "chosen", "batch", "rate"), [
    (60_000, {}, 512, 0.01), (60_000, {"batch": 64}, 64, 0.003), (6_000, {}, 128, 0.003), (20, {}, 16, 0.003),
])  # fmt: skip
def test_large_batches_learn_faster(pictures: int, chosen: dict, batch: int, rate: float) -> None:
    recipe = choose_recipe(pictures, "vae", chosen)
    assert (recipe.batch, recipe.learning_rate) == (batch, rate)
    assert choose_recipe(pictures, "conv_vae", {}).batch <= 128


def test_two_runs_are_compared(folder: Path, repairer: anmok.Run, tmp_path: Path) -> None:
    worse = anmok.train(folder, project=tmp_path, corrupt="noise:0.2", test=0.2, **{**QUICK, "epochs": 1})
    found = duel(repairer, worse)
    assert "repairs better" in found.verdict and found.verdict.startswith(str(repairer.path))
    first, second, gap = found.rows["psnr"]
    assert gap.low < first - second < gap.high
