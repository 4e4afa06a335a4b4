"""The evidence lower bound of a variational autoencoder, picture by picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.errors import UsageError
from anmok.metrics._figure import Floats


def evidence(logits: ArrayLike, targets: ArrayLike, mean: ArrayLike, logvar: ArrayLike) -> Floats:
    """log p(x | z) − KL(q(z | x) ‖ N(0, 1)), nats a picture (N,): at most log p(x). Kingma & Welling, ICLR 2014.

    Args:
        logits: decoded from a draw of each posterior, (N, …); every value is a Bernoulli's.
        targets: intensities in [0, 1], of the same shape.
        mean, logvar: of the posteriors, (N, D).

    >>> evidence([[0.0, 0.0]], [[1.0, 0.0]], [[1.0, -0.5]], [[0.0, np.log(0.25)]]).round(6)  # −2 ln 2 − 0.943147
    array([-2.329442])
    """
    x, t, mu, lv = (np.asarray(values, dtype=np.float64) for values in (logits, targets, mean, logvar))
    if x.shape != t.shape or mu.shape != lv.shape or mu.ndim != 2 or len(x) != len(mu):
        raise UsageError("shapes do not fit", got=f"{x.shape}, {t.shape}, {mu.shape}, {lv.shape}",
                         allowed="(N, …) twice, (N, D) twice")  # fmt: skip
    likelihood = (t * x - np.logaddexp(0, x)).reshape(len(x), -1).sum(1)
    return likelihood - 0.5 * (mu**2 + np.exp(lv) - lv - 1).sum(1)


def bits_per_value(evidence_nats: ArrayLike, values: int) -> Floats:
    """−ELBO in bits for each of a picture's `values` (height · width · channels): comparable across sizes.

    >>> bits_per_value([-2 * np.log(2)], 2)
    array([1.])
    """
    return -np.asarray(evidence_nats, dtype=np.float64) / (values * np.log(2))
