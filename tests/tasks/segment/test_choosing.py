"""What is chosen follows from the pictures and from what is drawn in them."""

from types import SimpleNamespace

import numpy as np
import pytest

from anmok.core.errors import UsageError
from anmok.core.targets import ObjectMasks, Objects
from anmok.core.types import Dataset, Entry
from anmok.data.stores import ArrayPictures
from anmok.tasks.segment.choosing import choose_preparation, new_plan, starting_point
from anmok.tasks.segment.looking import Seen, look
from anmok.tasks.segment.naming import background_of, sided
from anmok.tasks.segment.recipe import SegmentRecipe, choose_recipe
from anmok.verbs.terminal import Terminal
from anmok.verbs.train_settings import TrainSettings


def seen(*sizes: tuple[int, int], width: float = 0.3, channels: int = 3) -> Seen:
    return Seen(np.array(sizes), channels, np.full(20, width), np.array([0.9, 0.1]), None)


def test_small_pictures_stay_as_they_are() -> None:
    found, _ = choose_preparation(seen((96, 96), (96, 96)))
    assert (found.fit, found.size, found.store) == ("squash", 96, 96)


def test_middling_ones_are_padded_to_a_whole_multiple() -> None:
    found, _ = choose_preparation(seen((200, 150), (180, 240)))
    assert (found.fit, found.size) == ("pad", 256)


def test_large_ones_shrink_where_things_stay_visible_and_are_cut_where_not() -> None:
    whole, _ = choose_preparation(seen((600, 800), width=0.2))  # 51 pixels of 256
    windows, told = choose_preparation(seen((600, 800), width=0.02))  # 5 pixels of 256
    assert (whole.fit, whole.size) == ("pad", 256)
    assert (windows.fit, windows.size) == ("window", 256) and "structures" in told


def test_what_the_person_says_wins() -> None:
    assert choose_preparation(seen((600, 800), width=0.02), windows=False)[0].fit == "pad"
    assert choose_preparation(seen((600, 800), width=0.2), imgsz=128, windows=True)[0].size == 128
    assert choose_preparation(seen((96, 96)), imgsz=64)[0].size == 64


def scenes(touching: bool, classes: tuple[str, ...] = ("background", "cell")) -> Dataset:
    """Pictures of 40 pixels with two squares of 8, side by side or apart."""
    place = 18.0 if touching else 25.0
    objects = Objects([[10, 10, 18, 18], [place, 10, place + 8, 18]], [0, 0])
    entries = [Entry(f"{n}", n, objects, "train" if n < 8 else "val") for n in range(10)]
    pictures = ArrayPictures(np.zeros((10, 40, 40, 3), np.uint8), "squares")
    return Dataset(root="squares", format="test", task="segment", classes=classes, entries=entries, pictures=pictures,
                   masks=ObjectMasks(), seen=10)  # fmt: skip


def test_looking_measures_shares_widths_and_what_touches() -> None:
    found = look(scenes(touching=True), background=0)
    assert found.shares == pytest.approx([1 - 128 / 1600, 128 / 1600])
    assert found.widths == pytest.approx(np.full(10, np.sqrt(128) / 40))  # the two hang together
    assert found.touching == 1.0 and look(scenes(touching=False), 0).touching == 0.0


@pytest.mark.parametrize("touching", [True, False])
def test_seams_are_learned_where_things_of_one_kind_touch(touching: bool, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path))
    plan = new_plan(scenes(touching), TrainSettings.of(), Terminal(quiet=True))
    assert plan.recipe.seams == touching
    assert plan.recipe.outputs(2) == 2 + touching
    kept = SegmentRecipe.from_json(plan.recipe.to_json())
    assert kept == plan.recipe
    many = new_plan(scenes(touching, ("background", "cell", "dirt")), TrainSettings.of(), Terminal(quiet=True))
    assert not many.recipe.seams


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"net": "resnet18"}, "unet:resnet18"),
        ({"net": "resnet19"}, "does not segment"),
        ({"loss": "dicee"}, "dice"),
        ({"balance": "sampling"}, "balance weights"),
    ],
)
def test_what_cannot_come_true_is_refused_before_decoding(settings: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        new_plan(scenes(True), TrainSettings.of(**settings), Terminal(quiet=True))


def asked(**settings: object) -> SimpleNamespace:
    return SimpleNamespace(**{"net": "auto", "weights": None, **settings})


def test_an_encoder_that_knows_photographs_is_taken_for_photographs_only() -> None:
    start = starting_point(seen((400, 500)), asked())
    assert start is not None and start[0] == "unet:efficientnet_lite0"
    assert starting_point(seen((96, 96)), asked()) is None
    assert starting_point(seen((400, 500)), asked(weights="random")) is None
    assert starting_point(seen((400, 500)), asked(net="unet:resnet18")) is None
    assert starting_point(seen((40, 50)), asked(net="unet:resnet18", weights="imagenet")) == (
        "unet:resnet18",
        "imagenet",
    )


@pytest.mark.parametrize("pictures", [1, 2, 7, 10, 600, 100_000])
def test_a_recipe_fits_any_number_of_pictures(pictures: int) -> None:
    for side in (32, 96, 256, 1024):
        recipe = choose_recipe(pictures, side, mirror=True)
        assert 1 <= recipe.batch <= pictures and 10 <= recipe.epochs <= 300
        assert recipe.average is None or 0 < recipe.average < 1


def test_names_tell_the_background_and_what_must_not_be_mirrored() -> None:
    assert background_of(["void", "Background"]) == 1 and background_of(["0", "1"]) == 0
    assert background_of(["road", "car"]) is None and background_of(["배경", "세포"]) == 0
    assert sided(["left lung", "lung_right", "bright", "왼쪽 폐"]) == ["left lung", "lung_right", "왼쪽 폐"]
