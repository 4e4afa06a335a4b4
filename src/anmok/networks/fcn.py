"""FCN (Long, Shelhamer, Darrell: Fully Convolutional Networks for Semantic Segmentation, CVPR 2015) on VGG-16.

VGG-16's dense layers are written as convolutions, so that the classifier answers at every place of its last map; a 1×1
convolution scores the classes there, and a deconvolution that interpolates enlarges the scores to the picture's size.
FCN-32s enlarges 32 times in one step. FCN-16s adds scores of the fourth pooling on the way, FCN-8s of the third too.
(N, 3, H, W) → logits (N, 21, H, W), for any H and W.

As published: the first convolution pads 100, poolings round up, the dense layers do not pad, and what is too much is
cropped at fixed offsets (19; 5 and 27; 5, 9 and 31).

Initialisation: score layers 0; deconvolutions bilinear, and fixed as in the authors' released networks; the rest as in
VGG, whose ImageNet weights `weights="imagenet"` carries over. FCN-16s takes up a file of FCN-32s, FCN-8s one of
FCN-16s, as the paper trained them: what the file lacks begins at 0.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about, of_encoder
from anmok.networks._interface import Accepts, Stages, numbered, reset_heads
from anmok.networks._pretrained import Source, State, initialize_convolutions, load
from anmok.networks.vgg import BLOCKS, five_blocks
from anmok.networks.vgg import WEIGHTS as VGG_WEIGHTS

BORDER = 100  # zeros that the first convolution puts around the picture

CARD = Card(
    title="FCN",
    paper=Paper(
        "Fully Convolutional Networks for Semantic Segmentation", "Long, Shelhamer, Darrell", 2015, "CVPR", "1411.4038"
    ),
    idea="A classifier's dense layers are convolutions with kernels as large as the map. Slide them, and the "
    "classifier answers everywhere at once; enlarge its answers, and every pixel has a class, learned end to end.",
    fixed="Segmentation was patch after patch through a classifier, or region proposals and superpixels around one: "
    "slow, and the pieces were never learned together.",
    cost="",
    reach_for="",
    avoid="New work: 134 million parameters, most in one 7×7 convolution, for outlines that U-Nets and dilated "
    "networks draw better with a fraction of them.",
    differences=(
        "all deconvolutions stay bilinear, as in the authors' released networks; the paper's text lets those before "
        "the last learn (learn_upsampling=True lets all).",
    ),
    natural=500,
    smallest=1,
)
_COSTS = {
    "32s": "134.3 million learned parameters, 181 billion multiply-adds for 500 × 500 pixels. Scores are enlarged 32 "
    "times, so outlines are blobs: 63.6 mean IoU on VOC 2011.",
    "16s": "134.4 million learned parameters, 181 billion multiply-adds for 500 × 500 pixels; 65.0 mean IoU on VOC "
    "2011.",
    "8s": "134.4 million learned parameters, 182 billion multiply-adds for 500 × 500 pixels; 65.5 mean IoU on VOC "
    "2011, and the finest outlines of the three.",
}
_REACH = {
    "32s": "Seeing what a classifier knows about places, before any skip: the first step of the paper's training.",
    "16s": "The second step: what one skip from the fourth pooling adds to the outlines.",
    "8s": "Reading the paper that began it, next to code that is it, and as the baseline that others compare with.",
}

WEIGHTS = of_encoder(VGG_WEIGHTS["vgg16"])


def _card(form: str) -> Card:
    return replace(CARD, title=f"FCN-{form}", cost=_COSTS[form], reach_for=_REACH[form])


class FCN(nn.Module):
    """VGG-16 without its last layer, sliding; scores; enlarging with skips. See `fcn_8s`.

    `skips`: for each skip the block whose pooling it reads, and where its map is cropped; `offset`: where the enlarged
    scores are.
    """

    upscore: nn.ConvTranspose2d

    def __init__(
        self,
        name: str,
        num_classes: int,
        in_channels: int,
        *,
        skips: tuple[tuple[int, int], ...],
        offset: int,
        dropout: float,
        learn_upsampling: bool,
    ) -> None:
        super().__init__()
        self.accepts = Accepts(name, in_channels, CARD.smallest, CARD.natural)
        layers, ends = five_blocks(BLOCKS["vgg16"], in_channels, normalise=False, border=BORDER, ceil_mode=True)
        self.features = Stages(self.accepts, numbered(layers), ends)
        self.fc6 = nn.Sequential(nn.Conv2d(512, 4096, kernel_size=7), nn.ReLU(inplace=True), nn.Dropout(dropout))
        self.fc7 = nn.Sequential(nn.Conv2d(4096, 4096, kernel_size=1), nn.ReLU(inplace=True), nn.Dropout(dropout))
        self.score_fr = nn.Conv2d(4096, num_classes, kernel_size=1)
        self.skips, self.offset, self.learn_upsampling = skips, offset, learn_upsampling
        for block, _ in skips:
            self.add_module(f"score_pool{block}", nn.Conv2d(64 * 2 ** (block - 1), num_classes, kernel_size=1))
        self._build_upsampling(num_classes)
        self.heads = ("score_fr", *(f"score_pool{block}" for block, _ in skips))
        self.apply(self.initialize)
        self._zero_scores()

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → logits (N, num_classes, H, W)."""
        pools = self.features(x)  #                               N,  256…512, 88, 44, 22 for H = W = 500
        scores = self.score_fr(self.fc7(self.fc6(pools[-1])))  #  N, classes,  16, 16
        for block, offset in self.skips:
            scores = self.get_submodule(f"upscore_pool{block}")(scores)  # twice as large
            skipped = self.get_submodule(f"score_pool{block}")(pools[block - 1])
            scores = scores + cropped(skipped, offset, scores)
        return cropped(self.upscore(scores), self.offset, x)

    def initialize(self, module: nn.Module) -> None:
        """See the head of this file."""
        initialize_convolutions(module)

    def reset_classifier(self, num_classes: int) -> None:
        """Fresh score layers for `num_classes`, and deconvolutions for as many."""
        reset_heads(self, num_classes)
        self._zero_scores()
        self._build_upsampling(num_classes)

    def _zero_scores(self) -> None:
        for name in self.heads:
            nn.init.zeros_(self.get_parameter(f"{name}.weight"))

    def _build_upsampling(self, num_classes: int) -> None:
        """Deconvolutions that enlarge twice before every skip, and by what is left at the end."""
        for block, _ in self.skips:
            self.add_module(f"upscore_pool{block}", bilinear(num_classes, 2, self.learn_upsampling))
        self.upscore = bilinear(num_classes, 32 // 2 ** len(self.skips), self.learn_upsampling)


def cropped(x: Tensor, offset: int, like: Tensor) -> Tensor:
    """The part of `x` from (offset, offset) that has the height and width of `like`."""
    return x[:, :, offset : offset + like.shape[2], offset : offset + like.shape[3]]


def bilinear_kernel(stride: int) -> Tensor:
    """The kernel of 2·stride × 2·stride with which a deconvolution of that stride interpolates.

    >>> bilinear_kernel(2)[1]
    tensor([0.1875, 0.5625, 0.5625, 0.1875])
    """
    places = torch.arange(2 * stride, dtype=torch.float32, device="cpu")
    line = 1 - (places - (stride - 0.5)).abs() / stride  # 0.25, 0.75, 0.75, 0.25 for stride 2
    return line[:, None] * line[None, :]


def bilinear(num_classes: int, stride: int, learn: bool) -> nn.ConvTranspose2d:
    """A deconvolution of kernel 2·stride that begins as bilinear interpolation of each class's scores by `stride`.

    As in Caffe it has a kernel from every class to every class, all but the diagonal 0.
    """
    layer = nn.ConvTranspose2d(num_classes, num_classes, 2 * stride, stride, bias=False)
    with torch.no_grad():
        layer.weight.zero_()
        for one in range(num_classes):
            layer.weight[one, one] = bilinear_kernel(stride).to(layer.weight)
    layer.weight.requires_grad_(learn)
    return layer


def _translate(net: FCN, state: State) -> State:
    """VGG-16's tensors, or a coarser FCN's, by the names of `net`; scores and deconvolutions they lack stay its own."""
    for old, new, shape in (
        ("classifier.0", "fc6.0", (4096, 512, 7, 7)),
        ("classifier.3", "fc7.0", (4096, 4096, 1, 1)),
    ):
        if f"{old}.weight" in state:
            state[f"{new}.weight"] = state.pop(f"{old}.weight").view(shape)
            state[f"{new}.bias"] = state.pop(f"{old}.bias")
    own = {key: value for key, value in net.state_dict().items() if key.startswith(("score_", "upscore"))}
    enlarging = {key for key in state if key.startswith("upscore") and key in own}
    other = {key for key in enlarging if state[key].shape != own[key].shape}  # for other classes, or another factor
    return {**own, **{key: value for key, value in state.items() if key not in other}}


def _fcn(name: str, num_classes: int, in_channels: int, weights: Source, **form: Any) -> FCN:
    net = FCN(name, num_classes, in_channels, **form)
    return load(net, weights, WEIGHTS, translate=lambda state: _translate(net, dict(state)), unused=("classifier.6.",))


@register("segment network")
@about(_card("32s"), WEIGHTS)
def fcn_32s(
    num_classes: int = 21,
    in_channels: int = 3,
    *,
    dropout: float = 0.5,
    learn_upsampling: bool = False,
    weights: Source = None,
) -> FCN:
    """FCN-32s: scores enlarged 32 times in one step. `learn_upsampling`: the deconvolution learns too."""
    form = {"skips": (), "offset": 19, "dropout": dropout, "learn_upsampling": learn_upsampling}
    return _fcn("fcn_32s", num_classes, in_channels, weights, **form)


@register("segment network")
@about(_card("16s"), WEIGHTS)
def fcn_16s(
    num_classes: int = 21,
    in_channels: int = 3,
    *,
    dropout: float = 0.5,
    learn_upsampling: bool = False,
    weights: Source = None,
) -> FCN:
    """FCN-16s: one skip, from the fourth pooling. `learn_upsampling`: the deconvolutions learn too."""
    form = {"skips": ((4, 5),), "offset": 27, "dropout": dropout, "learn_upsampling": learn_upsampling}
    return _fcn("fcn_16s", num_classes, in_channels, weights, **form)


@register("segment network")
@about(_card("8s"), WEIGHTS)
def fcn_8s(
    num_classes: int = 21,
    in_channels: int = 3,
    *,
    dropout: float = 0.5,
    learn_upsampling: bool = False,
    weights: Source = None,
) -> FCN:
    """FCN-8s: two skips, from the fourth and the third pooling. `learn_upsampling`: the deconvolutions learn too."""
    form = {"skips": ((4, 5), (3, 9)), "offset": 31, "dropout": dropout, "learn_upsampling": learn_upsampling}
    return _fcn("fcn_8s", num_classes, in_channels, weights, **form)
