import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from anmok.core.errors import ArtefactError, UsageError
from anmok.ship.answers import Asked
from anmok.ship.artefact import Artefact, Manifest, read_artefact, write_artefact
from anmok.ship.graph import Mirrored, to_onnx, to_openvino
from anmok.ship.odd_pictures import scene
from anmok.ship.runtime import Model, load_model
from tests.ship.conftest import CLASSES, PREPARATION

ENGINES = ("onnxruntime", "openvino")


def pictures(count, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    return pixels, [Asked(f"{n}.png", (64, 48)) for n in range(count)]


def by_hand(network, pixels, temperature):
    """The reference: torch, normalised as the textbook says."""
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).double() / 255
    x = (x - torch.tensor(PREPARATION.mean).view(-1, 1, 1)) / torch.tensor(PREPARATION.std).view(-1, 1, 1)
    with torch.no_grad():
        return (network.double()(x) / temperature).softmax(1).numpy()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("count", [1, 7])
def test_answers_are_those_of_the_network(engine, count, shipped, network):
    pytest.importorskip(engine)
    pixels, asked = pictures(count)
    expected = by_hand(network, pixels, 1.7)
    network.float()
    for answer, row in zip(load_model(shipped, engine).answer(pixels, asked), expected, strict=True):
        assert answer.labels == tuple(CLASSES[c] for c in np.argsort(-row))
        assert answer.scores == pytest.approx(sorted(row, reverse=True), abs=1e-5)
        assert answer.sure == (row.max() >= 0.6)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engines_outputs_stay_what_they_were(engine, shipped):
    pytest.importorskip(engine)
    model = load_model(shipped, engine)
    first = model.outputs(model.questions(pictures(3)[0]))
    kept = {name: values.copy() for name, values in first.items()}
    others = model.outputs(model.questions(pictures(3, seed=1)[0]))
    for name, values in first.items():
        assert np.array_equal(values, kept[name]) and not np.array_equal(values, others[name])


def test_sure_and_unsure_answers_occur(shipped):
    rng = np.random.default_rng(0)
    pixels = np.stack([np.asarray(scene(rng, (32, 32))) for _ in range(40)])
    asked = [Asked(str(n), (32, 32)) for n in range(40)]
    assert {answer.sure for answer in load_model(shipped).answer(pixels, asked)} == {True, False}


def test_mirrored_networks_average(network):
    pytest.importorskip("onnxruntime")
    pixels, asked = pictures(3)
    graph = to_onnx(Mirrored(network), PREPARATION, ("logits",))
    settings = {"classes": CLASSES, "temperature": 1.0, "threshold": None}
    model = Model(Artefact(Manifest("classify", "m", PREPARATION, ("logits",), settings), graph), "onnxruntime")
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    x = (x - torch.tensor(PREPARATION.mean).view(-1, 1, 1)) / torch.tensor(PREPARATION.std).view(-1, 1, 1)
    with torch.no_grad():
        expected = ((network(x) + network(x.flip(3))) / 2).softmax(1)
    for answer, row in zip(model.answer(pixels, asked), expected, strict=True):
        assert answer.scores == pytest.approx(sorted(row.tolist(), reverse=True), abs=1e-5)
        assert answer.sure is None


def test_an_openvino_graph_answers_alike(artefact, tmp_path):
    pytest.importorskip("openvino")
    path = tmp_path / "ir.anmok"
    write_artefact(path, replace(artefact, graph=to_openvino(artefact.graph)))
    pixels, asked = pictures(4)
    ours, theirs = load_model(path).answer(pixels, asked), Model(artefact).answer(pixels, asked)
    for one, other in zip(ours, theirs, strict=True):
        assert one.labels == other.labels and one.scores == pytest.approx(other.scores, abs=1e-5)
    with pytest.raises(UsageError, match="needs onnxruntime"):
        _ = load_model(path, "onnxruntime").engine


def test_the_manifest_says_all(shipped, artefact):
    read = read_artefact(shipped)
    assert read.manifest == artefact.manifest and read.graph == artefact.graph and read.card == "# small\n"
    plain = read.manifest.to_json()
    assert json.loads(json.dumps(plain)) == plain and plain["preparation"]["mean"] == list(PREPARATION.mean)
    assert plain["answers"] == {"classes": list(CLASSES), "temperature": 1.7, "threshold": 0.6}
    assert "EXIF" in plain["decoding"]["in_words"]


def rewritten(artefact, path, change):
    """The same model with another manifest."""
    from anmok.ship.container import CARD, MANIFEST, seal

    values = json.loads(json.dumps(artefact.manifest.to_json()))  # of its own: others use the artefact too
    change(values)
    seal(path, {MANIFEST: json.dumps(values).encode(), CARD: b"", **artefact.graph.members()})
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.update(format=99), "newer anmok"),
        (lambda values: values["decoding"].update(rules=99), "newer anmok"),
        (lambda values: values.pop("preparation"), "incomplete or malformed"),
        (lambda values: values["preparation"].update(size=0), "incomplete or malformed"),
        (lambda values: values["preparation"].update(_target_="os.system"), "incomplete or malformed"),
        (lambda values: values.update(task="fortune_telling"), "does not know how"),
        (lambda values: values["answers"].pop("classes"), "does not say how"),
        (lambda values: values["answers"].update(temperature=0), "does not say how"),
        (lambda values: values["answers"]["classes"].pop(), "does not fit its manifest"),
        (lambda values: values["graph"].update(outputs=["boxes"]), "lacks outputs"),
    ],
)
def test_manifests_that_do_not_fit_are_refused(change, message, artefact, tmp_path):
    path = rewritten(artefact, tmp_path / "a.anmok", change)
    with pytest.raises(ArtefactError, match=message):
        list(load_model(path).answer(*pictures(2)))


def test_graphs_an_engine_refuses_are_named(artefact, tmp_path):
    import onnx

    model = onnx.load_from_string(artefact.graph.onnx)
    model.graph.node[0].op_type = "NoSuchOperator"
    path = tmp_path / "a.anmok"
    write_artefact(path, replace(artefact, graph=replace(artefact.graph, onnx=model.SerializeToString())))
    for engine in ENGINES:
        pytest.importorskip(engine)
        with pytest.raises(ArtefactError, match="cannot use the model's graph"):
            _ = load_model(path, engine).engine


def test_engines_by_name(shipped):
    with pytest.raises(UsageError, match="no engine of this name"):
        _ = load_model(shipped, "abacus").engine


_WITHOUT_TORCH = """
import sys
for name in ("torch", "torchvision", "pydantic", "cyclopts", "rich", "onnx", "scipy", "openvino_telemetry"):
    sys.modules[name] = None                  # importing any of them fails
import numpy as np
from anmok.ship.answers import Asked
from anmok.ship.odd_pictures import scene
from anmok.ship.runtime import load_model
pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
for answer in load_model(sys.argv[1], sys.argv[2]).answer(pixels, [Asked("a", (1, 1)), Asked("b", (1, 1))]):
    print(answer.labels[0])
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_torch_plays_no_part(engine, shipped):
    pytest.importorskip(engine)
    result = subprocess.run([sys.executable, "-c", _WITHOUT_TORCH, shipped, engine], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [answer.labels[0] for answer in load_model(shipped).answer(*pictures(2))]
