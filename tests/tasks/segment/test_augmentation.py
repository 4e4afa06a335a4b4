"""The sheet that shows what training does to pictures and their class maps."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anmok.core.preparation import Preparation
from anmok.core.targets import Frame
from anmok.data.augment import Augment
from anmok.data.samples.scenes import as_segmentation, scenes
from anmok.tasks.segment.augmentation import _moved, draw_augmentation
from anmok.tasks.segment.pictures import decode_masks
from anmok.tasks.segment.recipe import choose_recipe
from anmok.verbs.terminal import Terminal

SIDE = 64
MAPS = as_segmentation(scenes(5, 2, SIDE, 3))


@pytest.mark.parametrize(("fit", "size"), [("window", 24), ("squash", SIDE)])
def test_every_picture_is_shown_under_its_own_map(fit: str, size: int, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))
    decoded = decode_masks(MAPS, Preparation(size, size, fit=fit), Terminal(quiet=True))
    recipe = choose_recipe(5, size, mirror=False)
    draw_augmentation(decoded, recipe, 0, tmp_path / "sheet.png")
    assert min(Image.open(tmp_path / "sheet.png").size) >= size
    train = decoded.only(decoded.places("train"))
    pictures, maps = _moved(train, recipe.but(augment=Augment()), 0, 0)
    assert len(pictures) == len(maps) == len(train.dataset.entries) == 5
    for entry, picture, drawn in zip(train.dataset.entries, pictures, maps, strict=True):
        whole = MAPS.pictures.read(entry.locator)
        own = MAPS.masks.classes(entry.target, Frame((SIDE, SIDE)))
        windows = np.lib.stride_tricks.sliding_window_view(whole, (size, size, 3))[:, :, 0]
        ((top, left), *_) = np.argwhere((windows == picture).all((2, 3, 4)))
        assert np.array_equal(drawn, own[top : top + size, left : left + size])
