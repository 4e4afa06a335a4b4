"""From decoded pixels to the square a network sees: the same few lines in training, prediction and the shipped model.

What is cached has the side `store`; validation and prediction look at its centre of side `size`, training crops from
it at random. The classic "resize 256, crop 224" is `Preparation(size=224, store=256)`.

Masks and boxes follow by the same arithmetic: `Preparation.geometry` says where an original picture's pixels went.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image

from anmok.core.colour import pixels_of
from anmok.core.errors import UsageError
from anmok.core.geometry import Geometry, resample_mask
from anmok.core.resizing import RESIZER, Box, resize, size_of

FITS = ("crop", "squash", "pad", "window")
INTERPOLATIONS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
}


@dataclass(frozen=True)
class Preparation:
    """How pictures of any shape become uint8 (store, store, channels), and what the network subtracts and divides by.

    Args:
        size: side in pixels of what the network sees.
        store: side in pixels of what is cached, at least `size`.
        channels: 1 (grey) or 3 (sRGB).
        fit: "crop" keeps the proportions and the central square; "squash" ignores the proportions; "pad" keeps the
            whole picture and fills the rest with the mean colour, which is zero once normalised (letterboxing);
            "window" keeps every pixel as it is: training cuts windows of side `store` from the whole picture,
            prediction goes over it tile by tile.
        interpolation: "bilinear", "bicubic" (both anti-aliased) or "nearest" (pixels that are class ids).
        mean, std: one number a channel, for pixels scaled to [0, 1].
        exact: resized by Pillow, as published weights were measured; else by what `core.resizing` has that is fastest,
            within a level of it.

    Raises:
        UsageError: a value is outside these.
    """

    size: int
    store: int
    channels: int = 3
    fit: str = "crop"
    interpolation: str = "bilinear"
    mean: Sequence[float] = (0.5, 0.5, 0.5)
    std: Sequence[float] = (0.5, 0.5, 0.5)
    exact: bool = False

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            object.__setattr__(self, name, tuple(float(value) for value in getattr(self, name)))
        _allow("channels", self.channels, (1, 3))
        _allow("fit", self.fit, FITS)
        _allow("interpolation", self.interpolation, tuple(INTERPOLATIONS))
        if not 1 <= self.size <= self.store:
            raise UsageError(
                "the picture size does not fit",
                got=f"size={self.size}, store={self.store}",
                allowed="1 <= size <= store",
            )
        if not len(self.mean) == len(self.std) == self.channels or min(self.std) <= 0:
            raise UsageError(
                "mean and std do not fit the channels",
                got=f"mean={self.mean}, std={self.std}",
                allowed=f"{self.channels} number(s) each, std above 0",
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one stored picture, or of one window of it: (store, store, channels)."""
        return self.store, self.store, self.channels

    @property
    def at_least(self) -> int | None:
        """Side that large JPEGs may be decoded at reduced size for (see `core.pictures.decode`); None: never."""
        return None if self.fit == "window" else self.store

    @property
    def fill(self) -> tuple[int, ...]:
        """The colour where there is no picture, uint8 a channel: the mean."""
        return tuple(_level(value) for value in self.mean)

    @property
    def pixel_settings(self) -> dict[str, Any]:
        """The settings that stored pixels depend on: what a cache must be keyed by."""
        if self.fit == "window":
            return {"channels": self.channels, "fit": self.fit}
        settings = {name: getattr(self, name) for name in ("store", "channels", "fit", "interpolation")}
        settings["resizer"] = "pillow" if self.exact else RESIZER
        return settings | ({"fill": self.mean} if self.fit == "pad" else {})

    def fitted(self, picture: Image.Image | np.ndarray, original: tuple[int, int]) -> np.ndarray:
        """As `fit_picture`."""
        return fit_picture(picture, self, original)

    def geometry(self, original: tuple[int, int], *, seen: bool = False) -> Geometry:
        """Where a picture of `original` size (height, width) lies in what is stored; `seen`: in its central `size`.

        >>> Preparation(64, 64, fit="pad").geometry((100, 200)).boxes(np.array([[0, 0, 200, 100]])).tolist()
        [[0.0, 16.0, 64.0, 48.0]]
        """
        height, width = original
        store = self.store
        if self.fit == "window":
            return Geometry()
        if self.fit == "crop":
            whole, (left, top) = self._whole(original), self._corner(original)
            stored = Geometry((whole[0] / width, whole[1] / height), (-left, -top))
        elif self.fit == "squash":
            stored = Geometry((store / width, store / height))
        else:
            inner = self._inner(original)
            offset = ((store - inner[0]) // 2, (store - inner[1]) // 2)
            stored = Geometry((inner[0] / width, inner[1] / height), offset)
        margin = -((store - self.size) // 2)
        return stored.then(Geometry(offset=(margin, margin))) if seen else stored

    def _whole(self, original: tuple[int, int]) -> tuple[int, int]:
        """Width and height of a whole picture of (height, width) whose shorter side fills the stored square.

        In whole pixels, as torchvision's and timm's `Resize` has it: weights were measured on pictures made so.
        """
        height, width = original
        return max(self.store, self.store * width // height), max(self.store, self.store * height // width)

    def _corner(self, original: tuple[int, int]) -> tuple[int, int]:
        """Where in that whole picture (x, y) the stored square begins, as `CenterCrop` has it."""
        width, height = self._whole(original)
        return round((width - self.store) / 2), round((height - self.store) / 2)

    def _inner(self, original: tuple[int, int]) -> tuple[int, int]:
        """Width and height of a whole picture of (height, width) in the stored square."""
        height, width = original
        longer = max(original)
        return max(1, round(width * self.store / longer)), max(1, round(height * self.store / longer))

    def to_json(self) -> dict[str, Any]:
        """Plain values for a card or settings file."""
        return asdict(self) | {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Preparation:
        """The inverse of `to_json`."""
        return cls(**values)


def _allow(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{name} is unknown", got=repr(value), allowed=", ".join(map(repr, allowed)))


def fit_picture(
    picture: Image.Image | np.ndarray, preparation: Preparation, original: tuple[int, int] | None = None
) -> np.ndarray:
    """A picture → uint8 (store, store, channels); with fit "window", (H, W, channels).

    A picture that is right already is returned itself, not copied. Grey is Rec. 601 luma, as Pillow computes it;
    grey → RGB repeats. Smaller pictures are enlarged.

    Args:
        picture: uint8 (H, W, 1 or 3), or upright in Pillow's hands, L or RGB: two copies fewer.
        original: the size (height, width) that `Preparation.geometry` will be asked for, where the picture was decoded
            at a reduced one.
    """
    if isinstance(picture, np.ndarray) and picture.shape == preparation.shape:
        return picture
    if preparation.channels == 1:
        picture = _grey(picture)
    width, height = size_of(picture)
    store = preparation.store
    if (height, width) != (store, store) and preparation.fit != "window":
        pixels = _resized(picture, preparation, (height, width), original or (height, width))
    else:
        pixels = picture if isinstance(picture, np.ndarray) else pixels_of(picture)
    return pixels if pixels.shape[2] == preparation.channels else np.repeat(pixels, preparation.channels, axis=2)


def _grey(picture: Image.Image | np.ndarray) -> Image.Image | np.ndarray:
    if isinstance(picture, np.ndarray):
        return picture if picture.shape[2] == 1 else np.asarray(Image.fromarray(picture).convert("L"))[..., None]
    return picture if picture.mode == "L" else picture.convert("L")


def _resized(
    picture: Image.Image | np.ndarray, preparation: Preparation, shape: tuple[int, int], original: tuple[int, int]
) -> np.ndarray:
    """A picture of `shape` (height, width) in the stored square: uint8 (store, store, 1 or 3)."""
    store, resample = preparation.store, INTERPOLATIONS[preparation.interpolation]
    if preparation.fit == "crop":
        return resize(
            picture, (store, store), resample, _central_box(shape, original, preparation), exact=preparation.exact
        )
    if preparation.fit == "squash":
        return resize(picture, (store, store), resample, exact=preparation.exact)
    inner = resize(picture, preparation._inner(original), resample, exact=preparation.exact)
    height, width, channels = inner.shape
    colour = channels == preparation.channels
    fill = preparation.fill if colour else (_level(sum(preparation.mean) / len(preparation.mean)),)
    canvas = np.full((store, store, channels), fill, np.uint8)
    top, left = (store - height) // 2, (store - width) // 2
    canvas[top : top + height, left : left + width] = inner
    return canvas


def _central_box(shape: tuple[int, int], original: tuple[int, int], preparation: Preparation) -> Box:
    """Corners (left, top, right, bottom) in pixels of `shape` of the central square that is stored.

    Resizing this part only equals resizing all and cropping, and a 1 × 1000 strip stays affordable.
    """
    height, width = shape
    store, whole, (left, top) = preparation.store, preparation._whole(original), preparation._corner(original)
    across, down = width / whole[0], height / whole[1]
    return left * across, top * down, min(width, (left + store) * across), min(height, (top + store) * down)


def _level(value: float) -> int:
    return round(255 * min(max(value, 0.0), 1.0))


def fit_mask(mask: np.ndarray, preparation: Preparation, fill: int) -> np.ndarray:
    """Ids (H, W) of a whole original picture → (store, store) where `fit_picture` puts its pixels, never interpolated.

    `fill` stands where "pad" adds a border. With fit "window" the mask is returned itself.
    """
    store = (preparation.store, preparation.store)
    if preparation.fit == "window" or mask.shape == store:
        return mask
    return resample_mask(mask, preparation.geometry((mask.shape[0], mask.shape[1])), store, fill)


def in_own_size(picture: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """A square picture uint8 (S, S, C), made from one that was squashed, stretched back to (height, width, …)."""
    height, width = shape[:2]
    if picture.shape[:2] == (height, width):
        return picture
    return resize(picture, (width, height), Image.Resampling.BICUBIC)


def centre_crop(pixels: np.ndarray, size: int) -> np.ndarray:
    """The central (size, size) of pixels (…, H, W, C), as a view; an odd remainder goes to the lower right.

    Raises:
        UsageError: the pixels are smaller than `size`.
    """
    height, width = pixels.shape[-3:-1]
    if min(height, width) < size:
        raise UsageError("the picture is smaller than the crop", got=f"{width} × {height}", allowed=f"{size} or more")
    top, left = (height - size) // 2, (width - size) // 2
    return pixels[..., top : top + size, left : left + size, :]
