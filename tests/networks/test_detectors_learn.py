"""Detectors learn: squares, circles and triangles on noise, within a minute of one core. Slow: run with -m slow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anmok import networks
from anmok.core.targets import Objects
from anmok.metrics._detections import Answer
from anmok.metrics.ranking import average_precisions, mean_average_precision, rank

pytestmark = pytest.mark.slow

SIDE, CLASSES = 128, 3


def scene(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """uint8 (128, 128, 3), boxes (M, 4), labels (M,): one to four shapes that do not touch."""
    pixels = rng.normal(90, 25, (SIDE, SIDE, 3))
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    taken, boxes, labels = np.zeros((SIDE, SIDE), bool), [], []
    for _ in range(int(rng.integers(1, 5))):
        size, kind = int(rng.integers(14, 56)), int(rng.integers(CLASSES))
        left, top = rng.integers(0, SIDE - size, 2)
        if taken[top : top + size, left : left + size].any():
            continue
        x, y = (columns - left) / size, (rows - top) / size
        inside = (x > 0) & (x < 1) & (y > 0) & (y < 1)
        shapes = (inside, inside & ((x - 0.5) ** 2 + (y - 0.5) ** 2 <= 0.25), inside & (np.abs(x - 0.5) <= y / 2))
        pixels[shapes[kind]] = rng.integers(120, 255, 3) + rng.normal(0, 10, (int(shapes[kind].sum()), 3))
        taken |= inside
        boxes.append([left, top, left + size, top + size])
        labels.append(kind)
    return pixels.clip(0, 255).astype(np.uint8), np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64)


def scenes(count: int, seed: int) -> tuple[Tensor, list[dict[str, Tensor]]]:
    """Normalised pictures, and targets with the objects' boxes and 40 random regions, some of them near objects."""
    rng = np.random.default_rng(seed)
    pictures, targets = [], []
    for _ in range(count):
        pixels, boxes, labels = scene(rng)
        corner = rng.uniform(0, SIDE - 16, (20, 2))
        wild = np.hstack([corner, np.minimum(corner + rng.uniform(14, 56, (20, 2)), SIDE)])
        near = np.repeat(boxes, 6, axis=0) + rng.normal(0, 4, (6 * len(boxes), 4))
        regions = np.vstack([wild, near]).clip(0, SIDE)
        regions = regions[(regions[:, 2:] - regions[:, :2] > 4).all(1)]
        pictures.append(pixels)
        targets.append({"boxes": torch.from_numpy(boxes), "labels": torch.from_numpy(labels),
                        "regions": torch.from_numpy(regions).float()})  # fmt: skip
    x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float().sub(110).div(60)
    return x.contiguous(memory_format=torch.channels_last), targets


def map50(net: Any, pictures: Tensor, targets: list[dict[str, Tensor]]) -> float:
    net.eval()
    answers: list[Answer] = []
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(pictures), 32):
            part = slice(start, start + 32)
            outputs = net(pictures[part], targets[part] if net.takes_regions else None)
            for found in net.detect(outputs, [(SIDE, SIDE)] * len(pictures[part]), score=0.001):
                answers.append(Answer(found["boxes"].numpy(), found["labels"].numpy(), found["scores"].numpy()))
    truths = [Objects(target["boxes"].numpy(), target["labels"].numpy()) for target in targets]
    return mean_average_precision(average_precisions(rank(truths, answers, CLASSES)), 0.5)


def descend(net: nn.Module, pictures: Tensor, targets: list[dict[str, Tensor]], steps: int, rate: float) -> list[float]:
    """AdamW, batches of 16, one cycle; the losses."""
    net.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW((p for p in net.parameters() if p.requires_grad), lr=rate, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.2)
    rng, losses = np.random.default_rng(0), []
    for _ in range(steps):
        chosen = rng.choice(len(pictures), 16, replace=False)
        own = [targets[i] for i in chosen]
        with torch.autocast("cpu", torch.bfloat16):
            outputs = net(pictures[chosen], own)
        loss = torch.stack(list(net.losses(outputs, own).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


# Network, its keywords, steps, learning rate, and what it must reach where guessing reaches about nothing.
TRAINED = [
    ("anchor_free", {}, 150, 2e-3, 0.75),
    ("yolo_v1_small", {}, 120, 2e-3, 0.4),
    ("faster_rcnn", {"encoder": "small_resnet", "hidden": 128, "sizes": (16, 32, 64)}, 150, 2e-3, 0.4),
    ("fasterrcnn_resnet50_fpn", {"encoder": "small_resnet", "hidden": 128, "sizes": (16, 32, 64)}, 100, 1e-3, 0.4),
    ("fast_rcnn", {"encoder": "small_resnet", "hidden": 128}, 120, 2e-3, 0.4),
]


@pytest.mark.parametrize(("name", "keywords", "steps", "rate", "least"), TRAINED, ids=[row[0] for row in TRAINED])
def test_learns_shapes(name: str, keywords: dict[str, Any], steps: int, rate: float, least: float) -> None:
    torch.manual_seed(0)
    net = networks.build(name, num_classes=CLASSES, **keywords)
    pictures, targets = scenes(256, seed=1)
    fresh, truths = scenes(64, seed=2)
    assert map50(net, fresh, truths) < 0.1
    if hasattr(net, "measure"):
        net.measure(targets)
    losses = descend(net, pictures, targets, steps, rate)
    assert np.mean(losses[-20:]) < 0.7 * np.mean(losses[:20])
    assert map50(net, fresh, truths) > least


@pytest.mark.parametrize(
    ("name", "keywords"),
    [("rcnn", {"encoder": "small_resnet", "crop": 32}), ("sppnet", {"encoder": "small_resnet", "hidden": 128})],
)
def test_staged_systems_learn_shapes(name: str, keywords: dict[str, Any]) -> None:
    """Fine-tuning by classes, then SVMs, then box regression; each in its place."""
    from anmok.networks._region_svm import with_objects

    torch.manual_seed(0)
    net: Any = networks.build(name, num_classes=CLASSES, **keywords)
    pictures, targets = scenes(128, seed=1)
    fresh, truths = scenes(64, seed=2)
    losses = descend(net, pictures, targets, 60, 2e-3)
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])
    tuned = map50(net, fresh, truths)
    net.eval()

    def passes() -> Any:
        with torch.no_grad():
            for start in range(0, len(pictures), 16):
                own = with_objects(targets[start : start + 16])
                yield net(pictures[start : start + 16], own), own

    net.solves["svm"](passes)
    by_svm = map50(net, fresh, truths)
    net.solves["boxes"](passes)
    with_boxes = map50(net, fresh, truths)
    assert tuned > 0.2 and by_svm > 0.2
    assert with_boxes > by_svm - 0.02
