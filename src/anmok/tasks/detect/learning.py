"""Detection: what is where.

The detector's own losses (`anmok.networks._detector`), judged after each epoch by COCO's mean average precision on the
validation split at the working size, with averaged weights where the recipe asks for them. Most detectors learn in one
stage; those that look at proposals in several (`anmok.tasks.detect.stages`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from anmok.core.modes import evaluating
from anmok.core.preparation import Preparation
from anmok.core.targets import Objects
from anmok.core.task import Batches, Plan
from anmok.core.types import Batch
from anmok.data.proposals import KeptSearch
from anmok.engine.devices import Devices
from anmok.metrics.coco import coco_figures
from anmok.metrics.detection import Answer
from anmok.networks._detector import Overlap
from anmok.tasks.detect.explaining import box_scores
from anmok.tasks.detect.recipe import DetectRecipe
from anmok.tasks.detect.stages import plans
from anmok.tasks.normalise import Normalise

JUDGED_FROM = 0.001  # score: average precision wants the doubtful answers too
NMS = 0.6


class Detect:
    """The task as the engine sees it (`anmok.core.task.Task`), and its answers.

    Args:
        network: an `anmok.networks._detector.Detector`.
        classes: names, in the order of the labels.
        preparation: what pictures go through before; `mean` and `std` are applied here, on the device.
        devices: where to compute.
        recipe: how to train; None for a network that only answers.
        train, val: batches of pictures and lists of objects, see `anmok.data.object_loader`.

    Attributes:
        threshold: score from which a box is an answer.
        search: how proposals are found, for a network that wants them from outside; else None.
    """

    name = "detect"

    def __init__(
        self,
        network: nn.Module,
        classes: Sequence[str],
        preparation: Preparation,
        devices: Devices,
        recipe: DetectRecipe | None = None,
        train: Batches | None = None,
        val: Batches | None = None,
    ) -> None:
        self.network: Any = network
        self.classes, self.preparation, self.devices = tuple(classes), preparation, devices
        self.recipe, self.train, self.val = recipe, train, val
        self.threshold = 0.3
        self.nms: Overlap = NMS if recipe is None else recipe.nms
        self.search = KeptSearch.for_squares(preparation.size) if getattr(network, "takes_regions", False) else None
        self._normalise = Normalise(preparation)

    def networks(self) -> Mapping[str, nn.Module]:
        """One network."""
        return {"network": self.network}

    def stages(self) -> Sequence[Plan]:
        """One, or those of a detector that learns in several."""
        return plans(self)

    def state(self) -> Mapping[str, Any]:
        """Nothing beside weights and optimizer."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing to take back."""

    def normalise(self, pictures: Tensor) -> Tensor:
        """uint8 (N, C, H, W) → float32 of about zero mean and unit variance."""
        return self._normalise(pictures)

    def loss(self, batch: Batch) -> Mapping[str, Tensor]:
        """The detector's losses of an augmented batch, each by name, and their sum."""
        targets = [learnable(one) for one in batch.targets]
        outputs = self.network(self.normalise(batch.pictures), targets)
        with torch.autocast(self.devices.device.type, enabled=False):
            parts = self.network.losses(outputs, targets)
        total = torch.stack(list(parts.values())).sum()
        return {"loss": total, **parts}

    def to_explain(self, x: Tensor, target: int | None, box: int | None = None) -> tuple[nn.Module, int | None]:
        """How surely one answered box is there, and its class; see `anmok.tasks.detect.explaining.box_scores`."""
        return box_scores(self, x, target, box)

    def pictures(self, x: Tensor) -> Tensor:
        """What `normalise` was given: uint8 (N, C, S, S)."""
        mean, std = (torch.tensor(part, device=x.device).view(-1, 1, 1)
                     for part in (self.preparation.mean, self.preparation.std))  # fmt: skip
        return ((x * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)

    @torch.no_grad()
    def found(self, pictures: Tensor, score: float | None = None, masks: bool = True) -> list[dict[str, Tensor]]:
        """uint8 (N, C, S, S) → for each its boxes (K, 4) in these pixels, labels and scores, on the CPU, best first.

        A network that draws masks gives these too: bool (K, S, S); not with `masks` False.
        """
        x = self.normalise(pictures.to(self.devices.device))
        regions = self.proposals(pictures)
        with self.devices.autocast():
            outputs = self.network(x) if regions is None else self.network(x, regions)
        least = self.threshold if score is None else score
        plain = {"masks": False} if not masks and getattr(self.network, "draws_masks", False) else {}
        answers = self.network.detect(outputs, score=least, nms=self.nms, **plain)
        return [{name: part.float().cpu() if part.is_floating_point() else part.cpu() for name, part in one.items()}
                for one in answers]  # fmt: skip

    def proposals(self, pictures: Tensor) -> list[dict[str, Tensor]] | None:
        """uint8 (N, C, S, S) → `regions` (R, 4) of each, for a network that wants proposals; else None."""
        if self.search is None:
            return None
        pixels = list(pictures.permute(0, 2, 3, 1).cpu().numpy())
        return [{"regions": torch.from_numpy(own).to(self.devices.device)} for own in self.search.every(pixels)]

    @torch.no_grad()
    def evaluate(self) -> Mapping[str, float]:
        """COCO's mean average precision (50 to 95, and 50) on the validation batches, at the working size."""
        assert self.val is not None
        truths, answers = [], []
        with evaluating(self.network):
            for batch in self.val.epoch(0):
                for one, target in zip(
                    self.found(batch.pictures, JUDGED_FROM, masks=False), batch.targets, strict=True
                ):
                    crowd, difficult = _flags(target, "crowd"), _flags(target, "difficult")
                    boxes, labels = target["boxes"].numpy(), target["labels"].numpy()
                    truths.append(Objects(boxes, labels, crowd=crowd, difficult=difficult))
                    answers.append(Answer(one["boxes"].numpy(), one["labels"].numpy(), one["scores"].numpy()).best())
        figures = coco_figures(truths, answers, self.classes).figures
        return {"val_map": figures["map"], "val_map50": figures["map50"]}


def learnable(target: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A picture's objects without groups and without those that are not judged, and without specks; its proposals.

    Where masks are drawn, an object's is its own: bool (M, S, S).
    """
    boxes = target["boxes"]
    good = ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(1)
    for name in ("crowd", "difficult"):
        if name in target:
            good &= ~target[name]
    regions = {"regions": target["regions"]} if "regions" in target else {}
    masks = {"masks": target["masks"][good]} if "masks" in target else {}
    return {"boxes": boxes[good], "labels": target["labels"][good], **regions, **masks}


def _flags(target: Mapping[str, Tensor], name: str) -> Any:
    return target[name].numpy() if name in target else None
