"""Chapter 6. Little data: learning from nothing, from a frozen backbone, and from one that is tuned.

Two kinds of pictures, a few dozen of each. A small network starts from nothing; then a network that has seen a million
photographs keeps its layers as they are and learns only the last one, on features computed once; then all its layers
may move. The table says what each was worth, with intervals, and what it cost.

    python examples/06_transfer.py
    python examples/06_transfer.py --data photos/          # a folder of class folders
"""

from __future__ import annotations

import argparse
from pathlib import Path

from _photographs import write_crops
from matplotlib.figure import Figure

import anmok

WAYS = {
    "from nothing": {"weights": "random", "imgsz": 64},
    "frozen": {"freeze": "all"},
    "tuned": {"freeze": "none", "epochs": 2},
}


def main() -> None:
    """Train three times on the same pictures and draw what it was worth."""
    options = arguments()
    data = options.data or write_crops(options.out / "pictures", ["chelsea", "coffee"], 12 if options.quick else 40)
    runs = {}
    for name, settings in WAYS.items():
        quick = {"imgsz": 64, **({"epochs": 1} if name != "frozen" else {})} if options.quick else {}
        place = name.replace(" ", "-")
        runs[name] = anmok.train(data, val=0.25, test=0.25, name=place, project=options.out / "runs",
                                 **{**settings, **quick})  # fmt: skip

    print("way            network              test accuracy     seconds")
    for name, run in runs.items():
        accuracy = run.metrics["test"]["accuracy"]
        print(f"{name:14} {run.card['network']['name']:20} {accuracy['value']:6.1%} ({accuracy['low']:.0%} to "
              f"{accuracy['high']:.0%})  {run.card['seconds']:7.1f}")  # fmt: skip
    path = options.out / "accuracy.png"
    draw(runs, path)
    print(f"made {path}")


def draw(runs: dict[str, anmok.Run], path: Path) -> None:
    """Accuracies with their intervals, beside each other."""
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.add_subplot()
    found = [run.metrics["test"]["accuracy"] for run in runs.values()]
    values = [100 * one["value"] for one in found]
    reach = [
        [100 * (one["value"] - one["low"]) for one in found],
        [100 * (one["high"] - one["value"]) for one in found],
    ]
    axes.errorbar(values, range(len(runs)), xerr=reach, fmt="o", capsize=4)
    axes.set_yticks(range(len(runs)), list(runs))
    axes.set_ylim(len(runs) - 0.5, -0.5)
    axes.set_xlabel("test accuracy, per cent, with 95 % intervals")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of class folders; default: crops of two photographs")
    parser.add_argument("--out", type=Path, default=Path("runs/examples/06_transfer"), help="folder for what is made")
    parser.add_argument("--quick", action="store_true", help="few and small pictures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
