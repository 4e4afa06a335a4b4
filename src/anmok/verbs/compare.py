"""Compare: which knife? Structure, published accuracy, and cost measured on this machine, side by side."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from anmok.anatomy.cost import Cost, measure_cost
from anmok.anatomy.dissect import anatomy
from anmok.core.errors import AnmokError, UsageError
from anmok.networks import build, card, published
from anmok.verbs.advice import advise
from anmok.verbs.knife import Knife
from anmok.verbs.scatter import draw_scatter
from anmok.verbs.settings import CompareSettings
from anmok.verbs.terminal import Terminal

LONGEST_S = 300  # for one network's measurements


@dataclass(frozen=True)
class Comparison:
    """The networks in the order asked, the advice in words, and the scatter plot."""

    imgsz: int
    knives: Sequence[Knife]
    advice: str
    png: Path | None


def compare(*nets: str, quiet: bool = True, **settings: Any) -> Comparison:
    """Lay networks side by side.

    Args:
        nets: names as in `anmok.networks`, or `timm:<name>`.
        settings: see `anmok.verbs.settings.CompareSettings`.

    Raises:
        UsageError: no such network, or the picture size is too small for one.
    """
    asked: CompareSettings = CompareSettings.of(**settings)
    if not nets:
        raise UsageError("there is nothing to compare", fix="anmok compare resnet18 vgg16 densenet121")
    terminal = Terminal(quiet)
    knives = []
    with terminal.bar("measuring") as on_progress:
        for done, name in enumerate(dict.fromkeys(nets)):
            knives.append(_knife(name, asked))
            on_progress(done + 1, len(nets))
    png = None if asked.out is None else draw_scatter(knives, asked.imgsz, asked.out)
    return Comparison(asked.imgsz, knives, advise(knives, asked), png)


def _knife(name: str, asked: CompareSettings) -> Knife:
    about = card(name)
    with torch.device("meta"):
        network = build(name, num_classes=asked.num_classes, in_channels=asked.channels).eval()
    found = anatomy(network, (asked.channels, asked.imgsz, asked.imgsz))
    weights = list(published(name).items())
    version, best = weights[-1] if weights else ("", None)
    fields = [extent.size for extent in found.receptive_field if extent is not None]
    return Knife(
        name=name,
        year=about.paper.year,
        idea=about.idea,
        parameters=found.parameters,
        macs=found.macs,
        activation_bytes=found.activation_bytes,
        field=(fields[0], fields[1]) if len(fields) == 2 else None,
        top1=best.top1 if best else None,
        top5=best.top5 if best else None,
        source=f"{best.source}, {version}" if best else "",
        cost=_cost(name, asked) if asked.measure else None,
    )


def _cost(name: str, asked: CompareSettings) -> Cost:
    """Measured in a process of its own: one network's memory must not count for the next."""
    wish = [name, asked.num_classes, asked.channels, asked.imgsz, asked.batch, asked.seconds]
    command = [sys.executable, "-m", "anmok.verbs.compare", json.dumps(wish)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=True)
    except subprocess.TimeoutExpired:
        raise AnmokError(
            f"measuring {name} took longer than {LONGEST_S} s", fix="--no-measure, or smaller pictures"
        ) from None
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().splitlines()[-1:] or [f"exit code {error.returncode}"]
        raise AnmokError(f"{name} could not be measured", got=last[0], fix="--no-measure") from None
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def _measure_in_this_process(wish: Sequence[Any]) -> None:
    name, num_classes, channels, imgsz, batch, seconds = wish
    cost = measure_cost(
        lambda: build(name, num_classes=num_classes, in_channels=channels), (channels, imgsz, imgsz), batch, seconds
    )
    print(json.dumps(asdict(cost)))


if __name__ == "__main__":
    _measure_in_this_process(json.loads(sys.argv[1]))
