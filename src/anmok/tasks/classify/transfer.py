"""A pretrained network learns new classes.

First its last layer alone, on features that the frozen rest makes of every picture once: minutes become seconds. Then,
where the person gives it time, all layers, the early ones slowly; the better of the two, by validation, is kept.
(Features from a network trained on other classes: Donahue et al., "DeCAF", 2014, arXiv:1310.1531; slower early layers:
Howard & Ruder, 2018, arXiv:1801.06146.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from anmok.core.errors import UsageError
from anmok.core.task import Batches, Phase, Plan, Solve, Stage
from anmok.core.types import Batch
from anmok.data.loader import Loader
from anmok.tasks.classify.features import CORNERED, Centres, features, views
from anmok.tasks.classify.frozen import Frozen, has_corners, last_layer
from anmok.tasks.classify.head import fit_head
from anmok.tasks.classify.learning import Classify
from anmok.tasks.optimizers import one_cycle

SLOWER = 0.7  # each block's learning rate, as a share of that of the block after it


class Transfer(Classify):
    """Classification from a pretrained network, see the module's text.

    Args:
        parts: as of `Classify`, with a recipe.
        pictures: identity of the data set's pictures, for the cache of features.
        rows: those of all its pictures; None: those learned from and judged by.
        seed: of the views that are drawn.

    Raises:
        UsageError: fine-tuning is asked for, and nothing is left to learn.
    """

    train: Loader
    val: Loader | None
    _known: Centres | None = None  # what the frozen network makes of pictures, while only the last layer has learned

    def __init__(self, *parts: Any, pictures: str = "", rows: np.ndarray | None = None, seed: int = 0) -> None:
        super().__init__(*parts)
        assert self.recipe is not None
        self.pictures, self.rows, self.seed = pictures, rows, seed
        blocks = len(list(self._blocks()))
        if not self.recipe.frozen and self.recipe.freeze >= blocks:
            raise UsageError(
                "there is nothing left to learn", got=f"--freeze {self.recipe.freeze}",
                allowed=f"0 to {blocks - 1}", fix="--freeze all for the last layer alone",
            )  # fmt: skip

    def stages(self) -> Sequence[Plan]:
        """The head; where the recipe has epochs for it, all layers, and the choice between the two."""
        assert self.recipe is not None
        found = [Plan("head", lambda: Solve("head", self._fit_head))]
        if not self.recipe.frozen:
            found += [Plan("fine-tune", self._fine_tune), Plan("choose", lambda: Solve("choose", self._keep_better))]
        return found

    # The head on frozen features

    def _fit_head(self) -> Mapping[str, float]:
        assert self.recipe is not None
        vectors, targets = self._seen()
        _, each, dimensions = vectors.shape
        parts = np.tile(np.arange(each) > 0, len(vectors)) if each > 1 else None
        validation = None
        if self.val is not None:
            validation = self._centres(self.val.rows), np.asarray(self.val.targets)
        head = fit_head(
            vectors.reshape(-1, dimensions), np.repeat(targets, each, axis=0), len(self.classes), validation,
            self.weights, self.objective.head_loss, parts,
        )  # fmt: skip
        layer = last_layer(self.network, len(self.classes))
        with torch.no_grad():
            layer.weight.copy_(head.weight)
            if layer.bias is not None:
                layer.bias.copy_(head.bias)
        figures: Mapping[str, float] = {}
        if validation is not None:  # as `evaluate` would find it, without asking the network again
            known, truths = map(torch.from_numpy, validation)
            figures = self.objective.figures(head(known.float()), truths, self.recipe.balance)
        if not self.recipe.frozen:  # what fine-tuning is measured against
            self._frozen = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
            self._frozen_figures = dict(figures)
        return {**figures, "penalty": head.penalty, "parts": float(head.parts)}

    def _seen(self) -> tuple[np.ndarray, np.ndarray]:
        """What the head learns from: vectors (n, V, D) of looks at training pictures, and what is right for each. Keeps
        what is known of all pictures from now on."""
        assert self.recipe is not None
        rows, truths, source = self.train.rows, np.asarray(self.train.targets), self.train.source
        judged = [] if self.val is None else [self.val.rows]
        every = np.concatenate([rows, *judged]) if self.rows is None else self.rows
        corners = len(rows) <= CORNERED and has_corners(self)
        augmented = views(self.recipe, len(rows), self.seed, corners)[1:]
        frozen = Frozen(self, len(every) + sum(len(shown) for _, shown in augmented), corners)
        self._known = Centres(frozen, source, every, self.pictures)
        found = [self._known.of(rows)]
        found += [features(frozen, source, rows[shown], view, self.pictures) for view, shown in augmented]
        return np.concatenate(found), np.concatenate([truths, *(truths[shown] for _, shown in augmented)])

    def _centres(self, rows: np.ndarray) -> np.ndarray:
        """The vector (D,) of each whole picture, as evaluation sees it: (N, D)."""
        assert self._known is not None
        return self._known.of(rows)[:, 0]

    def collect(self, batches: Batches) -> tuple[np.ndarray, np.ndarray]:
        """As in `Classify`; while only the last layer has learned, of this data set's pictures from the features that
        it learned from: they are known."""
        if self.mirror or not isinstance(batches, Loader) or not self._knows(batches):
            return super().collect(batches)
        known, layer = torch.from_numpy(self._centres(batches.rows)), last_layer(self.network, len(self.classes))
        with torch.no_grad():
            logits = layer(known.to(self.devices.device).float()).cpu().numpy()
        return logits, np.asarray(batches.targets)

    def _knows(self, pictures: Loader) -> bool:
        """Whether their features are known: rows mean other pictures in another data set."""
        of_these = pictures.source is self.train.source
        return of_these and self._known is not None and self._known.has(pictures.rows)

    # All layers

    def _fine_tune(self) -> Stage:
        assert self.recipe is not None
        self._known = None
        return Stage(
            "fine-tune",
            self.train,
            [self.fit_phase()],
            self.recipe.epochs,
            evaluate=self.evaluate if self.val is not None else None,
            monitor="val_loss" if self.val is not None else "loss",
            patience=self.recipe.patience,
            average=self.recipe.average,
        )

    def fit_phase(self) -> Phase:
        """AdamW, each block slower than the one after it; frozen blocks are left out."""
        assert self.recipe is not None
        groups = []
        blocks = list(self._blocks())
        for depth, weights in enumerate(blocks[self.recipe.freeze :], self.recipe.freeze):
            rate = self.recipe.learning_rate * SLOWER ** (len(blocks) - 1 - depth)
            for decay, chosen in (
                (self.recipe.weight_decay, [weight for weight in weights if weight.ndim > 1]),
                (0.0, [weight for weight in weights if weight.ndim <= 1]),
            ):
                if chosen:
                    groups.append({"params": chosen, "lr": rate, "weight_decay": decay})
        optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), foreach=True)
        return Phase(
            "classify", self.networks(), optimizer, self.loss, schedule=one_cycle(self.recipe.warmup), clip=1.0
        )

    def _blocks(self) -> Iterator[list[nn.Parameter]]:
        """The network's weights from the first layers to the last: one stretch a stage, and what comes after them."""
        stages = [stage.name for stage in getattr(self.network, "stages", ())]
        block: list[nn.Parameter] = []
        current = 0
        for name, weight in self.network.named_parameters():
            inside = [number for number, stage in enumerate(stages) if name.startswith(f"{stage}.")]
            place = inside[0] if inside else current if current + 1 < len(stages) else len(stages)
            if place != current and block:
                yield block
                block, current = [], place
            block.append(weight)
        if block:
            yield block

    def loss(self, batch: Batch) -> Mapping[str, Tensor]:
        """As in `Classify`, with the statistics of normalisation as they were published: batches are small."""
        for module in self.network.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return super().loss(batch)

    # The better of the two

    def _keep_better(self) -> Mapping[str, float]:
        figures = dict(self.evaluate()) if self.val is not None else {}
        before, after = self._frozen_figures.get("val_loss"), figures.get("val_loss")
        if before is not None and after is not None and before <= after:
            self.network.load_state_dict(self._frozen)
            return {**self._frozen_figures, "kept_frozen": 1.0}
        return {**figures, "kept_frozen": 0.0}

    _frozen: Mapping[str, Tensor] = {}
    _frozen_figures: Mapping[str, float] = {}

    def state(self) -> Mapping[str, Any]:
        """The network as it was with its first layers frozen, to go back to."""
        return {**super().state(), "frozen": dict(self._frozen), "frozen_figures": dict(self._frozen_figures)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        super().load_state(state)
        self._frozen, self._frozen_figures = state["frozen"], state["frozen_figures"]
