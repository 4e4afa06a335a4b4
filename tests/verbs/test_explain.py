"""Explanations as a person asks for them."""

from pathlib import Path

import pytest
import torch
from PIL import Image

import anmok
from anmok.core.errors import PictureError, UsageError
from anmok.verbs.predict import prepared_picture


@pytest.mark.parametrize("method", ["class_activation", "integrated_gradients", "occlusion"])
def test_a_png_is_written(run: anmok.Run, photographs: Path, tmp_path: Path, method: str) -> None:
    picture = next((photographs / "cat").glob("*.jpg"))
    found = run.explain(picture, method=method, out=tmp_path / "why.png", verdict=False)
    assert found.png == tmp_path / "why.png" and Image.open(found.png).size[0] > 300
    assert found.answer in run.classes and found.explanation.heat.shape == (32, 32)


def test_what_is_explained_is_what_is_predicted(run: anmok.Run, photographs: Path) -> None:
    for picture in [next((photographs / name).glob("*.jpg")) for name in ("cat", "rocket")]:
        (predicted,) = run.predict(picture)
        found = run.explain(picture, verdict=False)
        assert (found.answer, found.score) == (predicted.labels[0], pytest.approx(predicted.scores[0], abs=2e-3))


def test_a_mirrored_and_calibrated_answer_is_told_beside_the_networks_own(run: anmok.Run, photographs: Path) -> None:
    picture = next((photographs / "cat").glob("*.jpg"))
    model = anmok.load(run.path).model
    model.mirror, model.temperature = True, 0.5
    x = model.normalise(torch.from_numpy(prepared_picture(picture, model.preparation)).permute(2, 0, 1)[None])[0]
    with torch.no_grad():
        both = (model.network(x[None]) + model.network(x.flip(2)[None])) / 2
    by_hand = (both / 0.5).softmax(1)[0]
    assert model.to_explain(x, None)[1] == int(by_hand.argmax())
    assert [model.certainty(x, place) for place in range(len(by_hand))] == pytest.approx(by_hand.tolist(), abs=2e-3)


def test_the_verdict_comes_in_words(run: anmok.Run, photographs: Path) -> None:
    found = run.explain(next((photographs / "rocket").glob("*.jpg")), target="rocket")
    assert found.answer == "rocket" and found.verdict is not None and len(found.verdict.sentence) > 20


def test_what_cannot_be_explained(run: anmok.Run, photographs: Path, tmp_path: Path) -> None:
    picture = next((photographs / "cat").glob("*.jpg"))
    with pytest.raises(UsageError, match="rocket"):
        run.explain(picture, target="rockets")
    with pytest.raises(UsageError, match="class_activation"):
        run.explain(picture, method="class_activations")
    (tmp_path / "no.png").write_bytes(b"")
    with pytest.raises(PictureError):
        run.explain(tmp_path / "no.png")
