"""Moves that keep the class and moves that do not: real digits and garments, and pictures made for the purpose."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from anmok.data.load import load_data
from anmok.tasks.invariance import MOVES, Invariance, measure_invariance


def measured(pixels: np.ndarray, targets: np.ndarray, *moves: str) -> dict[str, Invariance]:
    found = measure_invariance(lambda rows: pixels[rows], np.arange(len(pixels)), targets, moves=moves or MOVES)
    return {one.move: one for one in found}


def test_digits_do_not_survive_a_mirror_but_a_slight_turn() -> None:
    pictures, targets = load_digits(return_X_y=True)
    pixels = (pictures.reshape(-1, 8, 8, 1) * 15.9).astype(np.uint8)
    found = measured(pixels, targets)
    assert not found["mirrored"].keeps and found["mirrored"].moved.value < 0.5 < 0.95 < found["mirrored"].plain.value
    assert found["turned by up to 15°"].keeps
    assert found["turned by up to 90°"].moved.value < found["turned by up to 15°"].moved.value
    assert "do not keep" in found["mirrored"].verdict


def test_garments_do() -> None:
    dataset = load_data("samples")
    entries = dataset.split("train")
    pixels = np.stack([dataset.pictures.read(entry.locator) for entry in entries])
    found = measured(pixels, np.array([entry.target for entry in entries]), "mirrored")["mirrored"]
    assert found.keeps and found.plain.value > 0.75


def test_symmetric_pictures_lose_nothing_and_noise_is_taken_as_harmless() -> None:
    generator = np.random.default_rng(0)
    targets = np.arange(600) % 3
    half = (targets[:, None, None, None] * 80 + generator.integers(0, 20, (600, 12, 6, 1))).astype(np.uint8)
    ramp = np.arange(6, dtype=np.uint8)[None, None, :, None] * (targets[:, None, None, None] * 9).astype(np.uint8)
    both = np.concatenate([half + ramp, (half + ramp)[:, :, ::-1]], axis=2)
    found = measured(both, targets, "mirrored")["mirrored"]
    assert found.knows and found.keeps and found.moved.value == found.plain.value
    noise = generator.integers(0, 256, (600, 12, 12, 1), dtype=np.uint8)
    found = measured(noise, targets, "mirrored")["mirrored"]
    assert not found.knows and found.keeps and "too little" in found.verdict


def test_colour_that_is_the_class_does_not_survive_other_colours() -> None:
    generator = np.random.default_rng(0)
    targets = np.arange(600) % 2
    level = (
        np.where(targets, 120, 100)[:, None, None, None]
        + np.arange(16)[None, None, :, None] * np.where(targets, 3, -3)[:, None, None, None]
    )
    pixels = np.clip(level + generator.normal(scale=2, size=(600, 16, 16, 3)), 0, 255).astype(np.uint8)
    assert measured(pixels, targets, "in other colours")["in other colours"].keeps  # a ramp stays a ramp
    assert not measured(pixels, targets, "mirrored")["mirrored"].keeps


def test_nothing_to_ask_is_told_by_nothing() -> None:
    assert (
        measure_invariance(lambda rows: np.zeros((len(rows), 8, 8, 1), np.uint8), np.arange(1), np.zeros(1, int)) == []
    )


@pytest.mark.parametrize("move", MOVES)
def test_every_flag_is_one_of_training(move: str) -> None:
    from anmok.verbs.train_settings import TrainSettings

    name = MOVES[move][0].split()[0].removeprefix("--")
    assert name in TrainSettings.model_fields
