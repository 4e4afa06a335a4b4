"""Chapter 4. Train the textbook network, keep the best, stop in time, and look inside before and after.

Two convolutions and two dense layers learn ten kinds of garments. After every epoch the network is judged on pictures
it does not learn from: the weights of the best epoch are kept, and two epochs without a better one end the training.
Then look: what were the first filters before learning, what are they now, and what do both layers make of a picture?

    python examples/04_fashion_mnist.py                       # the bundled pictures of Fashion-MNIST, offline
    python examples/04_fashion_mnist.py --data fashion-mnist  # all 70,000, fetched once if they are not here
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

import anmok
from anmok.engine.randomness import seed_everything

SEED = 0
LAYERS = ("conv1", "conv2")


def main() -> None:
    """Train, then write every figure of this chapter."""
    options = arguments()
    anatomy = anmok.anatomy

    seed_everything(SEED)
    untrained = anmok.networks.textbook_cnn()  # the weights from which training with this seed starts

    run = anmok.train(
        options.data,
        net="textbook_cnn",
        epochs=2 if options.quick else options.epochs,
        patience=2,
        seed=SEED,
        project=options.out / "runs",
        quiet=options.quick,
    )
    epochs = history(run)
    best = max(epochs, key=lambda row: row["val_accuracy"])
    print(f"{len(epochs)} epochs; the best was number {epochs.index(best) + 1}, and its weights were kept")
    accuracy = run.metrics["test"]["accuracy"]
    print(f"test accuracy {accuracy['value']:.1%}, 95 % interval {accuracy['low']:.1%} to {accuracy['high']:.1%}")

    made = [anatomy.save(curves(epochs, epochs.index(best)), options.out / "curves.png")]
    for when, net in (("before", untrained), ("after", run.network)):
        name, weights = anatomy.filters_of(net, "conv1")
        figure = anatomy.filters_figure(f"{name} {when} training", weights)
        made.append(anatomy.save(figure, options.out / f"filters_{when}.png"))
    moved = distance(untrained, run.network)
    print(f"training moved the first filters by {moved:.0%} of their length")

    picture = options.picture
    answer = run.predict(picture)[0]
    print(f"{picture.name}: {answer.labels[0]}, {answer.scores[0]:.0%}")
    pixels = anmok.inspect(run, picture=picture, layer="conv1", out=options.out / "inside", card=False)
    print(f"what `anmok inspect RUN --picture` shows: {', '.join(path.name for path in pixels.pictures)}")
    for layer in LAYERS:
        maps = anatomy.feature_maps(run.network, prepared(run, picture), layer)
        made.append(anatomy.save(anatomy.maps_figure(layer, maps), options.out / f"maps_{layer}.png"))
        print(f"{layer}: {len(maps)} maps of {maps.shape[1]}×{maps.shape[2]}")
    for path in (*made, *pixels.pictures):
        print(f"made {path}")


def history(run: anmok.Run) -> list[dict[str, float]]:
    """The figures of every epoch, as `results.csv` in the run's folder has them."""
    with run.folder.results.open(encoding="utf-8", newline="") as file:
        return [{name: number(text) for name, text in row.items()} for row in csv.DictReader(file)]


def number(text: str) -> float:
    """A cell of the table; what is no number counts for nothing here."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


def curves(epochs: list[dict[str, float]], best: int) -> Figure:
    """Loss on training and validation pictures, and validation accuracy; the epoch that was kept is marked."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    at = np.arange(1, len(epochs) + 1)
    for name, label in (("train_loss", "training"), ("val_loss", "validation")):
        left.plot(at, [row[name] for row in epochs], marker="o", label=label)
    left.set(title="loss", xlabel="epoch")
    left.legend(frameon=False)
    right.plot(at, [100 * row["val_accuracy"] for row in epochs], marker="o", color="C1")
    right.set(title="validation accuracy, %", xlabel="epoch")
    for axes in (left, right):
        axes.axvline(best + 1, color="0.6", linestyle=":")
        axes.set_xticks(at)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def prepared(run: anmok.Run, picture: Path) -> torch.Tensor:
    """The picture as the run's network is given it: (channels, height, width), normalised."""
    from anmok.verbs.predict import prepared_picture

    pixels = torch.from_numpy(prepared_picture(picture, run.preparation).copy()).permute(2, 0, 1)
    return run.model.normalise(pixels[None])[0]


def distance(first: nn.Module, second: nn.Module) -> float:
    """How far the filters of `conv1` lie apart, relative to the length of the first's."""
    before, after = (net.get_submodule("conv1").weight.detach().float().cpu() for net in (first, second))
    return float((after - before).norm() / before.norm())


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="samples", help="samples (bundled), fashion-mnist, or a folder")
    parser.add_argument("--epochs", type=int, default=20, help="at most")
    parser.add_argument(
        "--picture", type=Path, default=Path(__file__).parent / "pictures/ankle_boot.png", help="picture to look at"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/examples/04_fashion_mnist"), help="folder for figures")
    parser.add_argument("--quick", action="store_true", help="two epochs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
