"""Chapter 1. What a filter does: by hand, learned, and layer by layer.

A 3×3 kernel is nine numbers. Slid over a picture it can find lines, blur or sharpen. A convolutional network is made of
such kernels, only that it learns its numbers. Here are both: kernels written by hand, the first filters of a network
trained on ImageNet, and what its layers answer to the same picture.

    python examples/01_filters.py                       # a photograph that comes with scikit-learn
    python examples/01_filters.py --picture cat.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

import anmok

LAYERS = ("conv_stem", "blocks.1", "blocks.3", "blocks.6")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # what the network was trained with


def main() -> None:
    """Write every figure of this chapter."""
    options = arguments()
    picture = photograph(options.picture, side=112 if options.quick else 224)
    anatomy = anmok.anatomy

    made = [anatomy.save(anatomy.kernels_figure(picture), options.out / "kernels.png")]

    net = anmok.networks.efficientnet_lite0(weights="imagenet").eval()
    name, weights = anatomy.filters_of(net)
    made.append(anatomy.save(anatomy.filters_figure(name, weights), options.out / "learned_filters.png"))

    x = (torch.from_numpy(picture / 255).float() - torch.tensor(MEAN)) / torch.tensor(STD)
    for layer in LAYERS[:2] if options.quick else LAYERS:
        maps = anatomy.feature_maps(net, x.permute(2, 0, 1), layer)
        figure = anatomy.maps_figure(layer, maps, limit=36)
        made.append(anatomy.save(figure, options.out / f"maps_{layer.replace('.', '_')}.png"))
        count, height, width = maps.shape
        print(f"{layer}: {count} maps of {height}×{width}, values {maps.min():.2f} to {maps.max():.2f}")

    print("The deeper the layer, the coarser its maps, and the less they look like the picture.")
    for path in made:
        print(f"made {path}")


def photograph(path: Path | None, side: int) -> np.ndarray:
    """A square uint8 RGB picture of so many pixels a side, cut from the middle."""
    picture = Image.open(path).convert("RGB") if path else Image.fromarray(load_sample_image("china.jpg"))
    short = min(picture.size)
    left, top = (picture.width - short) // 2, (picture.height - short) // 2
    return np.asarray(picture.crop((left, top, left + short, top + short)).resize((side, side)))


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, help="your own photograph")
    parser.add_argument("--out", type=Path, default=Path("runs/examples/01_filters"), help="folder for the figures")
    parser.add_argument("--quick", action="store_true", help="a smaller picture and fewer layers")
    return parser.parse_args()


if __name__ == "__main__":
    main()
