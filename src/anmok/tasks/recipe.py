"""How to train, chosen from the data where the person did not choose: network, picture size, batch, rate, epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from anmok.core.preparation import Preparation
from anmok.data.augment import Augment

if TYPE_CHECKING:
    from typing_extensions import Self

BATCHES = ((10_000, 256), (2_000, 128), (500, 32), (0, 16))  # from so many training pictures, so many a step
MANY = 20  # epochs; in fewer, a network has no time to learn shifted pictures as well (measured on Fashion-MNIST)
FINE_TUNING = 5  # epochs


@dataclass(frozen=True)
class Descent:
    """What every task trained by one optimizer decides about training that is neither data nor machine.

    Args:
        network: a name in `anmok.networks`.
        epochs: at most this many passes over the training pictures.
        batch: pictures a step.
        optimizer: "muon", "sgd" (Nesterov) or "adamw".
        learning_rate: the highest one; it warms up for the share `warmup` of all steps, then falls to zero linearly.
        weight_decay: on weight matrices and kernels only, never on biases and normalisation.
        average: decay a step of the averaged weights, or None.
        patience: epochs without a better validation figure before stopping, or None.
        mirror: answer with the mean over a picture and its mirror image.
        augment: what training does to pictures.
    """

    network: str
    epochs: int
    batch: int
    optimizer: str = "muon"
    learning_rate: float = 0.05
    weight_decay: float = 5e-4
    warmup: float = 0.2
    average: float | None = None
    patience: int | None = None
    mirror: bool = False
    augment: Augment = field(default_factory=Augment)

    @property
    def pace(self) -> str:
        """What will be learned how long, in words."""
        return f"batch {self.batch}, up to {self.epochs} epochs"

    def to_json(self) -> dict[str, Any]:
        """Plain values, as the run's card stores them."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(**{**values, "augment": Augment(**values["augment"])})

    def but(self, **chosen: Any) -> Self:
        """The same recipe with what the person chose; None means not chosen."""
        return replace(self, **{name: value for name, value in chosen.items() if value is not None})

    def asked(self, settings: Any, *names: str) -> Self:
        """The same recipe with what the person chose in the settings of `anmok train`.

        `names`: further fields of the recipe that are settings too.
        """
        direct = ("epochs", "batch", "optimizer", "weight_decay", "patience", "average", *names)
        augment = [one.name for one in fields(Augment) if hasattr(settings, one.name)]
        recipe = self.but(
            **{name: getattr(settings, name) for name in direct},
            network=None if settings.net == "auto" else settings.net,
            learning_rate=settings.lr,
            augment=self.augment.but(**{name: getattr(settings, name) for name in augment}),
        )
        return recipe if recipe.average else replace(recipe, average=None)  # 0 turns it off


@dataclass(frozen=True)
class Recipe(Descent):
    """How a classifier is trained.

    Args:
        label_smoothing: share of every target spread over all classes.
        balance: what is done about uneven classes: "none", "weights" or "sampling", see `anmok.tasks.balance`.
        focus: after the first epoch, show more often what the network is in doubt about, see `anmok.tasks.focus`.
        pretrained: the published weights to start from, see `anmok.tasks.classify.transfer`; None: from nothing.
        frozen: only the last layer learns, on the features of the pretrained rest.
        freeze: so many of the network's first blocks keep their pretrained weights in fine-tuning.
    """

    label_smoothing: float = 0.1
    balance: str = "none"
    focus: bool = False
    pretrained: str | None = None
    frozen: bool = False
    freeze: int = 0

    @property
    def pace(self) -> str:
        """What will be learned how long, in words."""
        return "its last layer alone" if self.frozen else super().pace


def choose_transfer(pictures: int, network: str, weights: str, mirror: bool, freeze: str) -> Recipe:
    """A recipe that starts from published weights.

    `freeze`: `all` layers but the last, `none`, or the number of first blocks that keep their weights in fine-tuning.
    """
    batch = 32
    return Recipe(
        network=network,
        epochs=FINE_TUNING,
        batch=min(batch, max(1, pictures)),
        optimizer="adamw",
        learning_rate=1e-3,
        weight_decay=0.01,
        warmup=0.2,
        average=0.98 if pictures >= 20 * batch else None,
        mirror=False,
        augment=Augment(flip=mirror, crop=0.8),
        pretrained=weights,
        frozen=freeze == "all",
        freeze=int(freeze) if freeze.isdigit() else 0,
    )


def choose_recipe(pictures: int, preparation: Preparation, mirror: bool, focus: bool = False) -> Recipe:
    """A recipe for `pictures` training pictures of this size.

    Few pictures are seen more often: about 500,000 picture passes, at most 100 epochs and at least 9. `mirror`: a
    mirrored picture keeps its label (measured by `anmok.tasks.invariance`). `focus`: doubtful pictures are seen more
    often, and fewer passes do.
    """
    passes, least = (200_000, 4) if focus else (500_000, 9)
    epochs = int(np.clip(passes / max(1, pictures), least, 100))
    batch = next(size for fewest, size in BATCHES if pictures >= fewest)
    steps = epochs * max(1, pictures // batch)
    small = preparation.store == preparation.size
    return Recipe(
        network="small_resnet",
        epochs=epochs,
        batch=min(batch, max(1, pictures)),
        learning_rate=round(0.05 * (batch / 256) ** 0.5, 4),  # smaller batches are noisier
        average=round(float(np.clip(1 - 20 / steps, 0.5, 0.99)), 4),  # looks back over a twentieth of the run
        mirror=mirror,
        focus=focus,
        augment=Augment(flip=mirror, shift=0.07 if small and epochs > MANY else 0.0, crop=1.0 if small else 0.7),
    )
