"""What every metric has in common: one signature, one check of what arrives, one way to be registered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anmok.core.errors import UsageError
from anmok.core.registry import register

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mode = Literal["max", "min"]


class Metric(Protocol):
    """One figure from answers. `mode`: whether the best value is the largest or the smallest."""

    __name__: str
    mode: Mode

    def __call__(self, targets: ArrayLike, scores: ArrayLike) -> float:
        """`targets`: class ids (N,). `scores`: probabilities (N, C)."""


def metric(mode: Mode, name: str | None = None) -> Callable[[Callable[..., float]], Any]:
    """Register a function as a metric whose best value is its largest (`max`) or smallest (`min`)."""

    def tag(function: Callable[..., float]) -> Any:
        function.mode = mode  # type: ignore[attr-defined]
        return register("metric", name=name)(function)

    return tag


def picture_metric(mode: Mode) -> Callable[[Callable[..., Floats]], Any]:
    """Register a function of (pictures, references), both (N, H, W, C), that gives one value a picture (N,)."""
    return _tagged("picture metric", mode)


def set_metric(mode: Mode) -> Callable[[Callable[..., float]], Any]:
    """Register a function of features (drawn (N, D), real (M, D)) that compares the sets in one figure."""
    return _tagged("set metric", mode)


def _tagged(kind: str, mode: Mode) -> Callable[[Callable[..., Any]], Any]:
    def tag(function: Callable[..., Any]) -> Any:
        function.mode = mode  # type: ignore[attr-defined]
        return register(kind)(function)

    return tag


def checked(targets: ArrayLike, scores: ArrayLike) -> tuple[Ints, Floats]:
    """`targets` as int64 (N,) and `scores` as float64 (N, C), or the error that says what does not fit."""
    answers = np.asarray(scores, dtype=np.float64)
    if answers.ndim != 2 or 0 in answers.shape:
        raise UsageError("scores do not hold one row a picture and one column a class", got=f"shape {answers.shape}",
                         allowed="shape (pictures, classes), at least one of each")  # fmt: skip
    if not np.isfinite(answers).all():
        bad = int((~np.isfinite(answers).all(axis=1)).sum())
        raise UsageError("scores are not finite", got=f"{bad} of {len(answers)} rows with NaN or infinity",
                         fix="a checkpoint from before the loss became NaN")  # fmt: skip
    truths = class_ids(targets, answers.shape[1])
    if len(truths) != len(answers):
        raise UsageError("targets and scores differ in length", got=f"{len(truths)} targets, {len(answers)} rows")
    return truths, answers


def class_ids(values: ArrayLike, num_classes: int) -> Ints:
    """Class ids as int64 (N,), each in [0, num_classes)."""
    ids = np.asarray(values)
    if ids.ndim != 1 or (ids.size and not np.issubdtype(ids.dtype, np.integer)):
        raise UsageError("class ids are not a list of whole numbers", got=f"{ids.dtype} of shape {ids.shape}")
    outside = ids[(ids < 0) | (ids >= num_classes)]
    if outside.size:
        raise UsageError("class ids lie outside the class list", got=sorted({int(value) for value in outside})[:5],
                         allowed=f"0 to {num_classes - 1}", fix="comparing the class list of data and run")  # fmt: skip
    return ids.astype(np.int64)
