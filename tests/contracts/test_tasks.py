"""What every task must do: train, be killed and go on to the same bits, answer, be measured, be reported, be opened.

A task joins with a file of its name in `tests/contracts/tiny`: `write(root)` makes a small data set and returns what
`anmok train` is given, `SETTINGS` trains it quickly, `check_answer(answer, (height, width))` knows what an answer to a
picture of this size must hold.
"""

import hashlib
import importlib
import json
import math
from pathlib import Path

import pytest
import torch
from PIL import Image

import anmok
from anmok.core.errors import AnmokError, UsageError
from anmok.core.types import SPLITS
from anmok.engine.callbacks import Quiet
from anmok.tasks._kind import TASKS
from anmok.verbs.train_settings import TrainSettings

ALWAYS = {"epochs": 2, "val": 0.25, "test": 0.25, "sample_log": True, "save_every": 1e-6}


class Killed(BaseException):
    """Not an `Exception`: nothing on the way may take it for something it can mend."""


class KilledAfter(Quiet):
    def __init__(self, epochs: int) -> None:
        self.left = epochs

    def on_epoch(self, row) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


@pytest.fixture(scope="module", params=sorted(TASKS))
def tiny(request: pytest.FixtureRequest):
    torch.set_num_threads(1)
    return importlib.import_module(f"tests.contracts.tiny.{request.param}"), request.param


@pytest.fixture(scope="module")
def data(tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny[0].write(tmp_path_factory.mktemp("data") / "tiny")


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory):
    patch = pytest.MonkeyPatch()
    patch.setenv("ANMOK_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def run(tiny, data: Path, own_cache, tmp_path_factory: pytest.TempPathFactory) -> "anmok.Run":
    project = tmp_path_factory.mktemp("runs")
    return anmok.train(data, project=project, name="whole", **ALWAYS, **tiny[0].SETTINGS)


def outcome(folder: Path) -> dict[str, str]:
    """Digests of everything that must be equal: weights, the newest checkpoint, the order of pictures."""
    newest = max(folder.glob("state/checkpoint-*.safetensors"))
    files = [*folder.glob("weights/*.safetensors"), newest, folder / "state/samples.log"]
    return {path.parent.name + path.suffix: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_folder_is_where_the_task_says_and_holds_everything(run: "anmok.Run", tiny) -> None:
    assert run.path.parent.name == tiny[1] == run.card["task"]
    for name in ("settings.yaml", "card.json", "results.csv", "report.html", "split.csv", "weights/best.safetensors"):
        assert (run.path / name).stat().st_size > 0, name
    page = run.report.read_text(encoding="utf-8")
    assert "<script" not in page and "://" not in page and 'id="training"' in page


def test_the_card_is_plain_and_its_figures_have_intervals(run: "anmok.Run", tiny) -> None:
    card = json.loads((run.path / "card.json").read_text(encoding="utf-8"))
    assert card == json.loads(json.dumps(run.card)) and set(card["metrics"]) <= set(SPLITS)
    for figures in card["metrics"].values():
        for name, figure in figures.items():
            assert math.isfinite(figure["value"])
            if figure["low"] is not None and figure["high"] is not None:
                assert figure["low"] <= figure["value"] <= figure["high"], name
    for headline in getattr(tiny[0], "HEADLINES", run.kind.headlines):  # some need partners that this data has not
        assert headline in card["metrics"]["test"]


def test_killed_and_resumed_it_ends_with_the_same_bits(run: "anmok.Run", tiny, data: Path, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        anmok.train(data, project=tmp_path, name="killed", callbacks=[KilledAfter(1)], **ALWAYS, **tiny[0].SETTINGS)
    folder = tmp_path / tiny[1] / "killed"
    again = anmok.train(resume=folder)
    assert outcome(folder) == outcome(run.path)
    assert again.metrics == run.metrics


def test_it_answers_in_the_pictures_own_frame_and_survives_a_bad_file(run: "anmok.Run", tiny, tmp_path: Path) -> None:
    sizes = {"wide.png": (20, 37), "tall.png": (53, 24)}
    for name, (height, width) in sizes.items():
        Image.linear_gradient("L").resize((width, height)).convert("RGB").save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    wide, broken, tall = run.predict([tmp_path / name for name in ("wide.png", "broken.png", "tall.png")])
    assert broken.error and not wide.error and not tall.error
    for answer, size in ((wide, (20, 37)), (tall, (53, 24))):
        assert answer.id.endswith(".png")
        tiny[0].check_answer(answer, size)


def test_opened_again_it_measures_the_same(run: "anmok.Run") -> None:
    report = anmok.load(run.path).evaluate()
    for name, figure in run.metrics["test"].items():
        assert report.figures[name] == pytest.approx(figure["value"], nan_ok=True), name
    assert len(report.predictions) == run.card["data"]["splits"]["test"]


def test_settings_of_other_tasks_are_refused_by_name(tiny, data: Path, tmp_path: Path, own_cache) -> None:
    fields = TrainSettings.model_fields.items()
    foreign = {name: extra["tasks"] for name, field in fields if (extra := field.json_schema_extra)}
    odd = {"mixup": 0.2, "label_smoothing": 0.1, "balance": "weights", "loss": "dice", "windows": True}
    tried = [name for name, tasks in foreign.items() if tiny[1] not in tasks and name in odd]
    for name in tried:
        with pytest.raises(UsageError, match="--" + name.replace("_", "-")):
            anmok.train(data, project=tmp_path, **tiny[0].SETTINGS, **{name: odd[name]})
    assert not list(tmp_path.iterdir())


def test_another_task_on_this_data_is_refused(tiny, data: Path, tmp_path: Path, own_cache) -> None:
    for other in set(TASKS) - {tiny[1]}:
        try:
            anmok.load_data(data, task=other)
        except AnmokError as refusal:
            with pytest.raises(type(refusal)):
                anmok.train(data, project=tmp_path, task=other)
    assert not list(tmp_path.iterdir())
