"""Augmentation of whole batches: every random number comes from the batch's own generator.

Geometry is drawn as one affine map a picture, so that what moves a picture can move its mask and boxes as well. Where
the map is a whole-pixel shift or a flip, pixels are copied; only rotation and zoom interpolate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from anmok.core.errors import UsageError
from anmok.core.resizing import resize
from anmok.data.moving import Moves, few_at_once

_LARGE = 64  # pixels a side from which parts are enlarged one by one: a fifth of the time, but not of small ones
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
_RANGES: dict[str, tuple[float, float]] = {
    "rotate": (0, 180),
    "shift": (0, 0.5),
    "crop": (0.1, 1),
    "colour": (0, 1),
    "cutout": (0, 1),
    "mixup": (0, 10),
    "expand": (1, 4),
    "stretch": (0, 1),
    "elastic": (0, 0.2),
    "mosaic": (0, 1),
}


@dataclass(frozen=True)
class Augment:
    """What training does to each picture, each epoch anew. The default does nothing but a random crop of the margin.

    Args:
        flip: mirror left and right; the two halves of the pictures take turns, so that two epochs show both sides of
            every picture (Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, arXiv:2404.00498).
        rotate: largest angle in degrees, either way.
        shift: largest move as a fraction of the side, either way; the border is repeated outward.
        crop: smallest side of a random crop as a fraction of the side, enlarged again; 1 means none.
        colour: largest relative change of brightness, contrast and (for colour pictures) saturation.
        cutout: side of a grey square as a fraction of the side (DeVries & Taylor, 2017, arXiv:1708.04552).
        mixup: α of the Beta(α, α) weight with which pairs are blended (Zhang et al., 2018, arXiv:1710.09412).
        flip_vertical: mirror up and down, every other picture by chance: where nothing in them is upright.
        expand: largest side of the view as a fraction of the side; above 1 pictures shrink into a larger ground, as
            SSD's do (Liu et al., 2016, arXiv:1512.02325).
        stretch: largest relative change of width over height, either way.
        elastic: standard deviation, as a fraction of the side, of displacements drawn on a 3 × 3 grid and interpolated
            bicubically, as U-Net's (Ronneberger et al., 2015, arXiv:1505.04597; its 10 pixels of 512 are 0.02).
        mosaic: share of pictures put together from four (Bochkovskiy et al., "YOLOv4", 2020, arXiv:2004.10934).
    """

    flip: bool = False
    rotate: float = 0.0
    shift: float = 0.0
    crop: float = 1.0
    colour: float = 0.0
    cutout: float = 0.0
    mixup: float = 0.0
    flip_vertical: bool = False
    expand: float = 1.0
    stretch: float = 0.0
    elastic: float = 0.0
    mosaic: float = 0.0

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"augmentation {name} is out of range", got=value, allowed=f"{low} to {high}")

    def but(self, **chosen: Any) -> Augment:
        """The same augmentation with what the person chose; None means not chosen."""
        return replace(self, **{name: value for name, value in chosen.items() if value is not None})

    def to_json(self) -> dict[str, Any]:
        """Plain values, as the run's card stores them."""
        return asdict(self)

    def __call__(
        self, pixels: np.ndarray, size: int, generator: np.random.Generator, epoch: int, rows: np.ndarray
    ) -> tuple[np.ndarray, Mapping[str, Any]]:
        """Augment stored pictures (n, store, store, C) to (n, size, size, C), both uint8.

        `rows` identify the pictures in all epochs. The mapping holds `partner` (int64 (n,)) and `weight` (float) where
        `mixup` is on: the loss blends picture i with picture partner[i], see `blend`.
        """
        flipped = taking_turns(rows, epoch) if self.flip else np.zeros(len(pixels), bool)
        if self.mosaic:
            raise UsageError("a mosaic shows four classes at once", got=f"mosaic={self.mosaic}", fix="mosaic=0")
        if self.flip_vertical or self.expand > 1 or self.stretch or self.elastic:
            out = self.moves(len(pixels), pixels.shape[1], size, generator, flipped).pictures(pixels, None)
        elif not self.rotate and self.crop == 1:
            out = self._copied(pixels, size, generator, flipped)
        elif self.rotate or self.shift or size < _LARGE:
            out = self._warped(pixels, size, generator, flipped)
        else:
            out = self._cropped(pixels, size, generator, flipped)
        out = self.recoloured(out, generator)
        if not self.mixup:
            return out, {}
        weight = float(generator.beta(self.mixup, self.mixup))
        return out, {"partner": generator.permutation(len(out)), "weight": max(weight, 1 - weight)}

    def _copied(self, pixels: np.ndarray, size: int, generator: np.random.Generator, flipped: np.ndarray) -> np.ndarray:
        """Whole-pixel shifts, the margin's random crop and flips: one slice a picture where they move at all."""
        margin = round(self.shift * size)
        if margin == 0 and pixels.shape[1] == size:
            return mirrored(pixels, flipped)
        padded = np.pad(pixels, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="edge") if margin else pixels
        room = padded.shape[1] - size + 1
        corners = generator.integers(0, room, (len(pixels), 2))
        out = np.empty((len(pixels), size, size, pixels.shape[3]), np.uint8)
        for picture, window, (top, left), mirror in zip(padded, out, corners.tolist(), flipped.tolist(), strict=True):
            part = picture[top : top + size, left : left + size]
            window[:] = part[:, ::-1] if mirror else part
        return out

    def _warped(self, pixels: np.ndarray, size: int, generator: np.random.Generator, flipped: np.ndarray) -> np.ndarray:
        """Rotation, zoom, shift and flip as one bilinear affine map a picture (grid_sample, border repeated)."""
        n, store = len(pixels), pixels.shape[1]
        maps = torch.from_numpy(self._maps(n, store, size, generator, np.where(flipped, -1.0, 1.0), np.ones(n))).float()
        out = torch.empty((n, size, size, pixels.shape[3]), dtype=torch.uint8)
        for part in few_at_once(n, pixels[0].size):
            pictures = torch.tensor(pixels[part]).permute(0, 3, 1, 2).float()
            grid = F.affine_grid(maps[part], [*pictures.shape[:2], size, size], align_corners=False)
            moved = F.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)
            out[part] = moved.round_().permute(0, 2, 3, 1)
        return out.numpy()

    def _cropped(
        self, pixels: np.ndarray, size: int, generator: np.random.Generator, flipped: np.ndarray
    ) -> np.ndarray:
        """As `_warped` where nothing turns or leaves the picture, within a level or two: a part of each, enlarged."""
        n, store = len(pixels), pixels.shape[1]
        maps = self._maps(n, store, size, generator, np.where(flipped, -1.0, 1.0), np.ones(n))
        half, middle = np.abs(maps[:, :1, 0]), maps[:, :, 2]
        corners = (np.concatenate([middle - half, middle + half], 1).clip(-1, 1) + 1) * store / 2
        out = np.empty((n, size, size, pixels.shape[3]), np.uint8)
        for picture, window, (left, top, right, bottom), mirror in zip(pixels, out, corners, flipped, strict=True):
            part = resize(picture, (size, size), Image.Resampling.BILINEAR, (left, top, right, bottom))
            window[:] = part[:, ::-1] if mirror else part
        return out

    def _maps(
        self, n: int, store: int, size: int, generator: np.random.Generator, across: np.ndarray, down: np.ndarray
    ) -> np.ndarray:
        """float64 (n, 2, 3): view → stored picture, both from -1 to 1; `across`, `down` (n,) are -1 where mirrored."""
        angle = np.radians(generator.uniform(-self.rotate, self.rotate, n))
        # The middle of the stored picture is what evaluation sees; 1.0 would be the whole stored side.
        zoom = generator.uniform(self.crop, self.expand, n) * size / store
        room = np.abs(1 - zoom)[:, None] + 2 * self.shift
        move = generator.uniform(-1, 1, (n, 2)) * room
        if self.stretch:
            wider = np.exp(generator.uniform(-0.5, 0.5, n) * np.log1p(self.stretch))
            across, down = across * wider, down / wider
        cos, sin = np.cos(angle) * zoom, np.sin(angle) * zoom
        return np.stack(
            [np.stack([cos * across, -sin * down, move[:, 0]], 1), np.stack([sin * across, cos * down, move[:, 1]], 1)],
            1,
        )

    def moves(self, n: int, store: int, size: int, generator: np.random.Generator, flipped: np.ndarray) -> Moves:
        """How n stored pictures of side `store` become n of side `size`: for pictures with masks and boxes.

        `flipped` bool (n,): which are mirrored left and right, see `taking_turns`.
        """
        across = np.where(flipped, -1.0, 1.0)
        down = np.where(generator.random(n) < 0.5, -1.0, 1.0) if self.flip_vertical else np.ones(n)
        turns = np.zeros((n, 2, 2))
        if self.rotate or self.crop < 1 or self.expand > 1 or self.stretch:
            maps = self._maps(n, store, size, generator, across, down)
            turns[:] = maps[:, :, :2] * store / size
            middle = store / 2 * (1 + maps[:, :, 2])
        else:
            turns[:, 0, 0], turns[:, 1, 1] = across, down
            margin = round(self.shift * size)
            corners = generator.integers(0, store + 2 * margin - size + 1, (n, 2)) - margin
            middle = np.asarray(corners + size / 2, np.float64)
        look = np.concatenate([turns, (middle - turns.sum(2) * size / 2)[:, :, None]], 2)
        return Moves.whole(look, size, self._bend(n, store, size, generator) if self.elastic else None)

    def _bend(self, n: int, store: int, size: int, generator: np.random.Generator) -> np.ndarray:
        """Displacements float32 (n, 2, size, size) in stored pixels."""
        coarse = generator.normal(0, self.elastic * store, (n, 2, 3, 3)).astype(np.float32)
        return F.interpolate(torch.from_numpy(coarse), (size, size), mode="bicubic", align_corners=True).numpy()

    def keeps_places(self, store: int, size: int) -> bool:
        """Whether pictures of side `store` shown at `size` are mirrored left and right at most."""
        moved = self.rotate or self.crop < 1 or self.flip_vertical or self.expand > 1 or self.stretch or self.elastic
        return store == size and not moved and round(self.shift * size) == 0

    def recoloured(self, pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """What moves nothing, on pictures (n, size, size, C): other colours, and a square cut out. May be in place."""
        if self.colour:
            pixels = self._coloured(pixels, generator)
        if self.cutout:
            self._cut(pixels, generator)
        return pixels

    def _coloured(self, pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Brightness, contrast around the mean, saturation around the grey picture, each by its own factor.

        One after the other they are a linear map of a pixel's channels and one constant a picture, computed in one go.
        """
        n, channels = len(pixels), pixels.shape[3]
        factors = generator.uniform(1 - self.colour, 1 + self.colour, (3, n, 1, 1)).astype(np.float32)
        brightness, contrast, saturation = (torch.from_numpy(factor) for factor in factors)
        x = torch.from_numpy(pixels).float().reshape(n, -1, channels)
        constant = (1 - contrast) * brightness * x.mean((1, 2), keepdim=True)
        gain = contrast * brightness
        if channels == 3:
            grey = torch.tensor(_LUMA)[:, None].expand(3, 3)  # from each channel into all
            x = torch.baddbmm(constant, x, gain * (saturation * torch.eye(3) + (1 - saturation) * grey))
        else:
            x = torch.addcmul(constant, x, gain)
        return x.clamp_(0, 255).round_().to(torch.uint8).reshape(pixels.shape).numpy()

    def _cut(self, pixels: np.ndarray, generator: np.random.Generator) -> None:
        """A square of the batch's mean grey, its centre anywhere in the picture."""
        size = pixels.shape[1]
        half = max(1, round(self.cutout * size / 2))
        grey = np.uint8(round(float(pixels.mean())))
        for picture, (y, x) in zip(pixels, generator.integers(0, size, (len(pixels), 2)).tolist(), strict=True):
            picture[max(0, y - half) : y + half, max(0, x - half) : x + half] = grey


def taking_turns(rows: np.ndarray, epoch: int) -> np.ndarray:
    """Who is mirrored: True for a fixed pseudo-random half of all rows in even epochs, for the other in odd ones."""
    mixed = rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing: the top bit is well mixed
    return ((mixed >> np.uint64(63)).astype(np.int64) + epoch) % 2 == 0


def mirrored(pixels: np.ndarray, flipped: np.ndarray) -> np.ndarray:
    """A copy of pictures (n, H, W, C), those `flipped` bool (n,) mirrored left and right."""
    out = pixels.copy()
    out[flipped] = pixels[flipped, :, ::-1]
    return out


def blend(values: torch.Tensor, extra: Mapping[str, Any]) -> torch.Tensor:
    """Mixup: `weight`·values + (1 − `weight`)·values[`partner`]; unchanged where the batch is not mixed."""
    if "partner" not in extra:
        return values
    return torch.lerp(values[torch.as_tensor(extra["partner"])], values, extra["weight"])
