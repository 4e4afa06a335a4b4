"""The evidence lower bound of variational autoencoders (Kingma, Welling: Auto-Encoding Variational Bayes, ICLR 2014).

    −ELBO = −E log p(x | z) + β · KL(q(z | x) ‖ N(0, 1))

β is 1 in the paper. Above 1 codes are pressed towards independent factors at the price of detail (Higgins et al.:
β-VAE, ICLR 2017); below 1 pictures are sharper and draws from N(0, 1) worse.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from anmok.core.errors import UsageError
from anmok.core.registry import register


def kl_divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, 1)) = ½ Σ (μ² + σ² − log σ² − 1), nats a picture: (N, D), (N, D) → (N,).

    >>> import math, torch
    >>> mean, logvar = torch.tensor([[1.0, -0.5]]), torch.tensor([[0.0, math.log(0.25)]])
    >>> round(kl_divergence(mean, logvar).item(), 6)   # ½ + 0.443147
    0.943147
    """
    mean, logvar = mean.float(), logvar.float()
    return 0.5 * (mean.square() + logvar.exp() - logvar - 1).flatten(1).sum(1)


@register("loss")
def negative_evidence(logits: Tensor, targets: Tensor, mean: Tensor, logvar: Tensor, beta: float = 1.0) -> Tensor:
    """−ELBO with a Bernoulli a value, nats a picture: cross entropy summed over a picture's values, plus β·KL.

    Args:
        logits: (N, C, H, W), decoded from one draw of each posterior.
        targets: intensities in [0, 1], of the same shape.
        mean, logvar: of the posteriors, (N, D).
        beta: weight of the KL term, 0 or more.

    Returns:
        The mean over pictures, a float32 scalar.

    Raises:
        UsageError: shapes differ, or β is negative.
    """
    if logits.shape != targets.shape:
        got, allowed = tuple(logits.shape), tuple(targets.shape)
        raise UsageError("reconstructions do not fit their targets", got=got, allowed=allowed)
    if beta < 0:
        raise UsageError("β weighs the KL term", got=beta, allowed="0 or more", fix="1, as in the paper")
    surprise = F.binary_cross_entropy_with_logits(logits.float(), targets.float(), reduction="sum") / len(logits)
    return surprise + beta * kl_divergence(mean, logvar).mean()
