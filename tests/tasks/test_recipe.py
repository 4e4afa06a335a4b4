"""What is chosen from the data, and what the person may choose instead."""

from dataclasses import replace

from anmok.core.preparation import Preparation
from anmok.tasks.recipe import Recipe, choose_preparation, choose_recipe


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
