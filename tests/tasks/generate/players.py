"""Small data, and generators whose faults are known: one that always draws the same, one that draws what it saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

import anmok

SIDE = 8
QUICK = {"task": "generate", "imgsz": SIDE, "batch": 10, "conditional": False, "precision": "float32"}


def patterns(count: int, seed: int) -> np.ndarray:
    """Pictures that are all different, uint8 (count, SIDE, SIDE, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


def write(root: Path, train: int = 40, val: int = 24) -> Path:
    for split, count, seed in (("train", train, 0), ("val", val, 1), ("test", val, 2)):
        for number, picture in enumerate(patterns(count, seed)):
            folder = root / split / "ab"[number % 2]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / f"{number:03d}.png")
    return root


class Fixed(nn.Module):
    """A generator that hands out one of its pictures, whichever the code says."""

    def __init__(self, pictures: np.ndarray) -> None:
        super().__init__()
        self.pictures = nn.Parameter(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.pictures[(1e4 * z[:, 0].abs()).long() % len(self.pictures)]


def players(pictures: np.ndarray) -> nn.Module:
    """A generator of these pictures against a usual discriminator."""
    net = anmok.networks.dcgan(in_channels=3, input_size=SIDE)
    net.generator = Fixed(pictures)
    return net
