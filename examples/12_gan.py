"""Chapter 12. Draw garments that nobody ever sewed, and ask whether they are any good.

Two networks play. The generator makes a picture of a hundred random numbers and a class; the discriminator tells drawn
from real; each learns from the other's mistakes. Their losses say nothing about the pictures: when one player gains,
the other loses. So after every epoch the pictures themselves are looked at. Do they look real (precision), are all
kinds drawn (recall), how far is the whole lot from real pictures (kernel distance: KID's formula, here in the features
of EfficientNet-Lite0, so never to be compared with published KID), do they repeat themselves (collapse), were they
copied from the training pictures (learned by heart)?

And a seed is a name. Seed 7 is the same picture today and tomorrow, alone or in a grid.

    python examples/12_gan.py            # five minutes on two cores
    python examples/12_gan.py --data DIR # pictures of your own, in class folders or loose
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import anmok

FIGURES = ("kernel_distance", "precision", "recall", "variety", "copies")


def main() -> None:
    """Train, then write every figure of this chapter."""
    options = arguments()
    budget = {"epochs": 2, "imgsz": 16} if options.quick else {"time": "5m"}
    run = anmok.train(
        options.data, task="generate", project=options.out / "runs", seed=0, quiet=options.quick, **budget
    )
    players = run.model.net.generator, run.model.net.discriminator
    generator, discriminator = (sum(weight.numel() for weight in player.parameters()) for player in players)
    print(f"a generator of {generator:,} parameters against a discriminator of {discriminator:,}")

    for row in looks(run):
        told = ", ".join(f"{name.replace('_', ' ')} {float(row[name]):.3f}" for name in FIGURES)
        print(f"epoch {row['epoch']}: {told}")
    for alarm in run.card["health"]["alarms"]:
        print(alarm["sentence"])

    again, many = run.generate("7", out=options.out / "seeds"), run.generate("0-15", out=options.out / "seeds")
    same = np.array_equal(again.pictures[0], many.pictures[7])
    print(f"seed 7 alone and among sixteen: {'the same picture' if same else 'another picture'}")

    classes = {"classes": "all"} if run.classes else {}
    drawn = run.generate("0-7", out=options.out / "drawn", single=False, **classes)
    walk = run.generate("0-4", walk=True, out=options.out / "walk", single=False)
    cut = run.generate("0-7", truncation="0.3,0.6,1", out=options.out / "cut", single=False)
    names = list(run.classes) if run.classes else ["seeds"]
    sheets = {
        "drawn.png": shown(drawn.pictures, 8, names),
        "walk.png": shown(walk.pictures, 8, [f"{seed} to {seed + 1}" for seed in range(4)]),
        "truncation.png": shown(cut.pictures, 8, ["0.3", "0.6", "1"]),
        "health.png": course(looks(run)),
    }
    for name, figure in sheets.items():
        print(f"made {anmok.anatomy.save(figure, options.out / name)}")
    for sheet in (many.sheet, drawn.sheet, walk.sheet, cut.sheet):
        print(f"made {sheet}")


def looks(run: anmok.Run) -> list[dict[str, str]]:
    """What was found after each epoch."""
    with (run.path / "results.csv").open(encoding="utf-8") as rows:
        return list(csv.DictReader(rows))


def shown(pictures: np.ndarray, columns: int, names: list[str]) -> Figure:
    """Pictures in rows of `columns`, each row named."""
    rows = len(pictures) // columns
    figure = Figure(figsize=(0.9 * columns + 1, 0.95 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for number, line in enumerate(grid):
        line[0].set_ylabel(names[number % len(names)], fontsize=8, rotation=0, ha="right", va="center")
        for axes, picture in zip(line, pictures[number * columns :], strict=False):
            axes.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=255)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
    return figure


def course(rows: list[dict[str, str]]) -> Figure:
    """The game's losses beside what the pictures were like."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [int(row["epoch"]) for row in rows]
    for player in ("generator", "discriminator"):
        left.plot(epochs, [float(row[f"train_{player}_loss"]) for row in rows], label=player)
    right.plot(epochs, [float(row["kernel_distance"]) for row in rows], color="black", label="kernel distance")
    left.set(title="The losses, which tell nothing", xlabel="epoch")
    right.set(title="The pictures' distance from real ones", xlabel="epoch")
    left.legend(frameon=False)
    return figure


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="samples", help="samples (bundled), or pictures of your own")
    parser.add_argument("--out", type=Path, default=Path("runs/examples/12_gan"), help="folder for figures")
    parser.add_argument("--quick", action="store_true", help="two epochs on small pictures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
