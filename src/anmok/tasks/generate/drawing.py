"""Pictures from seeds. A seed names a picture: the same seed gives the same bits, alone or among others.

A seed's code, and its class where nobody named one, come from NumPy's generator, so that a shipped generator draws the
same ones without torch. Each picture is computed by itself in float32: kernels for larger batches may round otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from anmok.core.seeds import numpy_generator
from anmok.tasks.adversarial import in_float32

if TYPE_CHECKING:
    from anmok.tasks.generate.learning import Generate

AT_ONCE = 64  # pictures drawn together where they are only measured


def codes_of(seeds: Sequence[int], latent: int) -> np.ndarray:
    """The codes that seeds stand for, float32 (N, latent), from N(0, 1)."""
    codes = [numpy_generator(seed, "code").standard_normal(latent, dtype=np.float32) for seed in seeds]
    return np.stack(codes) if codes else np.zeros((0, latent), np.float32)


def classes_of(seeds: Sequence[int], count: int) -> np.ndarray:
    """The classes that seeds stand for where nobody named one, int64 (N,)."""
    return np.array([numpy_generator(seed, "class").integers(count) for seed in seeds], np.int64)


def between(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """Codes from one to another in equal angles, both ends included, (steps, latent).

    Straight lines lead through shorter codes than any that were drawn in training (White: Sampling Generative Networks,
    2016).

    >>> between(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 3).round(4).tolist()
    [[1.0, 0.0], [0.7071, 0.7071], [0.0, 1.0]]
    """
    share = np.linspace(0, 1, steps)[:, None]
    cosine = float(start @ end / max(float(np.linalg.norm(start) * np.linalg.norm(end)), 1e-12))
    angle = np.arccos(np.clip(cosine, -1, 1))
    if np.sin(angle) < 1e-6:
        return ((1 - share) * start + share * end).astype(start.dtype)
    return ((np.sin((1 - share) * angle) * start + np.sin(share * angle) * end) / np.sin(angle)).astype(start.dtype)


def draw(model: Generate, codes: np.ndarray, labels: np.ndarray | None, truncation: float = 1.0) -> np.ndarray:
    """Codes (N, latent), class ids (N,) → pictures uint8 (N, S, S, C), each computed by itself."""
    pictures = []
    with torch.no_grad(), model.judging(), in_float32(model.device):
        for row in range(len(codes)):
            z = torch.from_numpy(codes[row : row + 1]).to(model.device)
            label = None if labels is None else torch.from_numpy(labels[row : row + 1]).to(model.device)
            pictures.append(as_bytes(model.pictures(z, label, truncation)))
    size = model.preparation.size
    return np.concatenate(pictures) if pictures else np.zeros((0, size, size, model.preparation.channels), np.uint8)


def draw_many(model: Generate, count: int) -> tuple[np.ndarray, np.ndarray | None]:
    """The pictures of seeds 0 to `count` − 1 and their classes, to be measured: to the last bit or two those of `draw`.

    Classes are as frequent as among training pictures.
    """
    codes, labels = codes_of(range(count), model.recipe.latent), model.usual_classes(count)
    found = []
    with torch.no_grad(), model.judging(), in_float32(model.device):
        for start in range(0, count, AT_ONCE):
            part = slice(start, start + AT_ONCE)
            label = None if labels is None else torch.from_numpy(labels[part]).to(model.device)
            found.append(as_bytes(model.pictures(torch.from_numpy(codes[part]).to(model.device), label)))
    return np.concatenate(found), labels


def as_bytes(pictures: Tensor) -> np.ndarray:
    """Pictures (N, C, H, W) in about −1 to 1 → uint8 (N, H, W, C)."""
    scaled = (pictures.float() * 127.5 + 127.5).clamp(0, 255).round()
    return scaled.to(torch.uint8).movedim(1, 3).cpu().numpy()
