"""One map and two dense layers for networks that look at regions, taken from any classification network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from anmok.networks import build, published
from anmok.networks._encoder import Encoder, freeze
from anmok.networks._pretrained import Source, wants_published
from anmok.networks._region_heads import DenseHead

FINE = (1, 2, 4, 8, 16)  # strides: regions are looked up on the coarsest of these maps
POOLED = 7  # cells a side of a pooled region, where the encoder's own dense layers do not say


class RegionEncoder(nn.Module):
    """The coarsest map of stride 16 or less. (N, C, H, W) → [(N, channels, about H / stride, about W / stride)]."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.accepts = encoder.accepts
        self.channels, self.stride = encoder.stages[-1].channels, encoder.stages[-1].stride

    def forward(self, x: Tensor) -> list[Tensor]:
        """One level."""
        return self.encoder(x)[-1:]


def region_encoder(
    encoder: str, in_channels: int, hidden: int | None, weights: Source
) -> tuple[RegionEncoder, nn.Module, int, int]:
    """An encoder's map, dense layers for pooled regions, their outputs, and the cells a side that they take.

    Where `hidden` is None and the encoder ends in dense layers itself (VGG, AlexNet), these are taken, trained as they
    are; else there are two fresh ones of `hidden` (1024) numbers. With published weights, what the maps of stride 1
    and 2 depend on is frozen, as Fast R-CNN found best.
    """
    trained = wants_published(weights, published(encoder))
    net: Any = build(encoder, num_classes=1, in_channels=in_channels, weights=weights if trained else None)
    own = _dense_layers(net) if hidden is None else None
    stem = Encoder(net, in_channels, strides=FINE)
    if trained:
        freeze(stem, 2)
    maps = RegionEncoder(stem)
    if own is not None:
        dense = [layer for layer in own if isinstance(layer, nn.Linear)]
        side = round((dense[0].in_features / maps.channels) ** 0.5)
        if side**2 * maps.channels == dense[0].in_features:
            return maps, nn.Sequential(nn.Flatten(), *own), dense[-1].out_features, side
    hidden = hidden or 1024
    return maps, DenseHead(maps.channels * POOLED**2, hidden), hidden, POOLED


def _dense_layers(net: Any) -> Sequence[nn.Module] | None:
    """Everything of a classifier but its last dense layer, where it has more than one."""
    layers = getattr(net, "classifier", None)
    if not isinstance(layers, nn.Sequential):
        return None
    return list(layers)[:-1] if sum(isinstance(layer, nn.Linear) for layer in layers) > 1 else None
