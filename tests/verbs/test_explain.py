"""Explanations as a person asks for them."""

from pathlib import Path

import pytest
from PIL import Image

import anmok
from anmok.core.errors import PictureError, UsageError


@pytest.mark.parametrize("method", ["class_activation", "integrated_gradients", "occlusion"])
def test_a_png_is_written(run: anmok.Run, photographs: Path, tmp_path: Path, method: str) -> None:
    picture = next((photographs / "cat").glob("*.jpg"))
    found = run.explain(picture, method=method, out=tmp_path / "why.png", verdict=False)
    assert found.png == tmp_path / "why.png" and Image.open(found.png).size[0] > 300
    assert found.answer in run.classes and found.explanation.heat.shape == (32, 32)


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
