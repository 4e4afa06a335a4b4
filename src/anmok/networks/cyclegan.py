"""CycleGAN (Zhu, Park, Isola, Efros: Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks,
ICCV 2017).

The paper's G: X → Y is `generator_ab` here, its F: Y → X `generator_ba`; `discriminator_a` judges A, `discriminator_b`
judges B. The generator is Johnson et al.'s (ECCV 2016): two halvings, nine residual blocks, two doublings.
(N, 3, 256, 256) → (N, 3, 256, 256).

Initialisation: as the paper, N(0, 0.02²), biases 0. Module names are those of the authors' published generators.
"""

from __future__ import annotations

from torch import Tensor, nn

from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about
from anmok.networks._interface import Accepts
from anmok.networks._pretrained import Source, load
from anmok.networks._translate import PatchGAN, initialize, instance_norm

CARD = Card(
    title="CycleGAN",
    paper=Paper(
        "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks",
        "Zhu, Park, Isola, Efros",
        2017,
        "ICCV",
        "1703.10593",
    ),
    idea="Learn A → B and B → A together, and demand that going there and back arrives where it started. A picture's "
    "content must then survive the journey, though nobody ever saw a pair.",
    fixed="Translation needed pairs: the same scene as horse and as zebra, by day and by night, which mostly cannot be "
    "had.",
    cost="Two generators of 11.4 million parameters and two discriminators of 2.8 million; a step passes six pictures "
    "through generators. Days on one graphics card at 256 × 256 in the paper; small pictures take an hour on a laptop.",
    reach_for="Two folders of pictures of two kinds without pairs, alike in shape and different in colour and texture.",
    avoid="Changes of shape (cat to dog), which it refuses or fakes; wherever pairs exist, `pix2pix` learns more from "
    "them. It may hide information in invisible patterns to find its way back.",
    differences=("the discriminator is the authors' released one: a logit a patch, no sigmoid under the squared loss",),
    natural=256,
    smallest=5,
)


class ResidualBlock(nn.Module):
    """X + two reflected 3×3 convolutions of x."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), instance_norm(channels), nn.ReLU(True),
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), instance_norm(channels),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same shape."""
        return x + self.conv_block(x)


class Generator(nn.Module):
    """Down twice, `blocks` residual blocks, up twice."""

    def __init__(self, channels: int, out: int, blocks: int, width: int) -> None:
        super().__init__()
        self.accepts = Accepts("cyclegan", channels, CARD.smallest, CARD.natural)
        w = width
        self.model = nn.Sequential(
            nn.ReflectionPad2d(3), nn.Conv2d(channels, w, 7), instance_norm(w), nn.ReLU(True),  #     N,  64, 256, 256
            *down(w, 2 * w),  #                                                                       N, 128, 128, 128
            *down(2 * w, 4 * w),  #                                                                   N, 256,  64,  64
            *(ResidualBlock(4 * w) for _ in range(blocks)),
            *up(4 * w, 2 * w),
            *up(2 * w, w),
            nn.ReflectionPad2d(3), nn.Conv2d(w, out, 7), nn.Tanh(),  #                                N,   3, 256, 256
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C', H, W) in [-1, 1]; where halving rounded up, the last rows and columns are cut off."""
        self.accepts.check(x)
        return self.model(x)[:, :, : x.shape[2], : x.shape[3]]


def down(before: int, after: int) -> list[nn.Module]:
    """A convolution of stride 2."""
    return [nn.Conv2d(before, after, 3, stride=2, padding=1), instance_norm(after), nn.ReLU(True)]


def up(before: int, after: int) -> list[nn.Module]:
    """A transposed convolution that doubles exactly."""
    convolution = nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1)
    return [convolution, instance_norm(after), nn.ReLU(True)]


class CycleGAN(nn.Module):
    """Two generators and two discriminators. See `cyclegan`."""

    heads = ()

    def __init__(self, channels: int, out: int, blocks: int, width: int, layers: int) -> None:
        super().__init__()
        self.accepts = Accepts("cyclegan", channels, CARD.smallest, CARD.natural)
        self.generator_ab = Generator(channels, out, blocks, width)
        self.generator_ba = Generator(out, channels, blocks, width)
        self.discriminator_a = PatchGAN("cyclegan", channels, width, layers, instance_norm)
        self.discriminator_b = PatchGAN("cyclegan", out, width, layers, instance_norm)
        self.apply(initialize)

    def forward(self, a: Tensor) -> Tensor:
        """Pictures of A → of B."""
        return self.generator_ab(a)

    def cycles(self, a: Tensor, b: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """The paper's figure 3: (fake B, A again), (fake A, B again)."""
        fake_b, fake_a = self.generator_ab(a), self.generator_ba(b)
        return (fake_b, self.generator_ba(fake_b)), (fake_a, self.generator_ab(fake_a))


@register("translate network")
@about(CARD)
def cyclegan(
    in_channels: int = 3,
    *,
    out_channels: int | None = None,
    blocks: int = 9,
    width: int = 64,
    layers: int = 3,
    weights: Source = None,
) -> CycleGAN:
    """CycleGAN: nine residual blocks from 256 pixels on; the paper uses six below.

    `out_channels`: of domain B, as in A by default. `layers`: halvings in the discriminators; 3 see 70 × 70 pixels.
    """
    return load(CycleGAN(in_channels, out_channels or in_channels, blocks, width, layers), weights, {})
