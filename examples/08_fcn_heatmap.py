"""Chapter 8. From one answer a picture to one a place: a classifier becomes a heat map, then learns to segment.

A classifier's last step averages its map and asks a dense layer. Asked at every cell before averaging, the same layer
says *where*: a heat map, for free, with not one weight changed. That map is coarse, a cell for 32 × 32 pixels. Enlarged
and trained on annotated pictures it segments (Long, Shelhamer, Darrell: Fully Convolutional Networks, 2015), in blobs;
what outlines need are the finer maps on the way, which a U-Net takes along.

    python examples/08_fcn_heatmap.py
    python examples/08_fcn_heatmap.py --image dog.jpg --number 207    # 207: golden retriever, of ImageNet's thousand
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from _annotated import write_annotated
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

import anmok

NETWORK = "efficientnet_lite0"  # its ImageNet weights are installed with anmok
ESPRESSO = 967  # among ImageNet's classes
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WIDTH = 640  # pixels: larger than the 224 the classifier learned on, so that there are places


class FCN(nn.Module):
    """A classifier's coarsest map, a 1×1 convolution in the dense layer's place, and enlarging: FCN-32s' idea.

    (N, C, H, W) → logits (N, num_classes, H, W).
    """

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.encoder = anmok.networks.efficientnet_lite0(in_channels=in_channels, weights="imagenet")
        self.score = nn.Conv2d(self.encoder.stages[-1].channels, num_classes, kernel_size=1)

    def train(self, mode: bool = True) -> FCN:
        """The encoder keeps the statistics of a million photographs: ten crops would only blur them."""
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Scores at a thirty-second of the size, enlarged."""
        scores = self.score(self.encoder.features(x)[-1])
        return F.interpolate(scores, size=x.shape[2:], mode="bilinear", align_corners=False)


def main() -> None:
    """Slide a classifier over a photograph; then train its map, and a U-Net on the same encoder."""
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    photograph = open_photograph(options.image)
    heat, gap = heat_map(photograph, options.number)
    print(f"the mean of {heat.shape[0]} × {heat.shape[1]} cells' scores is the classifier's score, but for {gap:.0e}")
    made = [draw_heat(photograph, heat, options.out / "heatmap.png")]

    data = write_annotated(options.out / "coins", "coins")
    settings = {"task": "segment", "val": 0.2, "project": options.out / "runs", "quiet": options.quick}
    settings["imgsz"] = 192  # the coarsest map has 6 × 6 cells
    settings |= {"optimizer": "adamw", "lr": 1e-3, "epochs": 30 if options.quick else 60}  # pretrained: in small steps
    runs = {"coarse map, enlarged": anmok.train(data, network=FCN(2, 1), name="fcn", **settings)}
    if not options.quick:
        unet = anmok.train(data, net=f"unet:{NETWORK}", weights="imagenet", name="unet", **settings)
        runs["U-Net, finer maps too"] = unet
    print("\ntrained on ten crops    mean IoU  near outlines  inside")
    for name, run in runs.items():
        row = run.evaluate().tables["classes"][-1]
        iou = run.metrics["test"]["mean_iou"]["value"]
        print(f"{name:22} {iou:8.1%}  {row['near']:9.1%}  {row['inside']:12.1%}")
    made.append(draw_answers(runs, data / "test", options.out / "segmented.png"))
    for path in made:
        print(f"made {path}")


def open_photograph(path: Path | None) -> Image.Image:
    """The picture at `path`, or scikit-image's cup of espresso, `WIDTH` pixels wide."""
    if path is None:
        from skimage import data

        picture = Image.fromarray(data.coffee())
    else:
        picture = Image.open(path).convert("RGB")
    return picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)))


@torch.no_grad()
def heat_map(photograph: Image.Image, number: int) -> tuple[np.ndarray, float]:
    """The probability of class `number` at every cell (h, w), and how far the cells' mean is from the classifier."""
    classifier = anmok.networks.efficientnet_lite0(weights="imagenet").eval()
    x = torch.from_numpy(np.array(photograph)).permute(2, 0, 1)[None] / 255
    x = (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    features = classifier.forward_features(x)  # 1, 1280, h, w
    dense: nn.Linear = classifier.classifier
    scores = F.conv2d(features, dense.weight[:, :, None, None], dense.bias)  # the dense layer as a 1×1 convolution
    gap = (scores.mean((2, 3)) - classifier(x)).abs().max()
    return scores.softmax(1)[0, number].numpy(), float(gap)


def draw_heat(photograph: Image.Image, heat: np.ndarray, path: Path) -> Path:
    """The photograph, the cells, and the cells over the photograph."""
    figure = Figure(figsize=(11, 3), layout="constrained")
    whole, cells, both = figure.subplots(1, 3)
    whole.imshow(photograph)
    shown = cells.imshow(heat, cmap="magma", vmin=0, vmax=1)
    both.imshow(photograph.convert("L"), cmap="gray")
    large = np.asarray(Image.fromarray(heat).resize(photograph.size, Image.Resampling.BILINEAR))
    both.imshow(large, cmap="magma", vmin=0, vmax=1, alpha=0.6)
    figure.colorbar(shown, ax=both, label="probability at each place")
    for axes, title in ((whole, "photograph"), (cells, f"{heat.shape[1]} × {heat.shape[0]} cells"), (both, "where")):
        axes.set(xticks=[], yticks=[], title=title)
    figure.savefig(path, dpi=130)
    return path


def draw_answers(runs: dict[str, anmok.Run], folder: Path, path: Path) -> Path:
    """Test crops with the outlines that each run answers, in yellow."""
    names = sorted((folder / "images").glob("*.png"))
    figure = Figure(figsize=(2.2 * len(names), 1.8 * len(runs)), layout="constrained")
    rows = figure.subplots(len(runs), len(names), squeeze=False)
    for axes, (title, run) in zip(rows, runs.items(), strict=True):
        axes[0].set_ylabel(title, fontsize=8)
        for place, name, answer in zip(axes, names, run.predict(names), strict=True):
            place.imshow(Image.open(name), cmap="gray")
            place.contour(answer.mask > 0, levels=[0.5], colors="yellow", linewidths=1)
            place.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=130)
    return path


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", type=Path, help="a photograph; default: scikit-image's cup of espresso")
    parser.add_argument("--number", type=int, default=ESPRESSO, help="which of ImageNet's classes is looked for")
    parser.add_argument("--out", type=Path, default=Path("runs/examples/08_fcn_heatmap"), help="folder for figures")
    parser.add_argument("--quick", action="store_true", help="few epochs, and no U-Net")
    return parser.parse_args()


if __name__ == "__main__":
    main()
