"""PSNR, SSIM, perceptual distance and evidence against scikit-image, torch and hand arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from anmok.core.errors import UsageError
from anmok.metrics import PICTURE_METRICS
from anmok.metrics.evidence import bits_per_value, evidence
from anmok.metrics.perceptual import perceptual_distance
from anmok.metrics.psnr import psnr
from anmok.metrics.ssim import ssim


@pytest.fixture(scope="module", params=[1, 3])
def pair(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    """Three crops of a photograph and noisy copies, uint8 (3, 40, 56, C)."""
    cat = data.chelsea()[..., : request.param]
    clean = np.stack([cat[y : y + 40, x : x + 56] for y, x in ((40, 100), (80, 160), (120, 220))])
    noisy = clean + np.random.default_rng(0).normal(0, [[[[5]]], [[[20]]], [[[60]]]], clean.shape)
    return clean, noisy.clip(0, 255).astype(np.uint8)


def test_psnr_equals_scikit_image(pair: tuple[np.ndarray, np.ndarray]) -> None:
    clean, noisy = pair
    expected = [peak_signal_noise_ratio(a, b) for a, b in zip(clean, noisy, strict=True)]
    np.testing.assert_allclose(psnr(noisy, clean), expected)


def test_ssim_equals_scikit_image(pair: tuple[np.ndarray, np.ndarray]) -> None:
    clean, noisy = pair
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": 2}
    expected = [structural_similarity(a, b, data_range=255, **settings) for a, b in zip(clean, noisy, strict=True)]
    np.testing.assert_allclose(ssim(noisy, clean), expected, atol=1e-9)


@pytest.mark.parametrize("name", PICTURE_METRICS)
def test_equal_pictures_are_best_and_more_noise_is_worse(name: str, pair: tuple[np.ndarray, np.ndarray]) -> None:
    clean, noisy = pair
    figure = PICTURE_METRICS[name]
    sign = 1 if figure.mode == "max" else -1
    values = sign * figure(noisy, clean)
    assert values[0] > values[1] > values[2]
    assert (sign * figure(clean, clean) > values).all()
    np.testing.assert_allclose(figure(noisy / 255, clean / 255), figure(noisy, clean))
    order = [2, 0, 1]
    np.testing.assert_allclose(figure(noisy[order], clean[order]), figure(noisy, clean)[order])


def test_the_smallest_pictures_have_a_similarity() -> None:
    for side in (1, 2, 7):
        x = np.random.default_rng(0).random((2, side, side + 3, 1))
        np.testing.assert_allclose(ssim(x, x), 1)
        assert (ssim(x, 1 - x) < 1).all()


@pytest.mark.parametrize("name", PICTURE_METRICS)
def test_errors_say_what_arrived(name: str) -> None:
    good = np.zeros((2, 8, 8, 1))
    for bad, says in ((good[0], "as a batch"), (good[:1], "do not fit"), (good + 2, "2 to 2"), (good * np.nan, "nan")):
        with pytest.raises(UsageError, match=says):
            PICTURE_METRICS[name](bad, good)


def test_perceptual_distance_by_torch() -> None:
    torch.manual_seed(0)
    first, second = ([torch.randn(3, 8, 6, 5), torch.randn(3, 16, 3, 2)] for _ in range(2))
    cosines = [torch.cosine_similarity(a, b, dim=1) for a, b in zip(first, second, strict=True)]
    expected = sum((2 - 2 * cosine).mean((1, 2)) for cosine in cosines)
    found = perceptual_distance([a.numpy() for a in first], [b.numpy() for b in second])
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5)
    with pytest.raises(UsageError, match="same layers"):
        perceptual_distance(first, second[:1])
    with pytest.raises(UsageError, match="do not fit"):
        perceptual_distance(first, second[::-1])


def test_evidence_by_torch_distributions() -> None:
    from torch.distributions import Bernoulli, Normal, kl_divergence

    torch.manual_seed(0)
    logits, targets = torch.randn(4, 1, 3, 3).double(), torch.rand(4, 1, 3, 3).round().double()
    mean, logvar = torch.randn(2, 4, 5).double()
    expected = Bernoulli(logits=logits).log_prob(targets).sum((1, 2, 3))
    expected -= kl_divergence(Normal(mean, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(1)
    found = evidence(logits.numpy(), targets.numpy(), mean.numpy(), logvar.numpy())
    np.testing.assert_allclose(found, expected.numpy())
    # A coin for each of nine values costs one bit each.
    fair = evidence(np.zeros((1, 9)), np.ones((1, 9)), np.zeros((1, 2)), np.zeros((1, 2)))
    assert bits_per_value(fair, 9).tolist() == pytest.approx([1.0])
    with pytest.raises(UsageError, match="do not fit"):
        evidence(logits, targets[:1], mean, logvar)
