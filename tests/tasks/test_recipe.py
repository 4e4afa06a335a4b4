"""What is chosen from the data, and what the person may choose instead."""

from dataclasses import replace

import pytest

from anmok.core.preparation import Preparation
from anmok.tasks.beginning import choose_preparation
from anmok.tasks.recipe import Recipe, choose_recipe
from anmok.verbs.train_settings import TrainSettings


def test_small_square_pictures_keep_every_pixel() -> None:
    chosen = choose_preparation([(28, 28, 1)] * 9)
    assert (chosen.size, chosen.store, chosen.channels) == (28, 28, 1)


def test_photographs_are_brought_to_a_side_that_learns() -> None:
    chosen = choose_preparation([(480, 640, 3), (300, 200, 3), (1000, 700, 1)])
    assert chosen.size == 128 and chosen.store == 146 and chosen.channels == 3


def test_a_size_can_be_asked_for() -> None:
    assert choose_preparation([(28, 28, 1)], imgsz=32).size == 32


def test_fewer_pictures_are_seen_more_often() -> None:
    small = Preparation(28, 28, 1, mean=(0.5,), std=(0.5,))
    epochs = [choose_recipe(n, small, mirror=True).epochs for n in (100, 6_000, 60_000)]
    assert epochs == sorted(epochs, reverse=True) and epochs[-1] >= 5
    assert choose_recipe(10, small, mirror=False).batch == 10


def test_only_what_was_chosen_changes() -> None:
    recipe = Recipe("small_resnet", 5, 64)
    assert recipe.but(epochs=7, batch=None) == replace(recipe, epochs=7)


@pytest.mark.parametrize(
    "asked",
    [{"flip": False}, {"rotate": 12.0}, {"shift": 0.1}, {"crop": 0.5}, {"colour": 0.3}, {"cutout": 0.2}, {"mixup": 0.4},
     {"flip_vertical": True}, {"elastic": 0.05}],
    ids=lambda asked: next(iter(asked)),
)  # fmt: skip
def test_every_augmentation_that_is_asked_for_is_done(asked: dict) -> None:
    recipe = Recipe("small_resnet", 5, 64).but(augment=Recipe("small_resnet", 5, 64).augment.but(flip=True))
    assert recipe.asked(TrainSettings.of(**asked)).augment == recipe.augment.but(**asked)
