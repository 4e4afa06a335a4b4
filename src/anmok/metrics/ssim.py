"""Structural similarity (Wang, Bovik, Sheikh, Simoncelli: Image Quality Assessment, IEEE TIP 13(4), 2004)."""

from __future__ import annotations

from numpy.typing import ArrayLike

from anmok.metrics._figure import Floats, picture_metric
from anmok.metrics._pictures import checked_pictures

DEVIATION, RADIUS = 1.5, 5  # the paper's window: a Gaussian of 11 × 11
STEADY = (0.01**2, 0.03**2)  # keep both quotients finite where pictures are flat


@picture_metric("max")
def ssim(pictures: ArrayLike, references: ArrayLike) -> Floats:
    """How alike luminance, contrast and structure are around every pixel: each picture's mean (N,), at most 1.

    Windows that reach over the edge do not count, and channels count alike. Pictures smaller than the window have a
    smaller one.

    Args:
        pictures, references: (N, H, W, C), uint8 or floats in [0, 1].
    """
    x, y = checked_pictures(pictures, references)
    radius = min(RADIUS, (min(x.shape[1:3]) - 1) // 2)
    mean_x, mean_y = _windowed(x, radius), _windowed(y, radius)
    variance_x = _windowed(x * x, radius) - mean_x**2
    variance_y = _windowed(y * y, radius) - mean_y**2
    together = _windowed(x * y, radius) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + STEADY[0]) / (mean_x**2 + mean_y**2 + STEADY[0])
    structure = (2 * together + STEADY[1]) / (variance_x + variance_y + STEADY[1])
    return (luminance * structure).mean((1, 2, 3))


def _windowed(x: Floats, radius: int) -> Floats:
    """Weighted means over the windows that lie inside the picture."""
    from scipy.ndimage import gaussian_filter1d

    for axis in (1, 2):
        x = gaussian_filter1d(x, DEVIATION, axis=axis, radius=radius)
    return x[:, radius : x.shape[1] - radius, radius : x.shape[2] - radius]
