"""anmok (안목, "a discerning eye"): from a folder of pictures to a trained, measured, explained network.

    import anmok

    run = anmok.train("photos/")          # a folder of class folders; also CSV, IDX, archives
    run.predict("new.jpg")                # labels and probabilities
    run.explain("new.jpg").png            # what the network looked at
    run = anmok.load("runs/classify/photos")

Importing this package imports no torch; the first verb or network asked for does.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anmok import anatomy, networks
    from anmok.data.load import load_data
    from anmok.verbs.check import check
    from anmok.verbs.classifier import Classifier
    from anmok.verbs.compare import compare
    from anmok.verbs.demo import demo
    from anmok.verbs.evaluate import evaluate
    from anmok.verbs.explain import explain
    from anmok.verbs.export import export
    from anmok.verbs.generate import generate
    from anmok.verbs.inspect import inspect
    from anmok.verbs.predict import predict
    from anmok.verbs.run import Run, load
    from anmok.verbs.seeds import train_seeds
    from anmok.verbs.train import train

__version__ = "0.1.0"

_PLACES = {
    "Classifier": "anmok.verbs.classifier",
    "check": "anmok.verbs.check",
    "compare": "anmok.verbs.compare",
    "demo": "anmok.verbs.demo",
    "evaluate": "anmok.verbs.evaluate",
    "explain": "anmok.verbs.explain",
    "export": "anmok.verbs.export",
    "generate": "anmok.verbs.generate",
    "inspect": "anmok.verbs.inspect",
    "load": "anmok.verbs.run",
    "load_data": "anmok.data.load",
    "predict": "anmok.verbs.predict",
    "Run": "anmok.verbs.run",
    "train": "anmok.verbs.train",
    "train_seeds": "anmok.verbs.seeds",
}
_ROOMS = ("anatomy", "networks")

__all__ = [
    "Classifier",
    "Run",
    "anatomy",
    "check",
    "compare",
    "demo",
    "evaluate",
    "explain",
    "export",
    "generate",
    "inspect",
    "load",
    "load_data",
    "networks",
    "predict",
    "train",
    "train_seeds",
]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    if name in _ROOMS:
        return import_module(f"anmok.{name}")
    raise AttributeError(f"module 'anmok' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _House(ModuleType):
    """Keeps `anmok.explain` the verb, where importing the room of the same name would bind the room."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _PLACES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _House
