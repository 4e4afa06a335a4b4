"""Shipped detectors that look at what selective search proposes: the file searches, and answers as the run does."""

import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import anmok
from anmok.core.errors import AnmokError, ArtefactError
from anmok.core.preparation import Preparation
from anmok.data.samples.scenes import scenes
from anmok.data.stores import PathPictures
from anmok.engine.devices import choose
from anmok.networks import build
from anmok.ship.answers import Asked
from anmok.ship.answers.detect import REGIONS
from anmok.ship.artefact import INPUT, Artefact, read_artefact, write_artefact
from anmok.ship.choice import engines_in_float32
from anmok.ship.gate import Parity, compare
from anmok.ship.runtime import Model
from anmok.tasks.detect import Detect, Detection
from anmok.verbs.settings import PredictSettings
from anmok.verbs.shipped import shipped_answers

NETWORKS = ("rcnn", "sppnet", "fast_rcnn")
FORMS: dict[str, dict[str, Any]] = {"rcnn": {"crop": 16}, "sppnet": {"hidden": 16}, "fast_rcnn": {"hidden": 16}}
SQUARE = Preparation(64, 64, 3, fit="pad")
PLAIN = "plain.png"  # nothing is proposed there


def detector(name: str) -> Detect:
    """Weights drawn, and spread so that one region's answers are not another's."""
    torch.manual_seed(0)
    network: Any = build(f"{name}:small_resnet", num_classes=3, in_channels=3, **FORMS[name]).eval()
    model = Detect(network, ("ant", "bee", "cat"), SQUARE, choose("cpu", "float32"))
    pictures = torch.from_numpy(np.stack([pixels for pixels, _ in shown()])).permute(0, 3, 1, 2)
    with torch.no_grad():
        x, regions = model.normalise(pictures), [target["regions"] for target in model.proposals(pictures)]
        if name == "fast_rcnn":
            heads = network.roi_heads
            vectors = heads.box_head(heads.pool(network.backbone(x), regions))
            spread(heads.box_predictor.cls_score, vectors, 2.0)
            spread(heads.box_predictor.bbox_pred, vectors, 1.0)
        else:
            pooled, vectors, _ = network.features(x, regions)
            spread(network.svm, vectors, 2.0)
            spread(network.ridge, pooled.flatten(1), 0.1)
            for solved in (network.svm.solved, network.ridge.solved):
                solved.fill_(True)
    model.threshold = 0.45
    return model


def spread(layer: Any, vectors: torch.Tensor, by: float) -> None:
    """Weights such that answers to these vectors (R, D) deviate by so much, around 0."""
    torch.nn.init.normal_(layer.weight)
    layer.bias.zero_()
    answers = layer(vectors)
    scale = (by / answers.std(0)).view(layer.bias.shape)
    layer.bias.copy_(-answers.mean(0).view(layer.bias.shape) * scale)
    layer.weight.mul_(scale[..., None])


@lru_cache
def shown() -> list[tuple[np.ndarray, tuple[int, int]]]:
    """Three scenes as the network sees them, and sizes to give them as files."""
    data = scenes(3, 1, 64)
    pixels = [data.pictures.read(entry.locator) for entry in data.entries if entry.split == "train"]
    return list(zip(pixels, ((96, 96), (64, 40), (50, 120)), strict=True))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three scenes of their own sizes, of which unlike many places are proposed, and a plain picture."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, (pixels, size) in enumerate(shown()):
        Image.fromarray(pixels).resize(size).save(folder / f"{number}.png")
    Image.new("RGB", (70, 50), SQUARE.fill).save(folder / PLAIN)
    return [str(folder / name) for name in ("0.png", PLAIN, "1.png", "2.png")]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))


def draft(model: Detect) -> Artefact:
    return Detection().cargo(model).draft("detect", "tiny", model.preparation)


def judged(model: Detect, shipped: Model, files: list[str], batch: int = 32) -> Parity:
    expected = Detection().answers(model, PathPictures(), files, files, PredictSettings.of())
    return compare(list(expected), list(shipped_answers(shipped, PathPictures(), files, files, batch=batch)))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_file_answers_as_the_network_does(name: str, files: list[str], tmp_path: Path) -> None:
    model = detector(name)
    expected = list(Detection().answers(model, PathPictures(), files, files, PredictSettings.of()))
    assert [len(one.labels) > 1 for one in expected] == [True, False, True, True] and expected[1].labels == ()
    path = tmp_path / "tiny.anmok"
    write_artefact(path, draft(model))
    read = read_artefact(path)
    assert read.manifest.inputs == (INPUT, REGIONS)
    shipped = Model(read)
    counts = {len(own) for file in files for own in [shipped.questions(prepared([file]))[0][REGIONS][0]]}
    assert len(counts) == 4  # of each picture another number
    for batch in (1, 3):
        parity = judged(model, shipped, files, batch)
        assert parity.holds and parity.pictures == 4, parity.sentence


def prepared(files: list[str]) -> np.ndarray:
    from anmok.verbs.predict import prepared_picture

    return np.stack([prepared_picture(file, SQUARE) for file in files])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("count", [0, 1, 700])
def test_any_number_of_regions_and_pictures(name: str, count: int, files: list[str]) -> None:
    """More than were traced, one, and none at all: the candidates are the network's; what is empty scores 0."""
    model, pixels = detector(name), prepared(files)
    rng = np.random.default_rng(count)
    corner = rng.integers(0, 50, (4, count, 2)).astype(np.float32)
    regions = np.concatenate([corner, corner + rng.integers(6, 40, (4, count, 2))], 2).clip(0, 64).astype(np.float32)
    regions[1, count // 2 :] = 0  # the second picture has fewer
    with torch.no_grad():
        x = model.normalise(torch.from_numpy(pixels).permute(0, 3, 1, 2))
        solid = [torch.from_numpy(own[own[:, 2] > own[:, 0]]) for own in regions]
        read = model.network.roi_heads if name == "fast_rcnn" else model.network
        boxes, scores = read.candidates(model.network(x, [{"regions": own} for own in solid]))
    shipped = Model(draft(model), "onnxruntime")
    start = 0
    for some in (slice(0, 1), slice(1, 4)):
        found = shipped.outputs([{INPUT: pixels[some], REGIONS: np.ascontiguousarray(regions[some])}])
        assert {values.shape[1] for values in found.values()} == {1000}
        for row, own in enumerate(solid[some]):
            here = slice(start, start := start + len(own))
            expected = np.zeros(1000)
            best = scores[here].flatten().sort(descending=True).values[:1000].numpy()
            expected[: len(best)] = best
            np.testing.assert_allclose(found["scores"][row], expected, atol=1e-5)
            sure = found["scores"][row] > 0.3
            assert sure.sum() > 9 or len(own) < 700
            labels = found["labels"][row][sure].astype(int)
            apart = np.abs(found["boxes"][row][sure][:, None] - boxes[here][:, labels].movedim(1, 0).numpy()).max(2)
            apart += np.abs(found["scores"][row][sure][:, None] - scores[here][:, labels].T.numpy())
            assert (apart.min(1, initial=0 if not sure.any() else np.inf) < 1e-3).all()


def test_portions_are_joined(files: list[str]) -> None:
    """A network that each region passes on its own is asked about a few at a time."""
    model = detector("rcnn")
    assert draft(model).manifest.answers["at_once"] == model.network.regions_at_once == 128
    model.network.regions_at_once = 9
    shipped = Model(draft(model))
    questions = shipped.questions(prepared(files))
    assert len(questions) > 2 and {question[REGIONS].shape[1] for question in questions[:-1]} == {9}
    assert judged(model, shipped, files).holds


FAULTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "smaller proposals dropped": lambda answers: answers["search"].update(smallest=16.0),
    "fewer proposals": lambda answers: answers["search"].update(most=3),
    "searched at another size": lambda answers: answers["search"].update(width=200),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_other_proposals_do_not_pass_the_gate(fault: str, files: list[str]) -> None:
    model = detector("fast_rcnn")
    artefact = draft(model)
    assert judged(model, Model(artefact), files).holds
    FAULTS[fault](artefact.manifest.answers)  # type: ignore[arg-type]
    assert not judged(model, Model(artefact), files).holds


def test_proposals_of_colours_in_another_order_do_not_pass_the_gate(files: list[str]) -> None:
    model = detector("fast_rcnn")
    shipped: Any = Model(draft(model))
    right = shipped.answers.search
    shipped.answers.search = type(
        "Swapped", (), {"every": lambda self, many: right.every([one[..., [1, 0, 2]] for one in many])}
    )()
    assert not judged(model, shipped, files).holds


def test_engines_are_compared_on_one_search(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What proposals cost is no engine's merit."""
    from anmok.core import selective_search

    searched: list[int] = []
    real = selective_search.selective_search
    monkeypatch.setattr(selective_search, "selective_search", lambda *a, **k: searched.append(1) or real(*a, **k))
    contenders = engines_in_float32(draft(detector("fast_rcnn")), prepared(files))
    before = len(searched)
    first, *others = [contender.ask() for contender in contenders for _ in range(2)]
    assert before and len(searched) == before and others
    assert [one.labels for one in first] == [one.labels for one in others[0]]


def test_without_opencv_it_is_refused_before_any_work(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiny.anmok"
    write_artefact(path, draft(detector("fast_rcnn")))
    monkeypatch.setitem(sys.modules, "cv2", None)
    for ask in (lambda: Model(read_artefact(path)), lambda: anmok.predict(path, [*files, "not there.png"])):
        with pytest.raises(AnmokError, match="pip install opencv-contrib-python-headless"):
            ask()


def test_a_graph_of_other_inputs_is_refused(files: list[str], tmp_path: Path) -> None:
    artefact = draft(detector("fast_rcnn"))
    del artefact.manifest.answers["search"]  # type: ignore[attr-defined]
    with pytest.raises(ArtefactError, match="inputs"):
        list(Model(artefact).answer(prepared(files), [Asked(file, (64, 64)) for file in files]))
