"""U-Net on ResNet-18, from nothing, on bundled scenes: anmok against segmentation_models.pytorch's documented loop.

    python benchmarks/segment_scenes.py --peer PEER_PYTHON [--rounds 3] [--epochs 10] [--shares 0.25 0.5 1]

600 scenes of 96 × 96 to learn from and 200 to judge by, as PNG files that both sides read. The peer trains for 10
epochs on all 600 (`peers/smp_scenes.py`). Then anmok (defaults, the same network) gets shares of the training time that
the peer took in that round (a quarter, a half and all of it), out of which it also validates on a tenth of the scenes.
Whole processes are timed from outside, anmok's report with them; nothing else may run meanwhile. The mean IoU is over
all test pixels, classes alike.
See README.md beside this file for the peer's environment.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measuring import HERE, anmok_program, in_turn, last_json, machine, ratios, tell, whole_process, write_record
from PIL import Image

SIDE = 96
SHARES = (0.25, 0.5, 1.0)


def write_scenes(folder: Path, train: int, test: int) -> Path:
    """`folder/{train,test}/{images,masks}/0000.png`: bundled scenes, and class numbers with 0 for the ground."""
    from anmok.data.samples.scenes import SEED, compose

    for split, count in (("train", train), ("test", test)):
        for kind in ("images", "masks"):
            (folder / split / kind).mkdir(parents=True, exist_ok=True)
        for number, scene in enumerate(compose(split, count, SIDE, SEED)):
            classes = np.concatenate([[0], scene.labels + 1]).astype(np.uint8)[scene.shown]
            Image.fromarray(scene.pixels).save(folder / split / "images" / f"{number:04}.png")
            Image.fromarray(classes).save(folder / split / "masks" / f"{number:04}.png")
    return folder


def smp(python: str, data: Path, epochs: int, seed: int, loss: str) -> dict[str, Any]:
    """The peer, a whole process."""
    cost, text = whole_process([python, str(HERE / "peers/smp_scenes.py"), str(data), str(epochs), str(seed), loss])
    return {**last_json(text), **cost}


def anmok(data: Path, seed: int, seconds: float, project: Path, flags: list[str]) -> dict[str, Any]:
    """`anmok train` with its defaults, so many seconds of training."""
    network = ["--net", "unet:resnet18", "--weights", "random", "--seed", str(seed), "--time", f"{seconds:.1f}s"]
    command = [anmok_program(), "train", str(data), *network, "--project", str(project), "--json", *flags]
    cost, text = whole_process(command)
    run = json.loads(text)
    card = json.loads((Path(run["run"]) / "card.json").read_text())
    figures = {name: card["metrics"]["test"][name]["value"] for name in ("mean_iou", "pixel_accuracy")}
    parts = {name: card[name] for name in ("seconds_by_part", "recipe", "machine", "versions")}
    return {**figures, "training_s": card["seconds"], **cost, **parts}


def main() -> None:
    """Measure, tell, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, help="Python of the environment with segmentation-models-pytorch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10, help="of the peer")
    parser.add_argument("--train", type=int, default=600)
    parser.add_argument("--test", type=int, default=200)
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="of the peer's training time")
    parser.add_argument("--loss", choices=["dice", "dice+ce"], default="dice", help="of the peer; dice is documented")
    parser.add_argument("--out", type=Path, default=HERE / "results/segment_scenes.json")
    asked, flags = parser.parse_known_args()
    before = machine("torch", "torchvision")
    peers: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as place:
        data = write_scenes(Path(place) / "scenes", asked.train, asked.test)

        def peer(number: int) -> dict[str, Any]:
            peers[number] = smp(asked.peer, data, asked.epochs, number, asked.loss)
            return peers[number]

        def with_share(share: float) -> Any:
            project = Path(place) / f"runs-{share}"
            return lambda number: anmok(data, number, share * peers[number]["training_s"], project, flags)

        shares = {f"anmok {share:g}": with_share(share) for share in asked.shares}
        sides = {"smp": peer, **shares}
        found = in_turn(asked.rounds, sides)
    tell(found, "mean_iou", "pixel_accuracy", "training_s", "process_s", "cpu_s", "peak_mib")
    for name in shares:
        gains = [a["mean_iou"] - b["mean_iou"] for a, b in zip(found[name], found["smp"], strict=True)]
        print(f"{name}: mean IoU beyond the peer's {[f'{gain:+.3f}' for gain in gains]}, process time of the peer over "
              f"its own {[f'{ratio:.2f}' for ratio in ratios(found, 'smp', name, 'process_s')]}")  # fmt: skip
    write_record(asked.out, {"machine": before, "flags": flags, "peer_loss": asked.loss, **found})


if __name__ == "__main__":
    main()
