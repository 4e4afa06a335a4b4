"""Chapter 13. Translate between two kinds of pictures that nobody ever paired.

One folder of garments photographed on paper, another of garments drawn on blueprints, and no garment in both. CycleGAN
learns both ways at once: each translation must look like a picture of the other kind to a judge, and the way there and
back must end where it began. That is all it is told. The test pictures do have hidden partners, the same garment in
both kinds, so here we can measure what is usually taken on trust: does a translation come nearer to its partner than
the picture it was made from, and how much?

    python examples/13_cyclegan.py            # a few minutes on two cores
    python examples/13_cyclegan.py --data DIR # folders A and B of your own
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import anmok

SHOWN = 6  # pictures a way


def main() -> None:
    """Train both ways, then write every figure of this chapter."""
    options = arguments()
    quick = {"epochs": 1, "imgsz": 24, "width": 8} if options.quick else {}
    run = anmok.train(
        options.data, task="translate", project=options.out / "runs", seed=0, quiet=options.quick, **quick
    )
    first, second = run.model.domains
    for way, told in (("ab", f"{first} → {second}"), ("ba", f"{second} → {first}")):
        figures = run.metrics["test"]
        print(f"{told}: there and back, pictures change by {figures[f'cycle_{way}']['value']:.3f}")
        if f"nearer_{way}" in figures:
            nearer = figures[f"nearer_{way}"]
            print(f"  {nearer['value']:.2f} times nearer to hidden partners than untouched pictures "
                  f"(95 % interval {nearer['low']:.2f} to {nearer['high']:.2f})")  # fmt: skip

    made = []
    for domain, (into, back) in enumerate(((second, first), (first, second))):
        pictures = some(options, domain)
        there = translated(run, pictures, into, options.out / f"into_{into}")
        again = translated(run, there, back, options.out / f"into_{into}_and_back")
        rows = {back: pictures, f"as {into}": there, f"and back, as {back}": again}
        made.append(anmok.anatomy.save(shown(rows), options.out / f"into_{into}.png"))
    for path in made:
        print(f"made {path}")


def some(options: argparse.Namespace, domain: int) -> list[Path]:
    """A few test pictures of one domain as files, as one would have them."""
    dataset = anmok.load_data(options.data, task="translate")
    entries = [entry for entry in dataset.entries if entry.target == domain]
    entries = [entry for entry in entries if entry.split == "test"] or entries
    folder = options.out / "pictures" / dataset.classes[domain]
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, entry in enumerate(entries[:: max(1, len(entries) // SHOWN)][:SHOWN]):
        paths.append(folder / f"{number}.png")
        Image.fromarray(dataset.pictures.read(entry.locator)).save(paths[-1])
    return paths


def translated(run: anmok.Run, pictures: list[Path], into: str, folder: Path) -> list[Path]:
    """Every picture as `into` would have it: `anmok predict RUN PICTURES --into … --to FOLDER`."""
    run.predict(pictures, into=into, to=folder)
    return [folder / path.name for path in pictures]


def shown(rows: dict[str, list[Path]]) -> Figure:
    """Rows of pictures, each row named."""
    figure = Figure(figsize=(1.3 * SHOWN, 1.45 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), SHOWN, squeeze=False)
    for line, (name, paths) in zip(grid, rows.items(), strict=True):
        line[0].set_ylabel(name, fontsize=8)
        for axes in line:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes, path in zip(line, paths, strict=False):
            axes.imshow(np.asarray(Image.open(path).convert("RGB")))
    return figure


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="domains", help="domains (bundled), or a folder with A and B")
    parser.add_argument("--out", type=Path, default=Path("runs/examples/13_cyclegan"), help="folder for figures")
    parser.add_argument("--quick", action="store_true", help="one epoch on small pictures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
