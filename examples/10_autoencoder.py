"""Chapter 10. Through a narrow place and out again: compress, repair, and notice what does not belong.

An autoencoder must describe a garment in a few numbers and draw it again from these. What it cannot afford to keep, it
has not understood as important: so the drawings tell what it has learned. Two uses follow. Shown noisy pictures and
asked for the clean ones, it repairs. Shown only ordinary pictures, it repeats these well and strange ones badly: the
error tells them apart, and where it lies.

    python examples/10_autoencoder.py
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import anmok
from anmok.core.types import Dataset

SHOWN = 8  # pictures a row
NOISE = 0.4  # standard deviation, of intensities in [0, 1]
NORMAL = "Trouser"  # the only garment that the third run ever sees


def main() -> None:
    """Three runs: codes of two lengths, repairing noise, and one garment among all."""
    options = arguments()
    epochs = {"epochs": 2} if options.quick else {}
    settings = {"task": "reconstruct", "project": options.out / "runs", "quiet": options.quick, **epochs}
    dataset = anmok.load_data("samples")
    test = pictures_of(dataset, options.out / "test", count=SHOWN)

    rows = {"picture": read(test)}
    for latent in (8, 64):
        run = anmok.train("samples", net="autoencoder", latent=latent, name=f"code-{latent}", **settings)
        rows[f"from {latent} numbers"] = answers(run, test)
        print(f"{latent} numbers for 784 pixels: PSNR {run.metrics['test']['psnr']['value']:.2f} dB")
    made = [anmok.anatomy.save(shown(rows), options.out / "compressed.png")]

    run = anmok.train("samples", net="conv_autoencoder", corrupt=f"noise:{NOISE}", name="denoise", **settings)
    figures = run.metrics["test"]
    before, after = (figures[name]["value"] for name in ("psnr_damaged", "psnr"))
    print(f"noise of deviation {NOISE}: PSNR {before:.2f} dB before, {after:.2f} dB after")
    noisy = noised(test, options.out / "noisy")
    rows = {"picture": read(test), "with noise": read(noisy), "repaired": answers(run, noisy)}
    made.append(anmok.anatomy.save(shown(rows), options.out / "repaired.png"))

    normal = pictures_of(dataset, options.out / "normal", only=NORMAL, split="train", count=600)[0].parent
    others = pictures_of(dataset, options.out / "others", without=NORMAL, count=90)[0].parent
    run = anmok.train(normal, net="conv_autoencoder", novelty="reconstruction", name="unusual", **settings)
    report = run.evaluate(unseen=others, report=options.out / "unusual.html")
    print(report.tables["novelty"][0]["sentence"])
    made.append(options.out / "unusual.html")
    for path in made:
        print(f"made {path}")


def pictures_of(
    dataset: Dataset, folder: Path, *, count: int, only: str = "", without: str = "",
    split: str = "test",
) -> list[Path]:  # fmt: skip
    """Some pictures as files, evenly spread over the classes, as one would have them in a folder."""
    wanted = [name for name in dataset.classes if (not only or name == only) and name != without]
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in wanted:
        target = dataset.classes.index(name)
        entries = [entry for entry in dataset.split(split) if entry.target == target]
        for entry in entries[: -(-count // len(wanted))]:
            paths.append(folder / f"{name.replace('/', '-')}-{len(paths):03}.png")
            Image.fromarray(dataset.pictures.read(entry.locator)[..., 0]).save(paths[-1])
    return paths[:count]


def noised(paths: list[Path], folder: Path) -> list[Path]:
    """The same pictures with noise, cut off at black and white."""
    generator = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        pixels = np.asarray(Image.open(path)) / 255
        noisy = np.clip(pixels + NOISE * generator.standard_normal(pixels.shape), 0, 1)
        Image.fromarray(np.rint(255 * noisy).astype(np.uint8)).save(folder / path.name)
    return [folder / path.name for path in paths]


def read(paths: list[Path]) -> list[np.ndarray]:
    """Pixels of each file."""
    return [np.asarray(Image.open(path)) for path in paths]


def answers(run: anmok.Run, paths: list[Path]) -> list[np.ndarray]:
    """What the run makes of each picture."""
    return [answer.picture for answer in run.predict(paths)]


def shown(rows: dict[str, list[np.ndarray]]) -> Figure:
    """Rows of pictures, each row named."""
    figure = Figure(figsize=(1.2 * SHOWN, 1.3 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), SHOWN, squeeze=False)
    for line, (name, pictures) in zip(grid, rows.items(), strict=True):
        line[0].set_ylabel(name, fontsize=8)
        for axes, picture in zip(line, pictures, strict=True):
            axes.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=255)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
    return figure


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/examples/10_autoencoder"), help="folder for figures")
    parser.add_argument("--quick", action="store_true", help="two epochs a run")
    return parser.parse_args()


if __name__ == "__main__":
    main()
