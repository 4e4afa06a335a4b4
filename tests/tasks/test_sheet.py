"""The sheet of augmented pictures fits a screen, whatever the size of the pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anmok.tasks.sheet import GAP, draw_sheet


@pytest.mark.parametrize(("size", "shown"), [(28, 112), (96, 96), (128, 128), (160, 160), (512, 160)])
def test_small_pictures_are_magnified_and_large_ones_reduced(tmp_path: Path, size: int, shown: int) -> None:
    halves = np.zeros((2, size, size, 1), np.uint8)
    halves[:, :, size // 2 :] = 255
    draw_sheet([halves, 255 - halves, halves], tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png").convert("L"))
    assert sheet.shape == (2 * (shown + GAP) + GAP, 3 * (shown + GAP) + 3 * GAP)
    first, second = sheet[GAP : GAP + shown, GAP : GAP + shown], sheet[GAP : GAP + shown, 4 * GAP + shown :][:, :shown]
    for picture, left in (first, 0), (second, 255):
        assert (picture[:, : shown // 2] == left).all() and (picture[:, shown // 2 :] == 255 - left).all()
