"""What networks descend: pure functions of outputs and targets, one idea a file."""

from collections.abc import Callable
from typing import Any

from anmok.core.registry import Registry

LOSSES: Registry[Callable[..., Any]] = Registry("anmok.losses", "loss")
