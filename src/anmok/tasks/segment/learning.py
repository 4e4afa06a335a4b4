"""Segmentation: every pixel its class.

One stage of one phase: a sum of losses over the pixels that count, judged after each epoch by the mean IoU of the
validation split at the working size, with averaged weights where the recipe asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from anmok.core.modes import evaluating
from anmok.core.preparation import Preparation
from anmok.core.targets import IGNORE
from anmok.core.task import Batches, Phase, Plan, Stage
from anmok.core.types import Batch
from anmok.engine.devices import Devices
from anmok.losses.border_weights import border_weights
from anmok.losses.weighted_sum import parse_sum, weighted_sum
from anmok.metrics.pixels import mean_iou, pixel_accuracy
from anmok.metrics.precision_recall import ClassCounts
from anmok.tasks.normalise import Normalise
from anmok.tasks.optimizers import build_optimizer, one_cycle
from anmok.tasks.segment.instances import with_seams
from anmok.tasks.segment.naming import background_of
from anmok.tasks.segment.recipe import SegmentRecipe
from anmok.tasks.segment.scoring import RegionScores, region_of

AUXILIARY_WEIGHT = 0.5  # of FCN's side output on ResNet, as torchvision trained it


class Segment:
    """The task as the engine sees it (`anmok.core.task.Task`), and its answers.

    Args:
        network: normalised pictures (N, C, H, W) → logits (N, classes, H, W), H and W as they come; with a score more
            where the recipe learns seams.
        classes: names, in the order of the logits.
        preparation: what pictures go through before; `mean` and `std` are applied here, on the device.
        devices: where to compute.
        recipe: how to train; None for a network that only answers.
        train, val: batches of pictures and class maps int64 (N, H, W), 255 where nothing is judged.
        weights: of each class in the loss; None: all count alike.

    Attributes:
        mirror: answer with the mean over a picture and its mirror image.
        seams: the network's last score is that of seams between touching objects.
    """

    name = "segment"

    def __init__(
        self,
        network: nn.Module,
        classes: Sequence[str],
        preparation: Preparation,
        devices: Devices,
        recipe: SegmentRecipe | None = None,
        train: Batches | None = None,
        val: Batches | None = None,
        weights: Sequence[float] | None = None,
    ) -> None:
        self.network, self.classes, self.preparation, self.devices = network, tuple(classes), preparation, devices
        self.recipe, self.train, self.val, self.weights = recipe, train, val, weights
        self.mirror = recipe is not None and recipe.mirror
        self.seams = recipe is not None and recipe.seams
        self.losses = {} if recipe is None else parse_sum(recipe.loss)
        self._normalise = Normalise(preparation)

    def networks(self) -> Mapping[str, nn.Module]:
        """One network."""
        return {"network": self.network}

    def stages(self) -> Sequence[Plan]:
        """One stage."""
        return [Plan("fit", self._fit)]

    def state(self) -> Mapping[str, Any]:
        """Nothing beside weights and optimizer."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing to take back."""

    def _fit(self) -> Stage:
        assert self.recipe is not None and self.train is not None
        slow = self.encoder if self.recipe.pretrained else None
        half = self.devices.precision == "bf16"
        optimizer = build_optimizer(self.network, self.recipe, slow, self.recipe.encoder_pace, half)
        schedule = one_cycle(self.recipe.warmup)
        judged = self.val is not None
        return Stage(
            "fit",
            self.train,
            [Phase("segment", self.networks(), optimizer, self.loss, schedule=schedule)],
            self.recipe.epochs,
            evaluate=self.evaluate if judged else None,
            monitor="val_mean_iou" if judged else "loss",
            mode="max" if judged else "min",
            patience=self.recipe.patience,
            average=self.recipe.average,
        )

    @property
    def encoder(self) -> nn.Module | None:
        """The part that classifiers are made of too; None where the network names none."""
        return getattr(self.network, "encoder", None)

    def normalise(self, pictures: Tensor) -> Tensor:
        """uint8 (N, C, H, W) → float32 of about zero mean and unit variance."""
        return self._normalise(pictures)

    def loss(self, batch: Batch) -> Mapping[str, Tensor]:
        """The recipe's losses of an augmented batch, each by name, and their sum."""
        assert self.recipe is not None
        if self.seams:
            batch = replace(batch, targets=with_seams(batch.targets, batch.extra["instances"], len(self.classes)))
        if self.recipe.pretrained and self.encoder is not None:
            _keep_statistics(self.encoder)
        outputs = self.network(self.normalise(batch.pictures))
        logits, *auxiliary = outputs if isinstance(outputs, tuple) else (outputs,)
        losses = self._losses(logits, batch)
        for side in auxiliary:
            if side is not None:
                losses["loss"] = losses["loss"] + AUXILIARY_WEIGHT * self._losses(side, batch)["loss"]
        return losses if len(self.losses) > 1 else {"loss": losses["loss"]}

    def _losses(self, logits: Tensor, batch: Batch) -> dict[str, Tensor]:
        weight = None
        if self.weights is not None:
            weight = logits.new_tensor([*self.weights, *[1.0] * self.seams], dtype=torch.float32)
        return weighted_sum(
            self.losses, logits, batch.targets, ignore=IGNORE, weight=weight, place_weight=self._borders(batch)
        )

    def _borders(self, batch: Batch) -> Tensor | None:
        """U-Net's weight of every pixel (N, H, W), from the objects in the batch; None where not asked for."""
        assert self.recipe is not None
        if not self.recipe.border_weight:
            return None
        maps = [border_weights(one, w0=self.recipe.border_weight) for one in batch.extra["instances"]]
        return torch.from_numpy(np.stack(maps)).to(batch.targets.device)

    @torch.no_grad()
    def to_explain(self, x: Tensor, target: int | None) -> tuple[nn.Module, int | None]:
        """The scores of the pixels answered with the class named, or with the largest that is not the background."""
        self.network.eval()
        probabilities = self._softmax(x[None].to(self.devices.device))[0]
        if target is None:
            pixels = torch.bincount(probabilities[: len(self.classes)].argmax(0).flatten(), minlength=len(self.classes))
            background = background_of(self.classes)
            if background is not None and len(self.classes) > 1:
                pixels[background] = -1
            target = int(pixels.argmax())
        return RegionScores(self.network, region_of(probabilities, target)), target

    @torch.no_grad()
    def probabilities(self, pictures: Tensor) -> Tensor:
        """uint8 (N, C, H, W) → float32 (N, classes, H, W) on the device, each pixel's adding up to one.

        Where seams were learned, theirs is one more.
        """
        x = self.normalise(pictures.to(self.devices.device))
        with self.devices.autocast():
            found = self._softmax(x)
            return (found + self._softmax(x.flip(3)).flip(3)) / 2 if self.mirror else found

    def _softmax(self, x: Tensor) -> Tensor:
        outputs = self.network(x)
        logits = outputs[0] if isinstance(outputs, tuple) else outputs
        return logits.float().softmax(1)

    @torch.no_grad()
    def evaluate(self) -> Mapping[str, float]:
        """Cross entropy (nats a pixel, unweighted), mean IoU and pixel accuracy on the validation batches."""
        assert self.val is not None
        classes = len(self.classes)
        cells = np.zeros(classes * classes, np.int64)
        total, pixels = 0.0, 0
        with evaluating(self.network):
            for batch in self.val.epoch(0):
                found = self.probabilities(batch.pictures)[:, :classes]
                targets = batch.targets.to(found.device)
                known = targets != IGNORE
                own = found.gather(1, targets.where(known, 0)[:, None])[:, 0]
                total -= float(own.clamp_min(1e-12).log()[known].sum(dtype=torch.float64))
                pixels += int(known.sum())
                pairs = (targets * classes + found.argmax(1))[known]
                cells += torch.bincount(pairs, minlength=classes * classes).cpu().numpy()
        counts = ClassCounts.of(cells.reshape(classes, classes))
        return {
            "val_cross_entropy": total / max(1, pixels),
            "val_mean_iou": float(mean_iou(counts)),
            "val_pixel_accuracy": float(pixel_accuracy(counts)),
        }


def _keep_statistics(encoder: nn.Module) -> None:
    """Normalise as it was published: batches of segmentation are too small to measure anew."""
    for module in encoder.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
