"""What of a detector is shipped: a graph that ends at the best candidates, and how answers are made of these."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from anmok.core.errors import UsageError
from anmok.networks._detector import MOST_CANDIDATES
from anmok.tasks._shipping import Cargo
from anmok.tasks.detect.learning import Detect

OUTPUTS = ("boxes", "scores", "labels")
LIMIT = 100  # boxes a picture, as a network's `detect` gives


class Best(nn.Module):
    """A detector up to its `MOST_CANDIDATES` best candidates, so many for every picture; suppression comes after.

    One point may be candidate for several classes.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, C, S, S) → boxes (N, K, 4) in pixels of the square, scores and labels (N, K) as float32, best first."""
        if hasattr(self.network, "candidates_of"):
            boxes, scores = self.network.candidates_of(x)
        else:
            boxes, scores = self.network.candidates(self.network(x))
        # boxes (N, A, 4) or (N, A, classes, 4); scores (N, A, classes)
        classes = scores.shape[2]
        values, places = scores.flatten(1).topk(min(MOST_CANDIDATES, scores[0].numel()))
        labels = places % classes
        rows = places if boxes.ndim == 4 else (places - labels) // classes
        chosen = boxes.flatten(1, -2).gather(1, rows[..., None].expand(-1, -1, 4))
        return chosen, values, labels.float()


def cargo(model: Detect) -> Cargo:
    """See `anmok.tasks._kind.Shipping`.

    Raises:
        UsageError: the network wants proposals from outside, which no graph can make; or it draws masks.
    """
    if model.network.takes_regions:
        raise UsageError(
            "this detector looks at proposals that selective search makes: it cannot be shipped",
            fix="--net anchor_free",
        )
    if getattr(model.network, "draws_masks", False):
        raise UsageError(
            "this detector's masks cannot be shipped",
            fix="--net fasterrcnn_resnet50_fpn, which answers with boxes, or a segmentation",
        )
    settings = {"classes": model.classes, "threshold": model.threshold, "nms": model.nms, "limit": LIMIT,
                "preparation": model.preparation.to_json()}  # fmt: skip
    return Cargo(Best(model.network), OUTPUTS, settings)
