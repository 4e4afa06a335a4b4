"""Eager work without the compiler: importing it costs 1 to 2 seconds, and nothing here compiles.

PyTorch wraps every optimizer's methods, and many operators on the meta device, so that its compiler passes over them,
and imports the whole of `torch._dynamo` at their first call only to ask for that wrapper.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_NAME = "torch._dynamo"
_MARK = "__dynamo_disable"  # where PyTorch keeps, on a function, what it calls instead


class _Asleep(ModuleType):
    """Stands for `torch._dynamo` and hands out what eager work asks of it; asked for more, it becomes the real one."""

    def __init__(self) -> None:
        super().__init__(_NAME)
        spec = find_spec(_NAME)
        self.__file__ = None if spec is None else spec.origin  # Python's `inspect` asks every module there is
        self._passed: list[Callable[..., Any]] = []

    def disable(self, function: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
        """Nothing compiles, so nothing need be passed over."""
        self._passed.append(function)
        return function

    def graph_break(self, *_: Any, **__: Any) -> None:
        """There is no graph."""

    def leave(self) -> None:
        """PyTorch as it was: the next one to ask imports the compiler."""
        if sys.modules.get(_NAME) is self:
            del sys.modules[_NAME]
        for function in self._passed:
            vars(function).pop(_MARK, None)

    def __getattr__(self, name: str) -> Any:
        self.leave()
        return getattr(importlib.import_module(_NAME), name)


@contextmanager
def without_compiler() -> Iterator[None]:
    """Inside the block, PyTorch's compiler is not imported unless something really compiles."""
    if _NAME in sys.modules:
        yield
        return
    asleep = sys.modules[_NAME] = _Asleep()
    try:
        yield
    finally:
        asleep.leave()
