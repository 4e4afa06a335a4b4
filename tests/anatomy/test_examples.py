"""The chapters about anatomy run as a reader runs them, in their quick form, offline."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "made", "word"),
    [
        ("01_filters.py", "kernels.png", "net.conv_stem: 32 maps"),
        ("02_convolution_arithmetic.py", "window_plain.png", "70,276,800 multiply-adds"),
        ("03_know_the_knives.py", "resnet18.png", "138,357,544"),
    ],
)
def test_quick_form(script, made, word, tmp_path):
    command = [sys.executable, str(EXAMPLES / script), "--quick", "--out", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert run.returncode == 0, run.stderr
    assert word in run.stdout
    assert (tmp_path / made).stat().st_size > 5000
    assert all(str(path) in run.stdout for path in tmp_path.iterdir())
