"""Photographs by a network's features, against the network itself and against labels known to be wrong."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import anmok
from anmok.engine.devices import choose
from anmok.tasks.classify.photographs import MOST, Photographs, are_photographs
from anmok.tasks.mislabelled import features_of, out_of_fold, suspects
from tests.tasks.test_mislabelled import Kept
from tests.verbs.photographs import write_photographs


def photographs(folder: Path, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Parts of three photographs, uint8 (3 · each, 146, 146, 3), and which one each is of."""
    paths = sorted(write_photographs(folder, each, side=146).rglob("*.*"))
    return np.stack([np.asarray(Image.open(path)) for path in paths]), np.repeat(np.arange(3), each)


@pytest.mark.parametrize("passes", [0, 100_000], ids=["torch", "engine"])
def test_features_are_the_networks(passes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anmok.tasks.classify.photographs.choose", lambda: choose("cpu", "float32"))
    pixels, _ = photographs(tmp_path, 3)
    network = anmok.networks.efficientnet_lite0(weights="imagenet").eval()
    small = [Image.fromarray(picture).resize((128, 128), Image.Resampling.BILINEAR) for picture in pixels]
    x = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = network.forward_features((x - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)).mean((2, 3))
    found = torch.from_numpy(Photographs(passes)(pixels))
    assert found.dtype == torch.float32 and (torch.cosine_similarity(found, expected) > 0.998).all()


def test_wrong_labels_of_photographs_are_found(tmp_path: Path) -> None:
    pixels, truth = photographs(tmp_path, 40)
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


def test_the_network_is_placed_where_pictures_go() -> None:
    network = Photographs(0)._frozen.model.network
    kernel = next(weight for weight in network.parameters() if weight.ndim == 4 and min(weight.shape[1:]) > 1)
    assert kernel.is_contiguous(memory_format=torch.channels_last) and not network.training
