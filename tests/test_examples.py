"""The chapters run as a reader runs them, in their quick form, offline."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
CHAPTERS = {  # chapter: a figure it makes, a fact it prints
    "01_filters.py": ("kernels.png", "conv_stem: 32 maps"),
    "02_convolution_arithmetic.py": ("window_plain.png", "70,276,800 multiply-adds"),
    "03_know_the_knives.py": ("resnet18.png", "138,357,544"),
    "04_fashion_mnist.py": ("filters_after.png", "conv2: 64 maps of 14×14"),
    "05_hotdog.py": ("why.png", "asked about one: espresso"),
    "06_transfer.py": ("accuracy.png", "frozen         efficientnet_lite0"),
    "07_unet_cells.py": ("answers.png", "near outlines"),
    "08_fcn_heatmap.py": ("heatmap.png", "cells' scores is the classifier's score"),
    "10_autoencoder.py": ("repaired.png", "64 numbers for 784 pixels"),
    "11_vae_latent.py": ("vae-2-draws.png", "2 numbers a code"),
    "12_gan.py": ("drawn.png", "seed 7 alone and among sixteen: the same picture"),
    "13_cyclegan.py": ("into_blueprint.png", "times nearer to hidden partners"),
    "09_detectors.py": ("history.png", "sppnet answers faster than R-CNN"),
}


def test_every_chapter_is_here() -> None:
    assert sorted(path.name for path in EXAMPLES.glob("[0-9]*.py")) == sorted(CHAPTERS)


@pytest.mark.parametrize("script", CHAPTERS)
def test_quick_form(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))
    figure, fact = CHAPTERS[script]
    out = tmp_path / "out"
    command = [sys.executable, str(EXAMPLES / script), "--quick", "--out", str(out)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert fact in run.stdout
    assert (out / figure).stat().st_size > 5000
    told = re.findall(r"^made (.+)$", run.stdout, re.M)
    assert told and all(Path(path).is_file() for path in told)
    assert {path.name for path in out.glob("*.*g")} <= {Path(path).name for path in told}
