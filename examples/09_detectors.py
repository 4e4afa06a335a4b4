"""Chapter 9. What is where: the history of detection, R-CNN to today, each step trained and measured.

First what selective search proposes in one picture: a few hundred boxes that look like one thing, found without
learning. R-CNN warps each of them and asks a classifier; SPPnet convolves the picture once and pools from its map; Fast
R-CNN learns all of that by one loss; Faster R-CNN lets the network propose; YOLO and today's detector look once. All
learn the same scenes; the table says what each is worth, and where its time goes. Then one answered box is explained.

    python examples/09_detectors.py                       # a few minutes for each of six detectors
    python examples/09_detectors.py --nets rcnn sppnet    # the time that SPPnet saves
    python examples/09_detectors.py --data street/        # pictures with boxes: COCO, Pascal VOC, YOLO or CSV
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import anmok
from anmok.core.selective_search import Search
from anmok.core.targets import Objects

NETS = ("rcnn", "sppnet", "fast_rcnn", "faster_rcnn", "yolo_v1_small", "anchor_free")
QUICK = ("rcnn", "sppnet")
SHOWN = 480  # pixels a side of a view, about


def main() -> None:
    """Propose, train side by side, explain."""
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    data = options.data or (few_scenes(options.out / "scenes") if options.quick else "scenes")
    nets = options.nets or (QUICK if options.quick else NETS)

    dataset = anmok.load_data(data, task="detect")
    entry = max(dataset.entries, key=lambda entry: len(entry.target))
    pixels = dataset.pictures.read(entry.locator)
    boxes = Search.for_squares(max(pixels.shape[:2]))(pixels)
    covered = [overlaps(box, boxes).max(initial=0.0) for box in entry.target.boxes]
    print(f"{len(boxes)} proposals for {len(entry.target)} things; they cover {np.mean(np.array(covered) >= 0.5):.0%}")
    draw_proposals(pixels, entry.target, boxes, options.out / "proposals.png")
    print(f"made {options.out / 'proposals.png'}\n")

    quick = {"epochs": 1} if options.quick else {"time": options.time}
    found = anmok.compare(str(data), *nets, task="detect", project=options.out / "runs", seed=0,
                          out=options.out / "history.png", **quick)  # fmt: skip
    print("detector         mAP 50    ms a picture = proposals + features + heads    training")
    for one in found.contestants:
        parts = " + ".join(f"{1e3 * seconds:7.1f}" for seconds in one.seconds.values())
        print(f"{one.name:14} {one.figures['map50'][0]:8.1%} {1e3 * sum(one.seconds.values()):12.1f} = {parts}"
              f"    {one.training:6.1f} s")  # fmt: skip
    for remark in found.remarks:
        print(f"- {remark}")
    print(f"made {found.out}")

    run = anmok.load(found.contestants[-1].run)
    run.model.threshold = 0.0  # the surest box is explained, however little sure a detector of few minutes is
    place = options.out / "picture.png"
    Image.fromarray(pixels).save(place)
    explained = run.explain(place, method="occlusion", box=1, verdict=False, out=options.out / "why.png")
    print(f"\nsurest box: {explained.answer} ({explained.score:.0%}); bright is what this answer cannot do without")
    print(f"made {place}\nmade {explained.png}")


def few_scenes(folder: Path) -> Path:
    """Twelve small scenes to learn from and four to be judged on, as a COCO folder."""
    from anmok.data.convert import write_data
    from anmok.data.samples.scenes import scenes

    if not folder.exists():
        write_data(scenes(12, 4, 64), folder, "coco")
    return folder


def overlaps(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of a box (4,) with boxes (R, 4)."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = (high - low).clip(min=0).prod(1)
    return shared / ((box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1) - shared)


def draw_proposals(pixels: np.ndarray, truth: Objects, boxes: np.ndarray, path: Path) -> None:
    """All proposals, and beside them those that cover what is there best (green) on the truth (blue)."""
    best = [boxes[overlaps(box, boxes).argmax()] for box in truth.boxes] if len(boxes) else []
    views = [[(boxes, (255, 220, 60), 1)], [(truth.boxes, (64, 160, 255), 2), (best, (60, 200, 90), 2)]]
    scale = max(1, round(SHOWN / max(pixels.shape[:2])))
    height, width = (scale * side for side in pixels.shape[:2])
    sheet = Image.new("RGB", (2 * width + 8, height), "white")
    for number, layers in enumerate(views):
        view = Image.fromarray(pixels.squeeze()).convert("RGB").resize((width, height))
        pen = ImageDraw.Draw(view)
        for own, colour, line in layers:
            for box in own:
                pen.rectangle([float(value) * scale for value in box], outline=colour, width=line)
        sheet.paste(view, (number * (width + 8), 0))
    sheet.save(path)


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="pictures with boxes, or the name of a known data set; default: bundled scenes")
    parser.add_argument("--nets", nargs="+", help=f"detectors; default: {' '.join(NETS)}")
    parser.add_argument("--time", default="3m", help="time each of them may learn")
    parser.add_argument("--out", type=Path, default=Path("runs/examples/09_detectors"), help="folder for what is made")
    parser.add_argument("--quick", action="store_true", help="twelve small scenes, one epoch, two detectors")
    return parser.parse_args()


if __name__ == "__main__":
    main()
