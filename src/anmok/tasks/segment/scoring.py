"""One score a class for a part of a picture, so that explanations made for classifiers serve segmentation too."""

from __future__ import annotations

from torch import Tensor, nn

from anmok.explain.class_activation import coarsest_feature_layer

LIKELIEST = 0.02  # share of the picture that is explained where no pixel is answered with the class
SMALLEST = 1e-8  # probability


class RegionScores(nn.Module):
    """What the pixels of a region are answered with: softmax over the scores gives their mean probabilities.

    Scores are logarithms of means over the region, so that covering a part of the picture changes them as it changes
    the answer there. Gradients flow through the region's mean logits instead: probabilities near 1 would have none. So
    a map for "cell" shows what made those pixels cells. After Vinogradova, Dibrov & Myers (2020), "Towards
    Interpretable Semantic Segmentation via Gradient-weighted Class Activation Mapping" (Seg-Grad-CAM).

    (N, C, H, W) → (N, classes).

    Args:
        network: (N, C, H, W) → logits (N, classes, H, W).
        region: bool (H, W), some pixel of it true.
    """

    def __init__(self, network: nn.Module, region: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("region", region)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of each picture."""
        outputs = self.network(x)
        logits = (outputs[0] if isinstance(outputs, tuple) else outputs).float()
        evidence = logits[:, :, self.region].mean(2)
        shares = logits.detach().softmax(1)[:, :, self.region].mean(2).clamp_min(SMALLEST).log()
        return shares + evidence - evidence.detach()

    def feature_layer(self, batch: Tensor) -> str:
        """Where class activation looks: the coarsest maps, where the network knows what it sees and not yet where."""
        return coarsest_feature_layer(self, batch)


def region_of(probabilities: Tensor, target: int) -> Tensor:
    """The pixels that are answered with class `target`, bool (H, W); where none is, those likeliest to be.

    `probabilities`: (classes, H, W).
    """
    region = probabilities.argmax(0) == target
    if region.any():
        return region
    own = probabilities[target]
    return own >= own.flatten().quantile(1 - LIKELIEST)
