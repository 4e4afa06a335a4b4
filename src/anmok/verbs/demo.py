"""Demo: the whole journey on bundled pictures, offline, in about a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from anmok.data.load import load_data
from anmok.verbs.explain import explain
from anmok.verbs.predict import predict
from anmok.verbs.run import Run
from anmok.verbs.settings import DemoSettings
from anmok.verbs.terminal import Terminal
from anmok.verbs.train import train

DATA = "samples"


def demo(*, quiet: bool = True, **settings: Any) -> Run:
    """Train on the bundled pictures, measure, answer and explain for one picture, write the report.

    Args:
        settings: see `anmok.verbs.settings.DemoSettings`.
    """
    asked: DemoSettings = DemoSettings.of(**settings)
    terminal = Terminal(quiet)
    terminal.say("anmok demo: 7,000 garments (Fashion-MNIST), a small residual network, this machine, no network.\n")
    run = train(DATA, quiet=quiet, project=asked.out, name="demo", seed=asked.seed, epochs=asked.epochs)
    picture = _one_picture(run.path)
    answer = predict(run, picture, top=3)[0]
    assert answer.labels is not None and answer.scores is not None
    ranked = ", ".join(f"{label} {score:.0%}" for label, score in zip(answer.labels[:3], answer.scores, strict=False))
    terminal.say(f"\npredict  {picture.name}: {ranked}")
    explained = explain(run, picture)
    terminal.say(f"explain  {explained.png}: what the network looked at")
    if explained.verdict is not None:
        terminal.say(f"         {explained.verdict.sentence}")
    terminal.say(
        f"report   {run.report}: open it in a browser\n\n"
        "What to try next:\n"
        f"  anmok predict {run.path} {picture} --top 3\n"
        f"  anmok eval {run.path}\n"
        "  anmok check FOLDER        a folder of class folders, a CSV, IDX files, or an archive of these\n"
        "  anmok train FOLDER        the same journey on your own pictures"
    )
    return run


def _one_picture(folder: Path) -> Path:
    """The first test picture, as a PNG a person can look at."""
    dataset = load_data(DATA)
    entry = dataset.split("test")[0]
    path = folder / f"{dataset.classes[entry.target].replace('/', '-')}.png"
    Image.fromarray(dataset.pictures.read(entry.locator)[..., 0]).save(path)
    return path
