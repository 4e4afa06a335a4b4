"""Mirroring: real digits lose their class, real garments keep it."""

import numpy as np
from sklearn.datasets import load_digits

from anmok.data.load import load_data
from anmok.tasks.symmetry import mirror_symmetry


def test_digits_do_not_survive_a_mirror() -> None:
    pictures, targets = load_digits(return_X_y=True)
    pixels = (pictures.reshape(-1, 8, 8, 1) * 15.9).astype(np.uint8)
    found = mirror_symmetry(lambda rows: pixels[rows], np.arange(len(pixels)), targets)
    assert not found.keeps and found.accuracy > 0.95 and found.mirrored < 0.5


def test_garments_do() -> None:
    dataset = load_data("samples")
    entries = dataset.split("train")
    pixels = np.stack([dataset.pictures.read(entry.locator) for entry in entries])
    targets = np.array([entry.target for entry in entries])
    found = mirror_symmetry(lambda rows: pixels[rows], np.arange(len(pixels)), targets)
    assert found.keeps and found.accuracy > 0.75


def test_symmetric_pictures_lose_nothing_and_noise_is_taken_as_harmless() -> None:
    generator = np.random.default_rng(0)
    targets = np.arange(600) % 3
    half = (targets[:, None, None, None] * 80 + generator.integers(0, 20, (600, 12, 6, 1))).astype(np.uint8)
    both = np.concatenate([half, half[:, :, ::-1]], axis=2)
    assert mirror_symmetry(lambda rows: both[rows], np.arange(600), targets).keeps
    noise = generator.integers(0, 256, (600, 12, 12, 1), dtype=np.uint8)
    assert mirror_symmetry(lambda rows: noise[rows], np.arange(600), targets).keeps
