"""Photographs by a network's features, against the network itself and against labels known to be wrong."""

import numpy as np
import pytest
import torch
from skimage import data
from torch.nn.functional import interpolate

import anmok
from anmok.tasks.classify.photographs import MOST, Photographs, are_photographs
from anmok.tasks.mislabelled import features_of, out_of_fold, suspects
from tests.tasks.test_mislabelled import Kept

SIDE = 146


def crops(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Parts of three photographs, uint8 (3 · count, SIDE, SIDE, 3), and which one each is of."""
    generator = np.random.default_rng(0)
    wholes = (data.coffee(), data.chelsea(), data.rocket())
    found = []
    for whole in wholes:
        for _ in range(count):
            top, left = (generator.integers(0, side - SIDE) for side in whole.shape[:2])
            found.append(whole[top : top + SIDE, left : left + SIDE])
    return np.stack(found), np.repeat(np.arange(3), count)


@pytest.mark.parametrize("passes", [0, 100_000], ids=["torch", "engine"])
def test_features_are_the_networks(passes: int) -> None:
    pixels, _ = crops(3)
    network = anmok.networks.efficientnet_lite0(weights="imagenet").eval()
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    x = interpolate(x, (128, 128), mode="bilinear", antialias=True)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = network.forward_features((x - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)).mean((2, 3))
    found = torch.from_numpy(Photographs(passes)(pixels))
    assert found.dtype == torch.float32 and (torch.cosine_similarity(found, expected) > 0.99).all()


def test_wrong_labels_of_photographs_are_found() -> None:
    pixels, truth = crops(40)
    told, rows, wrong = truth.copy(), np.arange(len(truth)), [4, 50, 99]
    told[wrong] = (told[wrong] + 1) % 3
    seen: list[int] = []
    features = features_of(Kept(pixels), rows, Photographs(len(rows)), on_progress=lambda done, _: seen.append(done))
    assert seen == sorted(seen) and seen[-1] == len(rows)
    assert sorted(found.position for found in suspects(told, out_of_fold(features, told, rows))) == wrong


def test_what_counts_as_photographs() -> None:
    assert are_photographs((146, 146, 3), 100)
    assert not are_photographs((146, 146, 1), 100) and not are_photographs((32, 32, 3), 100)
    assert not are_photographs((146, 146, 3), MOST + 1)
