"""Optimizers without the compiler: importing it costs seconds, and nothing here compiles."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_MARK = "__dynamo_disable"  # where PyTorch keeps the function it calls instead of a method that must not be compiled
_METHODS = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


@contextmanager
def without_compiler() -> Iterator[None]:
    """Inside the block, optimizers do not import `torch._dynamo` (1 to 2 seconds) to keep it away from themselves.

    PyTorch (2.0 to 2.15) wraps these methods of every optimizer so that the compiler passes over them, and imports the
    compiler for that at their first call. Its own optimizers import it once more in `step`; `Muon` does not. Where
    it is imported already, or PyTorch does this in another way, nothing happens.
    """
    if "torch._dynamo" in sys.modules:
        yield
        return
    found = [getattr(getattr(torch.optim.Optimizer, name, None), "__wrapped__", None) for name in _METHODS]
    marked = [method for method in found if method is not None and not hasattr(method, _MARK)]
    for method in marked:
        setattr(method, _MARK, method)
    try:
        yield
    finally:
        for method in marked:
            delattr(method, _MARK)
