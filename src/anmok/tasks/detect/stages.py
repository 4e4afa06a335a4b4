"""What a detector learns, stage by stage.

    R-CNN, SPPnet     proposals · fine-tune (a softmax over regions) · svm · boxes (ridge regression)
    Fast R-CNN        proposals · deltas (their mean and spread) · fit
    all others        fit

Each stage ends with a checkpoint. The ones in closed form are fitted on the network's weights as they then are; what
they learn lies in its buffers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from anmok.core.boxes import iou
from anmok.core.task import Phase, Plan, Solve, Stage
from anmok.data.object_loader import ObjectLoader
from anmok.data.proposals import Proposals
from anmok.networks._region_svm import with_objects
from anmok.tasks.optimizers import build_optimizer, one_cycle

if TYPE_CHECKING:
    from anmok.tasks.detect.learning import Detect

CLOSED_FORM = 0.4  # of a time budget beside descent: what SVMs and regression take of it, about (bundled scenes)
CLIP = 10.0  # largest norm of the gradient: a few wild boxes must not undo an epoch


def plans(model: Detect) -> list[Plan]:
    """The stages of this detector, in order."""
    network = model.network
    if model.search is None:
        return [Plan("fit", lambda: fit(model))]
    found = [Plan("proposals", lambda: Solve("proposals", lambda: propose(model)))]
    if hasattr(network, "measure"):
        found.append(Plan("deltas", lambda: Solve("deltas", lambda: network.measure(whole_targets(model)))))
    solves: Mapping[str, Any] = getattr(network, "solves", {})
    found.append(Plan("fine-tune", lambda: fit(model, judged=False)) if solves else Plan("fit", lambda: fit(model)))
    return [*found, *(Plan(name, _solved(model, name, solve), CLOSED_FORM) for name, solve in solves.items())]


def fit(model: Detect, judged: bool = True) -> Stage:
    """Descent on the detector's own losses; `judged`: by mean average precision after each epoch, the best is kept."""
    assert model.recipe is not None and model.train is not None
    recipe, judged = model.recipe, judged and model.val is not None
    half = model.devices.precision == "bf16"
    optimizer = build_optimizer(model.network, recipe, half=half, hidden=hidden_layers(model.network))
    schedule = one_cycle(recipe.warmup)
    return Stage(
        "fit" if judged or not hasattr(model.network, "solves") else "fine-tune",
        model.train,
        [Phase("detect", model.networks(), optimizer, model.loss, schedule=schedule, clip=CLIP)],
        recipe.epochs,
        evaluate=model.evaluate if judged else None,
        monitor="val_map" if judged else "loss",
        mode="max" if judged else "min",
        patience=recipe.patience,
        average=recipe.average,
    )


def hidden_layers(network: nn.Module) -> list[nn.Module]:
    """Dense layers between others: all but those that answer; none where the network does not say which these are."""
    last = getattr(network, "heads", ())
    if not last:
        return []
    return [part for name, part in network.named_modules() if isinstance(part, nn.Linear) and name not in last]


def propose(model: Detect) -> dict[str, float]:
    """Find every training picture's proposals; how many there are, and what share of objects they cover by half."""
    proposals = cast(Proposals, cast(ObjectLoader, model.train).proposals)
    proposals.find()
    covered, total = 0, 0
    for target in whole_targets(model):
        if len(target["boxes"]):
            best = iou(target["boxes"], target["regions"]).amax(1) if len(target["regions"]) else torch.zeros(1)
            covered, total = covered + int((best >= 0.5).sum()), total + len(target["boxes"])
    count = float(np.mean([len(proposals[row]) for row in range(len(proposals))]))
    return {"proposals": count, "covered": covered / max(1, total)}


def _solved(model: Detect, name: str, solve: Callable[..., dict[str, float]]) -> Callable[[], Solve]:
    def build() -> Solve:
        return Solve(name, lambda: _solve(model, solve))

    return build


def _solve(model: Detect, solve: Callable[..., dict[str, float]]) -> dict[str, float]:
    """Fit in closed form on all training pictures, as they are; then judge, where there is something to judge on."""
    model.network.eval()
    figures = solve(lambda: passes(model))
    return {**figures, **(model.evaluate() if model.val is not None else {})}


@torch.no_grad()
def passes(model: Detect) -> Iterator[tuple[Any, Sequence[Mapping[str, Tensor]]]]:
    """Once over the training pictures: what the network makes of their proposals and objects, and the targets."""
    for pictures, targets in _whole(model):
        own = with_objects(targets)
        with model.devices.autocast():
            outputs = model.network(model.normalise(pictures), own)
        yield outputs, own


def whole_targets(model: Detect) -> Iterator[Mapping[str, Tensor]]:
    """The targets of all training pictures as they are, with `regions`."""
    for _, targets in _whole(model):
        yield from targets


def _whole(model: Detect) -> Iterator[tuple[Tensor, list[dict[str, Tensor]]]]:
    """All training pictures as they are, in order, with their targets."""
    from anmok.tasks.detect.learning import learnable

    for batch in replace(cast(ObjectLoader, model.train), augment=None, workers=0).epoch(0):
        moved = model.devices.move(batch)
        yield moved.pictures, [learnable(one) for one in moved.targets]
