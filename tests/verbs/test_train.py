"""Training on a folder of photographs: what the run folder holds, what is refused, what `--seed` promises."""

import csv
import hashlib
import json
import warnings
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from torch import nn

import anmok
from anmok.core.errors import CheckpointError, DataError, UsageError
from anmok.core.preparation import Preparation
from anmok.tasks import copies
from anmok.tasks.own_network import demand_fit

QUICK = {"epochs": 2, "imgsz": 32, "val": 0.2, "test": 0.2}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tree(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): digest(path) for path in sorted(root.rglob("*")) if path.is_file()}


def test_the_run_folder_holds_everything(run: anmok.Run, photographs: Path) -> None:
    for name in ("settings.yaml", "card.json", "results.csv", "report.html", "split.csv", "weights/best.safetensors"):
        assert (run.path / name).stat().st_size > 0, name
    card = json.loads((run.path / "card.json").read_text())
    assert card["classes"] == ["cat", "rocket", "커피"] and card["data"]["splits"] == {"train": 24, "val": 9, "test": 9}
    assert yaml.safe_load((run.path / "settings.yaml").read_text())["data"] == str(photographs)
    with (run.path / "results.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == [str(n) for n in range(1, 13)]


def test_it_learned_more_than_chance(run: anmok.Run) -> None:
    assert run.evaluate(split="train").figures["accuracy"] > 0.8


def test_originals_are_never_written(photographs: Path, tmp_path: Path) -> None:
    before = tree(photographs)
    anmok.train(photographs, project=tmp_path, **QUICK)
    assert tree(photographs) == before


def test_the_same_seed_gives_the_same_bits_and_another_does_not(photographs: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    seeds = {"a": 3, "b": 3, "c": 4}
    digests = {
        name: digest(anmok.train(photographs, project=tmp_path, name=name, seed=seed, **QUICK).folder.best)
        for name, seed in seeds.items()
    }
    assert digests["a"] == digests["b"] != digests["c"]


def test_workers_change_no_bit(photographs: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    digests = [
        digest(anmok.train(photographs, project=tmp_path, workers=workers, colour=0.2, rotate=10, **QUICK).folder.best)
        for workers in (0, 2)
    ]
    assert digests[0] == digests[1]


def test_a_network_of_ones_own_trains_and_comes_back_only_with_it(photographs: Path, tmp_path: Path) -> None:
    class Mine(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 3))

    run = anmok.train(photographs, network=Mine(), project=tmp_path, **QUICK)
    with pytest.raises(CheckpointError, match="network of your own"):
        anmok.load(run.path)
    with pytest.raises(CheckpointError, match=r"network of your own.*Mine.*anmok\.train\(resume=path, network="):
        anmok.train(resume=run.path)
    again = anmok.load(run.path, network=Mine())
    assert all(torch.equal(a, b) for a, b in zip(run.network.parameters(), again.network.parameters(), strict=True))
    with pytest.raises(CheckpointError, match="do not fit"):
        anmok.load(run.path, network=nn.Linear(3, 3))


class Plain(nn.Sequential):
    """A network that knows nothing of anmok."""

    def __init__(self, *last: nn.Module) -> None:
        super().__init__(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), *last)


@pytest.mark.parametrize("weights", [None, "random"])
def test_a_network_of_ones_own_learns_from_photographs(photographs: Path, tmp_path: Path, weights: str | None) -> None:
    """Photographs start from published weights; these are another network's."""
    torch.manual_seed(0)
    network = Plain(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    run = anmok.train(photographs, network=network, project=tmp_path, epochs=1, val=0.2, test=0.2, weights=weights)
    assert run.card["recipe"]["pretrained"] is None and run.card["network"] == {
        "name": "Plain", "own": True, "arguments": {}}  # fmt: skip
    assert {row["stage"] for row in csv.DictReader((run.path / "results.csv").open())} == {"fit"}, "all of it learns"
    assert len(run.predict(next(photographs.rglob("*.jpg")))) == 1 and run.explain(next(photographs.rglob("*.jpg")))
    assert run.evaluate().figures["accuracy"] >= 0


def test_a_network_of_ones_own_segments_photographs(tmp_path: Path) -> None:
    network = Plain(nn.Conv2d(8, 11, 1), nn.Upsample(scale_factor=2))
    run = anmok.train("scenes-96", task="segment", network=network, project=tmp_path, epochs=1)
    assert run.card["recipe"]["pretrained"] is None and run.card["network"]["own"]


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (Plain(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)), r"Got: \(N, 2\).*\(N, 3\).*a last layer of 3"),
        (Plain(nn.Conv2d(8, 3, 1)), r"Got: \(N, 3, 16, 16\)"),
        (nn.Sequential(nn.Conv2d(1, 8, 3)), r"RuntimeError.*normalised pictures \(N, 3, 32, 32\)"),
        (nn.Sequential(nn.Flatten(), nn.Linear(3 * 28 * 28, 3)), r"shapes cannot be multiplied.*imgsz=S"),
        (nn.LSTM(32, 3), "cannot take these pictures"),
        (Plain, r"Got: the class Plain.*Plain\(\)"),
        (torch.relu, "is a torch.nn.Module"),
        (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), "nothing in this network can learn"),
    ],
)
def test_a_network_that_does_not_fit_is_refused_before_a_run_is_made(
    photographs: Path, tmp_path: Path, network: nn.Module, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        anmok.train(photographs, network=network, project=tmp_path, **QUICK)
    assert not list(tmp_path.rglob("*.json"))


def test_several_outputs_are_refused_and_probabilities_warned_of(photographs: Path, tmp_path: Path) -> None:
    class Twice(Plain):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return super().forward(x), super().forward(x)

    last = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    with pytest.raises(UsageError, match=r"does not answer with a tensor\. Got: tuple"):
        anmok.train(photographs, network=Twice(*last), project=tmp_path, **QUICK)
    preparation = Preparation(32, 36)
    with pytest.warns(UserWarning, match="probabilities already"):
        demand_fit(Plain(*last, nn.Softmax(1)), preparation, ("a", "b", "c"), (3,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        demand_fit(Plain(*last), preparation, ("a", "b", "c"), (3,))


@pytest.mark.parametrize("named", [{"net": "resnet18"}, {"weights": "imagenet"}, {"freeze": "all"}])
def test_a_network_is_given_or_named(photographs: Path, tmp_path: Path, named: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="given, with the weights it has, or named"):
        anmok.train(photographs, network=nn.Linear(3, 3), project=tmp_path, **named)
    assert not any(tmp_path.iterdir())


def test_any_network_of_the_house_trains(photographs: Path, tmp_path: Path) -> None:
    run = anmok.train(photographs, net="textbook_cnn", project=tmp_path, **QUICK)
    assert run.card["network"]["name"] == "textbook_cnn" and len(run.predict(next(photographs.rglob("*.jpg")))) == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epoch": 3}, "epochs"),
        ({"epochs": 0}, "epochs"),
        ({"net": "resnet19"}, "resnet18"),
        ({"name": "a/b"}, "name"),
        ({"device": "tpu"}, "cpu"),
        ({"time": "5 years"}, "5m"),
        ({"label_smoothing": 1.0}, "label-smoothing"),
    ],
)
def test_settings_that_do_not_fit_are_refused_by_name(
    photographs: Path, tmp_path: Path, settings: dict, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        anmok.train(photographs, project=tmp_path / "runs", **settings)
    assert not (tmp_path / "runs").exists()


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="nothing"):
        anmok.train(tmp_path / "nothing", project=tmp_path / "runs")


def test_a_time_budget_is_kept(photographs: Path, tmp_path: Path) -> None:
    run = anmok.train(photographs, project=tmp_path, epochs=100_000, time="2s", imgsz=32)
    assert run.card["seconds"] < 10  # a guard against hanging, not a measurement
    assert len((run.path / "results.csv").read_text().splitlines()) < 100_000


def _with_copies(root: Path) -> Path:
    """60 garments of two classes, each with a smaller JPEG of it."""
    data = anmok.load_data("samples")
    for i, entry in enumerate(list(data.entries)[:60]):
        folder = root / ("odd" if i % 2 else "even")
        folder.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(data.pictures.read(entry.locator)[..., 0])
        picture.save(folder / f"{i:02}.png")
        picture.resize((24, 24)).save(folder / f"copy{i:02}.jpg", quality=90)
    return root


def test_a_split_that_is_cut_keeps_copies_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = _with_copies(tmp_path / "data")
    run = anmok.train(root, project=tmp_path / "runs", quiet=False, **QUICK)
    sides = dict(list(csv.reader((run.path / "split.csv").open()))[1:])
    torn = [name for name, side in sides.items()
            if "copy" in name and side != sides[name.replace("copy", "").replace("jpg", "png")]]  # fmt: skip
    assert set(sides.values()) == {"train", "val", "test"} and len(sides) == 120
    assert len(torn) <= 3, torn  # near copies are found 95 times in 100, not always
    assert "cut anew, copies together" in capsys.readouterr().err
    assert run.card["data"]["splits"] == {part: list(sides.values()).count(part) for part in ("train", "val", "test")}
    assert anmok.train(resume=run.path).card["weights_sha256"] == run.card["weights_sha256"]


def test_among_many_pictures_only_the_same_pixels_are_kept_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(copies, "NEAR_AMONG", 50)
    root = _with_copies(tmp_path / "data")
    for path in sorted(root.rglob("copy*")):
        path.with_suffix(".png").write_bytes((path.parent / f"{path.stem[4:]}.png").read_bytes())
        path.unlink()
    run = anmok.train(root, project=tmp_path / "runs", quiet=False, **QUICK)
    sides = dict(list(csv.reader((run.path / "split.csv").open()))[1:])
    assert all(side == sides[name.replace("copy", "")] for name, side in sides.items())
    assert "near copies were not looked for" in capsys.readouterr().err
    assert "near copies were not looked for" in run.folder.report.read_text()
