"""Compare: which knife? Structure, published accuracy, and cost measured on this machine, side by side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from anmok.anatomy.cost import Cost, measure_cost
from anmok.anatomy.dissect import anatomy
from anmok.core.errors import AnmokError, UsageError
from anmok.engine.devices import choose
from anmok.networks import build, card, published, task_of
from anmok.verbs import card as cards
from anmok.verbs.advice import advise, by_cost
from anmok.verbs.contest import Contest, contest, contesting
from anmok.verbs.knife import Knife
from anmok.verbs.probe import Probe
from anmok.verbs.scatter import draw_scatter
from anmok.verbs.setting import AUTO
from anmok.verbs.settings import CompareSettings
from anmok.verbs.terminal import Terminal

LONGEST_S = 300  # for one network's measurements
SEGMENTED = 21  # classes, as in VOC, where nobody says how many


@dataclass(frozen=True)
class Comparison:
    """The networks in the order asked, how they were measured, the advice in words, and the scatter plot.

    `machine`: processor, threads, precision and layout of the measurements, and how `busy` its cores were before; empty
    where nothing was measured. `take`: the network advised, None where none fits.
    """

    imgsz: int
    knives: Sequence[Knife]
    machine: Mapping[str, Any]
    take: str | None
    advice: str
    png: Path | None


def compare(*nets: str, quiet: bool = True, **settings: Any) -> Comparison | Contest:
    """Lay networks side by side; with `task`, train them on the same pictures: see `anmok.verbs.contest.contest`.

    Speed and memory are measured as training computes them here: same device, precision and memory layout.

    Args:
        nets: names as in `anmok.networks`, or `timm:<name>`.
        settings: see `anmok.verbs.settings.CompareSettings`.

    Raises:
        UsageError: no such network, networks of several tasks, the picture size is too small for one, or the plot has
            no known ending.
    """
    if settings.get("task", AUTO) != AUTO:
        return contest(*nets, quiet=quiet, **settings)
    task = _task(nets)
    if task == "segment":
        settings = {"num_classes": SEGMENTED, **settings}
    asked: CompareSettings = CompareSettings.of(**settings)
    if asked.out is not None and asked.out.suffix.lower() not in (".png", ".svg"):
        raise UsageError(
            "the plot is written as PNG or SVG", got=str(asked.out), fix=str(asked.out.with_suffix(".png"))
        )
    # What can be refused comes first: a wrong name must not come to light after minutes of measuring.
    knives = [_structure(name, asked) for name in dict.fromkeys(nets)]
    names = [knife.name for knife in knives]
    probe = None if asked.data is None else Probe.of(asked.data, names, weights=asked.weights)
    machine: Mapping[str, Any] = {}
    if asked.measure:
        machine = {**cards.machine(choose("auto").record()), "busy": _busy()}
        with Terminal(quiet).bar("measuring") as on_progress:
            for done, knife in enumerate(knives):
                on_progress(done, len(knives))
                knives[done] = replace(knife, cost=_cost(knife.name, asked))
    if probe is not None:
        terminal = Terminal(quiet)
        with terminal.hearing_warnings(), terminal.bar("trying on your pictures") as on_progress:
            tried = probe.run(on_progress)
        knives = [replace(knife, probe=tried[knife.name]) for knife in knives]
    advice = advise(knives, asked) if task == "classify" else by_cost(knives, asked)
    png = None if asked.out is None else draw_scatter(knives, asked.imgsz, asked.out)
    return Comparison(asked.imgsz, knives, machine, advice.take, advice.text, png)


def _task(nets: Sequence[str]) -> str:
    """The one task that all these networks serve; an unknown name is none, and is said when it is built."""
    if not nets:
        raise UsageError("there is nothing to compare", fix="anmok compare resnet18 vgg16 densenet121")
    tasks = {name: task_of(name) or "classify" for name in nets}
    allowed = "networks that classify, or networks that segment"
    if len(set(tasks.values())) > 1:
        said = ", ".join(f"{name}: {task}" for name, task in tasks.items())
        raise UsageError("these networks do different things", got=said, allowed=allowed)
    task = next(iter(tasks.values()))
    if task not in ("classify", "segment"):
        trained = f"anmok compare --task {task} DATA {' '.join(nets)}, which trains them"
        fix = trained if contesting(task) else "anmok inspect for each of them"
        raise UsageError(
            f"networks that {task} are not laid side by side", got=", ".join(nets), allowed=allowed, fix=fix
        )
    return task


def _busy() -> float:
    """Processes that wanted a core in the last minute, for each core there is; 0 where the system does not tell."""
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except (AttributeError, OSError):  # Windows
        return 0.0


def _structure(name: str, asked: CompareSettings) -> Knife:
    about = card(name)
    with torch.device("meta"):
        network = _built(name, asked.num_classes, asked.channels, asked.imgsz).eval()
    found = anatomy(network, (asked.channels, asked.imgsz, asked.imgsz))
    weights = published(name)
    version = list(weights)[-1] if weights else ""
    best = weights[version] if weights else None
    fields = [extent.size for extent in found.receptive_field if extent is not None]
    jumps = [extent.jump for extent in found.receptive_field if extent is not None and extent.jump]
    return Knife(
        name=name,
        year=about.paper.year,
        idea=about.idea,
        parameters=found.parameters,
        macs=found.macs,
        activation_bytes=found.activation_bytes,
        field=(fields[0], fields[1]) if len(fields) == 2 else None,
        cells=asked.imgsz / max(jumps) if jumps else None,
        pretrained=best is not None,
        top1=best.top1 if best else None,
        top5=best.top5 if best else None,
        source=f"{best.source}, {version}" if best else "",
        cost=None,
    )


def _built(name: str, num_classes: int, channels: int, imgsz: int) -> nn.Module:
    """The network, without auxiliary heads where the pictures are too small to train them (Inception's)."""
    network = build(name, num_classes=num_classes, in_channels=channels)
    with_heads = getattr(network, "accepts_with_aux", None)
    if with_heads is not None and imgsz < with_heads.smallest:
        return build(name, num_classes=num_classes, in_channels=channels, aux_logits=False)
    return network


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
        raise AnmokError(
            f"{name} could not be measured", got=last[0], fix="--no-measure, or smaller pictures"
        ) from None
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def _measure_in_this_process(wish: Sequence[Any]) -> None:
    name, num_classes, channels, imgsz, batch, seconds = wish
    devices = choose("auto")
    cost = measure_cost(
        lambda: _built(name, num_classes, channels, imgsz),
        (channels, imgsz, imgsz),
        batch,
        seconds,
        device=devices.device,
        autocast=devices.autocast,
    )
    print(json.dumps(asdict(cost)))


if __name__ == "__main__":
    _measure_in_this_process(json.loads(sys.argv[1]))
