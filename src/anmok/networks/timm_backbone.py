"""Any of timm's networks (https://github.com/huggingface/pytorch-image-models), offered like the classics.

    net = anmok.networks.build("timm:convnext_tiny", num_classes=10, in_channels=3)

`weights="imagenet"` lets timm fetch its published weights from the Hugging Face hub, and only then; `weights=<path>`
takes a safetensors file of this network. timm is imported when the first such network is asked for.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from anmok.core.errors import AnmokError, UsageError, unknown_name
from anmok.core.weights import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from anmok.networks._card import Card, Paper
from anmok.networks._interface import Accepts, StageInfo
from anmok.networks._pretrained import Source, State, load


class TimmBackbone(nn.Module):
    """One of timm's networks. Its parameters live under `net.`.

    `features` gives the last map of every resolution that timm declares, `forward_features` and `forward_head` are
    timm's own; for most networks the classifier does not stand on the last stage alone but on layers after it.
    """

    def __init__(self, net: Any, name: str, in_channels: int) -> None:
        super().__init__()
        self.net = net
        side = _natural_size(net.pretrained_cfg)
        fixed = bool(net.pretrained_cfg.get("fixed_input_size"))
        self.accepts = Accepts(f"timm:{name}", in_channels, smallest=side if fixed else 1, natural=side)
        self.levels, self.stages = _stages(net)

    @property
    def heads(self) -> tuple[str, ...]:
        """The names of the last dense layers."""
        names = self.net.pretrained_cfg.get("classifier") or ()
        return tuple(f"net.{name}" for name in ((names,) if isinstance(names, str) else names))

    @property
    def preprocessing(self) -> Preprocessing:
        """How pictures were prepared for timm's published weights."""
        config = self.net.pretrained_cfg
        side = _natural_size(config)
        return Preprocessing(
            side,
            round(side / (config.get("crop_pct") or 1)),
            config.get("interpolation") if config.get("interpolation") in ("bilinear", "bicubic") else "bicubic",
            tuple(config.get("mean") or IMAGENET_MEAN),
            tuple(config.get("std") or IMAGENET_STD),
        )

    def features(self, x: Tensor) -> list[Tensor]:
        """(N, C, H, W) → one map a stage, finest first. Raises `UsageError` where timm declares no maps."""
        self.accepts.check(x)
        if not self.stages:
            raise UsageError(f"{self.accepts.network} hands out no maps", fix="another backbone for this decoder")
        return self.net.forward_intermediates(x, indices=self.levels, intermediates_only=True, output_fmt="NCHW")

    def forward_features(self, x: Tensor) -> Tensor:
        """What timm's classifier is given: a map, or tokens."""
        self.accepts.check(x)
        return self.net.forward_features(x)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """That → logits, or the vector before them."""
        return self.net.forward_head(x, pre_logits=pre_logits)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → logits (N, num_classes)."""
        self.accepts.check(x)
        return self.net(x)

    def reset_classifier(self, num_classes: int) -> None:
        """A fresh last layer for `num_classes`, made by timm and initialised as PyTorch does."""
        if num_classes < 1:
            raise UsageError("a classifier needs classes", got=num_classes, allowed="1 or more")
        self.net.reset_classifier(num_classes)


def timm_backbone(
    name: str, num_classes: int = 1000, in_channels: int = 3, *, weights: Source = None, **kwargs: Any
) -> TimmBackbone:
    """The network that timm calls `name`.

    Args:
        name: timm's name, with its tag if wanted: `"resnet18.a1_in1k"`.
        num_classes: outputs.
        in_channels: channels of the pictures.
        weights: None; `"imagenet"`: timm's default published weights, fetched by timm; a path of safetensors.
        kwargs: timm's own keywords (`drop_path_rate`, `img_size` …).

    Raises:
        UsageError: for a name or keyword that timm does not know.
        AnmokError: where the weights cannot be fetched.
    """
    import timm

    if not timm.is_model(name.split(".")[0]):
        raise unknown_name("network in timm", name, timm.list_models())
    fetched = weights == "imagenet"
    try:
        net = timm.create_model(name, pretrained=fetched, num_classes=num_classes, in_chans=in_channels, **kwargs)
    except (TypeError, ValueError) as error:
        raise UsageError(f"timm cannot build {name}: {error}", got=kwargs or None) from error
    except (OSError, RuntimeError) as error:
        if not fetched:
            raise
        raise AnmokError(
            f"timm cannot fetch the weights of {name}, which were asked for by name (nothing is fetched unasked)",
            got=f"{type(error).__name__}: {error}",
            fix="again with a network, or weights=<path> of a safetensors file fetched elsewhere",
        ) from error
    backbone = TimmBackbone(net, name, in_channels)
    if fetched or weights is None:
        return backbone
    return load(backbone, weights, {}, translate=own_names)


def own_names(state: State) -> State:
    """timm's parameter names → those of the wrapper."""
    return {f"net.{key.removeprefix('net.')}": value for key, value in state.items()}


def timm_card(name: str) -> Card:
    """What is known of one of timm's networks without building it."""
    import timm

    if not timm.is_model(name.split(".")[0]):
        raise unknown_name("network in timm", name, timm.list_models())
    config = timm.get_pretrained_cfg(name)
    side = _natural_size(config.to_dict() if config else {})
    return Card(
        title=f"{name} (timm)",
        paper=Paper(
            "PyTorch Image Models", "Wightman and contributors", 2019, "github.com/huggingface/pytorch-image-models"
        ),
        idea="One of the thousand and more networks that timm maintains; its file there names its own paper.",
        fixed="Every network had a repository, a training script and a preprocessing of its own.",
        cost="See `anmok inspect`: it is counted from the network itself.",
        reach_for="Newer, smaller or stronger backbones than the classics, through the same interface.",
        avoid="When the network should be read: the classics here are written for that, timm's files for generality.",
        differences=("as timm has it.",),
        natural=side,
        smallest=1,
    )


def _natural_size(config: Any) -> int:
    return int((config.get("input_size") or (3, 224, 224))[-1])


def _stages(net: Any) -> tuple[list[int], tuple[StageInfo, ...]]:
    """The indices that `forward_intermediates` takes, and what comes out; empty where timm declares no maps."""
    declared = getattr(net, "feature_info", None)
    declared = getattr(declared, "info", declared)
    if not declared or not hasattr(net, "forward_intermediates"):
        return [], ()
    levels = list(range(len(declared)))
    finest: dict[int, int] = {}
    for level in levels:  # of the levels with one stride, the last
        finest[int(declared[level]["reduction"])] = level
    chosen = list(finest.values())
    stages = (
        StageInfo(f"net.{declared[i]['module']}", declared[i]["num_chs"], declared[i]["reduction"]) for i in chosen
    )
    return chosen, tuple(stages)
