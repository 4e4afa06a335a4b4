"""Receptive fields, exactly: which input pixels each element of a tensor can see.

For one picture axis a `Field` holds, for every element of a tensor, the first and the last input position it depends
on. Padding does not stop the count: a position left of the picture is negative, as in the usual arithmetic
r ← r + (k − 1)·d·j, j ← j·s (Dumoulin and Visin, arXiv:1603.07285; Araujo et al., distill.pub/2019/
computing-receptive-fields), which this reproduces wherever that formula applies. Because positions are kept and not
only sizes, it also holds where the formula does not: branches that do not line up, transposed convolutions whose
outputs see more or less depending on their position, tokens, windows, shuffles.

Arrays are broadcastable to the tensor's shape and have size 1 wherever nothing changes, so they stay small.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

_NOTHING = 1 << 40  # "sees no pixel": first = +_NOTHING, last = −_NOTHING, neutral under min and max
_LARGEST = 1 << 20  # elements an array may have before it is replaced by its hull


@dataclass(frozen=True)
class Field:
    """First and last input position that each element of a tensor depends on, along one picture axis.

    Args:
        first, last: int64, as many dimensions as the tensor, size 1 where all positions agree.
        dim: the tensor's dimension that walks along this picture axis, None once there is none (after flattening).
        jump: input positions between two neighbours along `dim`; None where there is no even spacing.
    """

    first: np.ndarray
    last: np.ndarray
    dim: int | None
    jump: Fraction | None

    @classmethod
    def of_input(cls, size: int, ndim: int, dim: int) -> Field:
        """The input itself: position i sees position i."""
        shape = [1] * ndim
        shape[dim] = size
        positions = np.arange(size, dtype=np.int64).reshape(shape)
        return cls(positions, positions, dim, Fraction(1))

    @classmethod
    def of_nothing(cls, ndim: int) -> Field:
        """A constant: sees no pixel."""
        return cls(np.full([1] * ndim, _NOTHING), np.full([1] * ndim, -_NOTHING), None, None)

    @property
    def sizes(self) -> np.ndarray:
        """Width of the field of every element that sees anything, flattened."""
        seen = self.first <= self.last
        return (self.last - self.first + 1)[seen]

    def varies(self, dim: int) -> bool:
        """Whether position along the tensor's dimension `dim` matters."""
        return dim == self.dim or self.first.shape[dim] > 1

    def gather(self, dim: int, taps: np.ndarray, jump: Fraction | int = 1, mask: np.ndarray | None = None) -> Field:
        """Output o along `dim` reads the positions `taps[o]`: windows of every kind come down to this.

        Args:
            dim: the tensor's dimension the window walks along.
            taps: (outputs, window) positions, which may lie outside the tensor (padding).
            jump: by how much the spacing of neighbours grows: a convolution's stride, 1/scale for upsampling.
            mask: (outputs, window), False where a tap does not exist (transposed convolutions, ragged windows).
        """
        if not self.varies(dim):
            return self
        first, last = self._read(dim, taps)
        if mask is not None:
            shape = [1] * dim + list(mask.shape) + [1] * (self.first.ndim - dim - 1)
            first = np.where(mask.reshape(shape), first, _NOTHING)
            last = np.where(mask.reshape(shape), last, -_NOTHING)
        spacing = self.jump * jump if self.jump is not None and dim == self.dim else None
        return Field(first.min(dim + 1), last.max(dim + 1), self.dim, spacing).tidy()

    def reduce(self, dims: Iterable[int], keepdim: bool = True) -> Field:
        """Each output depends on all positions along `dims` (a sum, a mean, a fully connected layer)."""
        axes = tuple(sorted({dim % self.first.ndim for dim in dims}))
        first, last = self.first.min(axes, keepdims=keepdim), self.last.max(axes, keepdims=keepdim)
        if self.dim is None or self.dim in axes:
            return Field(first, last, None, None)
        return Field(first, last, self.dim if keepdim else self.dim - sum(a < self.dim for a in axes), self.jump)

    def move(self, order: Sequence[int]) -> Field:
        """Dimension d of the output is dimension `order[d]` of the tensor."""
        dim = None if self.dim is None else list(order).index(self.dim)
        return Field(self.first.transpose(order), self.last.transpose(order), dim, self.jump)

    def reshape(self, old: Sequence[int], new: Sequence[int]) -> Field:
        """The same elements in another shape."""
        first, last, home = self.first, self.last, None
        shape: list[int] = []
        for left, right in _groups(old, new):
            if self.dim in left and all(old[d] == 1 for d in left if d != self.dim):
                home = next((d for d in right if new[d] == old[self.dim]), None)
            if any(self.first.shape[d] > 1 for d in left):
                full = [old[d] if d in left else size for d, size in enumerate(first.shape)]
                first, last = np.broadcast_to(first, full), np.broadcast_to(last, full)
                shape += [new[d] for d in right]
            else:
                shape += [1] * len(right)
        jump = self.jump if home is not None else None
        return Field(first.reshape(shape), last.reshape(shape), home, jump).tidy().settle()

    def overlay(self, piece: Field, size: int, dim: int, positions: Sequence[int]) -> Field:
        """The same after `positions` along `dim` (of `size` in all) were overwritten by `piece`."""
        rest = np.broadcast_shapes(*(_without(field.first.shape, dim) for field in (self, piece)))
        first, last = (
            np.broadcast_to(ends, [*rest[:dim], size, *rest[dim + 1 :]]).copy() for ends in (self.first, self.last)
        )
        where = (slice(None),) * dim + (list(positions),)
        first[where], last[where] = piece.first, piece.last
        home, jump = (piece.dim, piece.jump) if piece.dim is not None else (self.dim, self.jump)
        return Field(first, last, home, jump).tidy()

    def settle(self) -> Field:
        """Find the dimension that walks along the axis again after a reshape took it apart and put it together.

        It is the one with the widest even spacing: where rows were split into (windows, rows of a window), the former.
        """
        if self.dim is not None:
            return self
        best, home = 0, None
        for dim, size in enumerate(self.first.shape):
            if size > 1:
                steps = np.diff(self.first, axis=dim)
                if steps.flat[0] > best and (steps == steps.flat[0]).all():
                    best, home = int(steps.flat[0]), dim
        return self if home is None else Field(self.first, self.last, home, Fraction(best))

    def tidy(self) -> Field:
        """The same with every other dimension than `dim` folded to size 1 where nothing changes along it."""
        first, last = self.first, self.last
        if first.size > _LARGEST:
            return self.reduce(d for d in range(first.ndim) if d != self.dim)
        for dim, size in enumerate(first.shape):
            if size > 1 and dim != self.dim:
                head_first, head_last = first.take([0], dim), last.take([0], dim)
                if (first == head_first).all() and (last == head_last).all():
                    first, last = head_first, head_last
        return Field(first, last, self.dim, self.jump)

    def _read(self, dim: int, taps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First and last at the positions `taps` along `dim`, continued beyond both ends by the field's own rhythm."""
        first, last = self.first, self.last
        size, low, high = first.shape[dim], int(taps.min()), int(taps.max())
        if self.jump is None or dim != self.dim or (low >= 0 and high < size):
            inside = np.clip(taps, 0, size - 1)
            return first.take(inside, dim), last.take(inside, dim)
        period = self._period(dim)
        below = np.minimum(taps // period, 0)  # whole periods to the left of the tensor
        beyond = np.maximum(-((size - 1 - taps) // period), 0)  # and to its right
        shift = below + beyond
        inside = np.clip(taps - shift * period, 0, size - 1)
        step = shift * (period * self.jump.numerator) // self.jump.denominator
        step = step.reshape([1] * dim + list(step.shape) + [1] * (first.ndim - dim - 1))
        return first.take(inside, dim) + step, last.take(inside, dim) + step

    def _period(self, dim: int) -> int:
        """After how many neighbours along `dim` the field repeats itself, moved on by that many jumps."""
        assert self.jump is not None
        size = self.first.shape[dim]
        for period in range(1, size // 2 + 1):
            step = self.jump * period
            if step.denominator == 1 and all(
                (np.diff(_thin(ends, dim, period), axis=0) == step.numerator).all() for ends in (self.first, self.last)
            ):
                return period
        return self.jump.denominator if self.jump.denominator <= size else 1


def _thin(ends: np.ndarray, dim: int, period: int) -> np.ndarray:
    """`ends` arranged (repetition, …) so that neighbours in the first axis lie one period apart."""
    moved = np.moveaxis(ends, dim, 0)
    whole = len(moved) // period * period
    return moved[:whole].reshape(-1, period, *moved.shape[1:])


def union(fields: Sequence[Field], ndim: int) -> Field:
    """What sees everything that any of `fields` sees; dimensions are aligned at the right, as in broadcasting."""
    fields = [_widen(field, ndim) for field in fields]
    first, last = fields[0].first, fields[0].last
    for field in fields[1:]:
        shape = np.broadcast_shapes(first.shape, field.first.shape)
        if math.prod(shape) > _LARGEST:
            field = field.reduce(range(ndim))
            first, last = first.min(keepdims=True), last.max(keepdims=True)
        first, last = np.minimum(first, field.first), np.maximum(last, field.last)
    homes = {field.dim for field in fields if field.dim is not None}
    jumps = [field.jump for field in fields if field.jump is not None]
    if len(homes) != 1 or not jumps:
        return Field(first, last, None, None).tidy()
    return Field(first, last, homes.pop(), max(jumps)).tidy()


def concatenate(fields: Sequence[Field], sizes: Sequence[int], dim: int) -> Field:
    """Tensors laid end to end along `dim`; `sizes` are their lengths there. Channels get the hull of all."""
    ndim = fields[0].first.ndim
    if not any(field.varies(dim) for field in fields):
        return union(fields, ndim)
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    rest = np.broadcast_shapes(*(_without(field.first.shape, dim) for field in fields))
    for field, size in zip(fields, sizes, strict=True):
        shape = [*rest[:dim], size, *rest[dim + 1 :]]
        parts.append((np.broadcast_to(field.first, shape), np.broadcast_to(field.last, shape)))
    first, last = (np.concatenate(ends, dim) for ends in zip(*parts, strict=True))
    homes = {field.dim for field in fields if field.dim is not None}
    jumps = {field.jump for field in fields if field.jump is not None}
    if len(homes) == 1 and len(jumps) == 1:
        return Field(first, last, homes.pop(), jumps.pop()).tidy()
    return Field(first, last, None, None).tidy()


def _without(shape: Sequence[int], dim: int) -> list[int]:
    return [1 if d == dim else size for d, size in enumerate(shape)]


def _widen(field: Field, ndim: int) -> Field:
    """Leading dimensions of size 1, until there are `ndim`."""
    extra = ndim - field.first.ndim
    if extra == 0:
        return field
    shape = (1,) * extra + field.first.shape
    dim = None if field.dim is None else field.dim + extra
    return Field(field.first.reshape(shape), field.last.reshape(shape), dim, field.jump)


def _groups(old: Sequence[int], new: Sequence[int]) -> Iterable[tuple[list[int], list[int]]]:
    """Smallest runs of dimensions of both shapes that hold the same number of elements, in order."""
    i = j = 0
    while i < len(old) or j < len(new):
        left: list[int] = []
        right: list[int] = []
        while True:
            a, b = math.prod(old[d] for d in left), math.prod(new[d] for d in right)
            if i < len(old) and (a < b or not left):
                left.append(i)
                i += 1
            elif j < len(new) and (b < a or not right):
                right.append(j)
                j += 1
            else:
                break
        yield left, right
