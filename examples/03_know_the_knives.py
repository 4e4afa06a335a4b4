"""Chapter 3. Know the knives: the classic networks side by side, and each one drawn to size.

No weights are loaded or even allocated: the networks are built on torch's meta device, where tensors have a shape and
no memory. Look where the parameters sit, how far the features see, and how the drawings differ.

    python examples/03_know_the_knives.py
    python examples/03_know_the_knives.py resnet34 densenet169
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

import anmok
from anmok.anatomy import Anatomy, draw, render

KNIVES = ("alexnet", "vgg16", "googlenet", "inception_v3", "resnet18", "resnet50", "densenet121")
QUICK = ("vgg16", "resnet18")


def main() -> None:
    """Print the comparison and one network's rows; draw all."""
    options = arguments()
    knives = {name: take_apart(name) for name in options.nets or (QUICK if options.quick else KNIVES)}

    print("network          parameters  in conv in linear  G mult-adds   sees  MiB at once")
    for name, seen in knives.items():
        shares = {kind: count / seen.parameters for kind, count in seen.shares.items()}
        print(
            f"{name:14}{seen.parameters:>13,}{shares['conv']:>9.0%}{shares['linear']:>10.0%}"
            f"{seen.macs / 1e9:>13.2f}{seen.receptive_field[0].size:>7}{seen.peak_bytes / 2**20:>13.1f}"
        )

    name, seen = next(reversed(knives.items()))
    print(f"\n{name}, folded (anmok.anatomy.render(…, depth) unfolds it):\n\n{render(seen)}\n")

    for name, seen in knives.items():
        path = options.out / f"{name}.{'png' if options.quick else 'svg'}"
        draw(seen, path, title=anmok.networks.card(name).title)
        print(f"made {path}")


def take_apart(name: str) -> Anatomy:
    """The anatomy of one of anmok's networks at the picture size it was designed for."""
    with torch.device("meta"):
        net = anmok.networks.build(name, num_classes=1000)
    size = anmok.networks.card(name).natural
    return anmok.anatomy(net, (3, size, size))


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", help=f"names of networks; by default {', '.join(KNIVES)}")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/examples/03_know_the_knives"), help="folder for the drawings"
    )
    parser.add_argument("--quick", action="store_true", help="two networks only")
    return parser.parse_args()


if __name__ == "__main__":
    main()
