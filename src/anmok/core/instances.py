"""Objects that touch, told apart: maps of whole numbers (H, W), 0 for background, one number an object.

For learning, `touching` marks the seams that a class of its own can be made of. For answers, `split_touching` turns a
mask into numbered objects, from what a network said lies inside them or from the mask's shape alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anmok.core.errors import UsageError

Map = NDArray[np.int32]
NEIGHBOURS = np.ones((3, 3), dtype=bool)  # a pixel touches eight others
MOST_PIXELS = 8_000_000  # larger pictures' objects are not told apart: a watershed would need gigabytes
SMALLEST = 4  # pixels of an object that is no noise


def instance_map(values: ArrayLike) -> NDArray[np.integer]:
    """`values` as a map of objects, or the error that says why it is none."""
    mask = np.asarray(values)
    if mask.ndim != 2 or not np.issubdtype(mask.dtype, np.integer) or (mask < 0).any():
        raise UsageError("an instance mask is a map of whole numbers", got=f"{mask.dtype} of shape {mask.shape}",
                         allowed="integers of 0 or more, (height, width), 0 for background")  # fmt: skip
    return mask


def numbered(mask: NDArray) -> Map:
    """Connected pixels of a bool mask (H, W) as objects 1, 2, …; corners connect.

    >>> numbered(np.array([[True, False, True], [False, True, False]]))
    array([[1, 0, 1],
           [0, 1, 0]], dtype=int32)
    """
    from scipy.ndimage import label

    found, _ = label(mask, structure=NEIGHBOURS)
    return found.astype(np.int32, copy=False)


def two_nearest(instances: ArrayLike, reach: float = np.inf) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance from every pixel to the nearest object and to the second nearest, pixels; inf where beyond `reach`.

    Inside an object the nearest is itself, at 0. Each object is measured in its own surroundings only, so that a
    thousand cells cost little more than one.

    >>> two_nearest([[1, 0, 2]])[1]
    array([[2., 1., 2.]])
    """
    from scipy.ndimage import distance_transform_edt

    mask = instance_map(instances)
    first, second = np.full(mask.shape, np.inf), np.full(mask.shape, np.inf)
    for wide, own in _each(mask, margin=int(min(np.ceil(reach), max(mask.shape)))):
        distance = distance_transform_edt(~own)
        distance[distance > reach] = np.inf
        nearer = distance < first[wide]
        second[wide] = np.where(nearer, first[wide], np.minimum(second[wide], distance))
        first[wide] = np.where(nearer, distance, first[wide])
    return first, second


def touching(instances: ArrayLike, width: float = 2.0) -> NDArray[np.bool_]:
    """The seams between objects: pixels that have two objects within `width` pixels. An object's own pixel has itself.

    Learned as a class of its own, they let touching objects come apart again (`split_touching`), while the outlines
    towards the background stay where they are.

    >>> touching([[1, 1, 1, 2, 2, 2]], width=1).astype(int)
    array([[0, 0, 1, 1, 0, 0]])
    """
    _, second = two_nearest(instances, reach=width)
    return second <= width


def depth_inside(instances: ArrayLike) -> NDArray[np.float64]:
    """How deep each pixel lies in its object: distance to the nearest pixel that is not the object's; background 0.

    Beyond the picture's edge nothing is known, so the edge is no outline; an object that fills the picture is as deep
    as the picture's longer side.

    >>> depth_inside([[0, 1, 1, 1, 2]])
    array([[0., 1., 2., 1., 1.]])
    """
    mask = instance_map(instances)
    depth = np.zeros(mask.shape)
    for wide, own in _each(mask, margin=1):
        depth[wide] += _depth(own)
    return depth


def split_touching(
    foreground: ArrayLike, inside: ArrayLike | None = None, *, depth: float = 1.0, smallest: int = 1
) -> Map:
    """A mask as numbered objects, those that touch set apart by a watershed (Beucher, Lantuéjoul 1979).

    Args:
        foreground: bool (H, W), the pixels of all objects, seams between them included.
        inside: bool (H, W), the foreground without the seams, as a network with a class for seams answers: each
            connected part is one object, and seams go to the nearest. None: objects are guessed from the shape, one for
            each place that lies deeper than its surroundings.
        depth: without `inside`: by how many pixels a neck must be narrower (measured from its middle) than the parts it
            joins, for these to be two objects. Larger values split less.
        smallest: objects of fewer pixels are taken for noise and dropped.

    Raises:
        UsageError: the masks are no maps of one size.
    """
    from scipy.ndimage import distance_transform_edt
    from skimage.segmentation import watershed

    whole = _mask(foreground)
    if inside is None:
        depths = _depth(whole)
        seeds, landscape = numbered(_tops(depths, depth) & whole), -depths
    else:
        core = _mask(inside)
        if core.shape != whole.shape:
            raise UsageError("foreground and inside are of two sizes", got=f"{whole.shape} and {core.shape}")
        seeds = numbered(core & whole)
        landscape = distance_transform_edt(seeds == 0)
    objects = watershed(landscape, seeds, connectivity=NEIGHBOURS, mask=whole).astype(np.int32)
    alone = numbered(whole & (objects == 0))  # a seam with nothing inside is an object, if a thin one
    objects = np.where(alone > 0, alone + objects.max(initial=0), objects)
    areas = np.bincount(objects.ravel())
    kept = (areas >= smallest) & (np.arange(len(areas)) > 0) & (areas > 0)
    return (np.cumsum(kept) * kept).astype(np.int32)[objects]


def objects_of(mask: NDArray[np.uint8], background: int | None, inside: NDArray[np.bool_] | None = None) -> Map | None:
    """Which object each pixel of a class map uint8 (H, W) belongs to: int32 (H, W), 0 for none.

    Args:
        mask: class ids.
        background: the class that is no object.
        inside: bool (H, W), where no seam was answered; None: objects are what hangs together of one class.

    Returns:
        None where the picture is too large for it.
    """
    if mask.size > MOST_PIXELS:
        return None
    found = np.zeros(mask.shape, np.int32)
    for number in np.unique(mask).tolist():
        if number == background:
            continue
        own = mask == number
        parts = numbered(own) if inside is None else split_touching(own, own & inside, smallest=SMALLEST)
        found = np.where(parts > 0, parts + found.max(), found)
    return found


def _each(mask: NDArray[np.integer], margin: int) -> Iterator[tuple[tuple[slice, ...], NDArray[np.bool_]]]:
    """Every object's surroundings, `margin` pixels wider than its box, and its own pixels in them."""
    from scipy.ndimage import find_objects

    numbers, places = np.unique(mask, return_inverse=True)
    ranks = places.reshape(mask.shape) + (0 if numbers[0] == 0 else 1)  # 0 background, 1 … objects, none left out
    for rank, box in enumerate(find_objects(ranks), start=1):
        wide = tuple(slice(max(0, side.start - margin), side.stop + margin) for side in box)
        yield wide, ranks[wide] == rank


def _depth(own: NDArray[np.bool_]) -> NDArray[np.float64]:
    from scipy.ndimage import distance_transform_edt

    if own.all():  # there is no outline to measure from
        return np.full(own.shape, float(max(own.shape)))
    return distance_transform_edt(own)


def _tops(depths: NDArray[np.float64], rise: float) -> NDArray[np.bool_]:
    """Places that rise at least `rise` above every pass to a higher place (h-maxima; Soille 1999)."""
    from skimage.morphology import local_maxima, reconstruction

    return local_maxima(reconstruction(depths - rise, depths), connectivity=2)


def _mask(values: ArrayLike) -> NDArray[np.bool_]:
    mask = np.asarray(values)
    if mask.ndim != 2:
        raise UsageError("a mask is a map", got=f"shape {mask.shape}", allowed="(height, width)")
    return mask.astype(bool)
