"""Chapter 7. Every pixel its class: what a U-Net learns from ten annotated crops of one photograph.

Nobody outlines a thousand pictures. U-Net's authors had thirty, bent them at random while training, and won. Here ten
small crops of one photograph are annotated (`annotations/README.md` says how, and what that is worth). A network learns
from three, five and ten of them; what it has learned is judged on another part of the photograph, whose objects it has
never seen. The last table says which objects it misses: by size, and near their outlines or inside.

    python examples/07_unet_cells.py                  # nuclei in stained tissue, about five minutes
    python examples/07_unet_cells.py --picture coins
    python examples/07_unet_cells.py --data mine/     # your own: images/ and masks/, or COCO, VOC, YOLO outlines
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from _annotated import write_annotated
from matplotlib.figure import Figure
from PIL import Image

import anmok

ANNOTATED = (3, 5, 10)  # crops
ENLARGED = 1.6  # inches a test crop


def main() -> None:
    """Learn from ever more crops, judge on the rest, and look."""
    options = arguments()
    counts = ANNOTATED[-1:] if options.quick else ANNOTATED
    # Nothing in tissue is upright: mirrored up and down, bent by a twentieth of the side, it stays tissue.
    settings = {"weights": "random", "flip_vertical": True, "rotate": 180, "elastic": 0.05, "val": 0.2}
    if options.quick:
        settings |= {"epochs": 25}

    print("annotated  mean IoU on the test part")
    for count in (None,) if options.data else counts:
        data = options.data or write_annotated(options.out / f"{options.picture}-{count}", options.picture, count)
        run = anmok.train(data, task="segment", name=f"{options.picture}-{count}", project=options.out / "runs",
                          quiet=options.quick, **settings)  # fmt: skip
        found = run.metrics["test"]["mean_iou"]
        print(f"{count or 'all':>9}  {found['value']:.1%} ({found['low']:.1%} to {found['high']:.1%})")

    tables = run.evaluate().tables
    print("\nclass        IoU     near outlines  inside")
    for row in tables["classes"]:
        print(f"{row['class']:10} {row['iou']:6.1%}  {row['near']:9.1%}  {row['inside']:12.1%}")
    print("\nobjects by size          there  found")
    for row in tables["sizes"]:
        print(f"{row['least']:>6,} to {row['most']:>6,} pixels {row['objects']:7,}  {row['recall']:.0%}")

    if options.data is None:
        path = options.out / "answers.png"
        draw(run, data / "test", path)
        print(f"\nmade {path}")
    print(f"made {run.report}")


def draw(run: anmok.Run, folder: Path, path: Path) -> None:
    """Test crops, as annotated and as answered: outlines in yellow over the picture."""
    names = sorted((folder / "images").glob("*.png"))
    answers = [answer.mask for answer in run.predict(names)]
    truths = [np.asarray(Image.open(folder / "masks" / name.name)) for name in names]
    figure = Figure(figsize=(ENLARGED * len(names), 2 * ENLARGED), layout="constrained")
    rows = figure.subplots(2, len(names), squeeze=False)
    for axes, masks, title in zip(rows, (truths, answers), ("annotated", "answered"), strict=True):
        axes[0].set_ylabel(title)
        for place, name, mask in zip(axes, names, masks, strict=True):
            place.imshow(Image.open(name), cmap="gray")
            place.contour(mask > 0, levels=[0.5], colors="yellow", linewidths=0.9)
            place.set(xticks=[], yticks=[])
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", choices=["cells", "coins"], default="cells", help="which photograph")
    parser.add_argument("--data", type=Path, help="pictures with masks of your own")
    parser.add_argument("--out", type=Path, default=Path("runs/examples/07_unet_cells"), help="folder for what is made")
    parser.add_argument("--quick", action="store_true", help="ten crops only, few epochs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
