"""`card.json`: what a trained model is, needs and can, so that nobody has to remember."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from anmok.core.errors import CheckpointError
from anmok.core.processor import processor_name
from anmok.engine.runfolder import RunFolder
from anmok.networks import OF_TASK, TIMM

FORMAT = 1
_PACKAGES = ("anmok", "torch", "torchvision", "numpy", "pillow", "safetensors")
_REQUIRED = ("task", "classes", "network", "preparation", "recipe", "machine")


def write(folder: RunFolder, content: Mapping[str, Any]) -> dict[str, Any]:
    """Write the card, whole or not at all, and return it."""
    card = {"format": FORMAT, **content}
    folder.write_json("card.json", card)
    return card


def read(folder: RunFolder) -> dict[str, Any]:
    """The card.

    Raises:
        CheckpointError: missing, damaged, incomplete, or of a newer version.
    """
    card = folder.read_json("card.json")
    if not isinstance(card, dict) or any(key not in card for key in _REQUIRED):
        raise CheckpointError(
            "this is no card of a run", path=folder.card, fix="restore it from a copy, or train again"
        )
    if not isinstance(card.get("format"), int) or card["format"] > FORMAT:
        raise CheckpointError(
            "this run was made by a newer anmok",
            path=folder.card,
            got=f"format {card.get('format')}",
            allowed=f"up to format {FORMAT}",
            fix="pip install -U anmok",
        )
    return card


def machine(record: Mapping[str, Any]) -> dict[str, Any]:
    """What computed: the devices' record, processor and system."""
    return {**record, "cpu": processor_name(), "cores": os.cpu_count(), "system": platform.platform(terse=True)}


def versions() -> dict[str, str]:
    """Versions of everything that decides what comes out."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def refuse_without_network(folder: RunFolder, card: Mapping[str, Any], call: str) -> None:
    """Refuse a run whose network only the person can build.

    Args:
        call: how to hand it in.

    Raises:
        CheckpointError: the network is the person's own, or of no name that is known here.
    """
    name = str(card["network"]["name"])
    known = name.startswith(TIMM) or any(name.partition(":")[0] in networks for networks in OF_TASK.values())
    if card["network"].get("own") or not known:
        raise CheckpointError("this run was trained with a network of your own", path=folder.path, got=name, fix=call)


def now() -> str:
    """Local time with its offset, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
