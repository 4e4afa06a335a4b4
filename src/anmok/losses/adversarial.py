"""What the two players of a GAN descend, each from the discriminator's outputs; above zero means "real".

    play = ADVERSARIAL["non-saturating"]
    play.discriminator(real, fake)   play.generator(fake)

`real` and `fake` are what the discriminator says of real and of drawn pictures: (N,), or maps of verdicts on patches.
Each loss is a mean over all verdicts, computed in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import relu, softplus


@dataclass(frozen=True)
class Adversarial:
    """One form of the game: the discriminator's loss of (real, fake) and the generator's of (fake)."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]
    source: str


def logistic(real: Tensor, fake: Tensor) -> Tensor:
    """−log D(real) − log(1 − D(fake)) of logits. 2 ln 2 = 1.386294 where D is ½ everywhere, the game's optimum."""
    return softplus(-real.float()).mean() + softplus(fake.float()).mean()


def non_saturating(fake: Tensor) -> Tensor:
    """−log D(fake): strong gradients where log(1 − D(fake)) has none. ln 2 = 0.693147 at the optimum."""
    return softplus(-fake.float()).mean()


def least_squares(real: Tensor, fake: Tensor) -> Tensor:
    """½ (D(real) − 1)² + ½ D(fake)².

    >>> import torch
    >>> round(least_squares(torch.tensor([0.9, 0.6]), torch.tensor([0.2, 0.7])).item(), 6)
    0.175
    """
    return ((real.float() - 1).square().mean() + fake.float().square().mean()) / 2


def least_squares_generator(fake: Tensor) -> Tensor:
    """(D(fake) − 1)².

    >>> import torch
    >>> round(least_squares_generator(torch.tensor([0.2, 0.7])).item(), 6)
    0.365
    """
    return (fake.float() - 1).square().mean()


def hinge(real: Tensor, fake: Tensor) -> Tensor:
    """max(0, 1 − D(real)) + max(0, 1 + D(fake)): verdicts that are right by a margin of 1 count no more."""
    return relu(1 - real.float()).mean() + relu(1 + fake.float()).mean()


def wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """D(fake) − D(real); the discriminator must be kept 1-Lipschitz, see `penalties.gradient_penalty`."""
    return fake.float().mean() - real.float().mean()


def raised(fake: Tensor) -> Tensor:
    """−D(fake): the generator's side of both hinge and Wasserstein."""
    return -fake.float().mean()


ADVERSARIAL: Mapping[str, Adversarial] = {
    "non-saturating": Adversarial(logistic, non_saturating, "Goodfellow et al.: Generative Adversarial Nets, 2014"),
    "least-squares": Adversarial(
        least_squares, least_squares_generator, "Mao et al.: Least Squares GANs, 2017, with CycleGAN's ½ before D's"
    ),
    "hinge": Adversarial(hinge, raised, "Lim, Ye: Geometric GAN, 2017"),
    "wasserstein": Adversarial(wasserstein, raised, "Arjovsky, Chintala, Bottou: Wasserstein GAN, 2017"),
}
