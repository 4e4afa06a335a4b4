"""DCGAN at 64² on Fashion-MNIST: `anmok train --task generate` against PyTorch's own example, in turn, in one run.

    python benchmarks/dcgan.py [--peer PYTHON] [--data FOLDER] [--seconds 120] [--rounds 3] [--out results/dcgan.json]

The same two networks to the parameter, the same batch (64), loss and Adam, no classes. Both train for the same wall
time on all 60,000 training pictures; anmok's includes its looks at the pictures' health after every epoch.

`rate` counts training pictures a second: of the example over its training loop; of anmok over data, computing,
optimizer and average, looks and checkpoints aside; `rate_all` over all of its training time. `--ready` spares the
example its reading: pictures lie resized in memory, computing alone is compared.

Then both draw 2,000 pictures, compared with the 10,000 test pictures in the features of EfficientNet-Lite0 (ImageNet),
scaled by training pictures: `kernel_distance` is KID's formula in these features, not comparable with published KID.
The peer needs torch and torchvision: by default this interpreter. Nothing else may run meanwhile. With the defaults it
takes about 15 minutes.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import HERE, anmok_program, in_turn, last_json, machine, ratios, tell, whole_process, write_record
from torch.nn import functional as F

import anmok
from anmok.engine.devices import choose
from anmok.metrics.kernel_distance import kernel_distance_interval
from anmok.metrics.manifolds import manifolds
from anmok.tasks.generate.yardstick import Yardstick

DATA = Path("/usr/share/datasets/fashion-mnist")
DRAWN, JUDGED = 2000, 5000  # drawn pictures; real ones they are judged by, of each split
BUSY = ("data", "compute", "optimizer", "average", "own")


def by_anmok(data: Path, seconds: float, seed: int, folder: Path, judge: Judge) -> dict[str, Any]:
    flags = ["--task", "generate", "--net", "dcgan", "--imgsz", "64", "--no-conditional", "--batch", "64"]
    flags += ["--epochs", "1000", "--val", "0.02", "--seed", str(seed), "--time", f"{seconds:g}s"]
    cost, text = whole_process([anmok_program(), "train", str(data), *flags, "--project", str(folder), "--json"])
    path = Path(json.loads(text)["run"])
    card = json.loads((path / "card.json").read_text())
    with (path / "results.csv").open() as rows:
        steps = int(list(csv.DictReader(rows))[-1]["step"])
    run = anmok.load(path)
    drawn = run.generate(range(DRAWN), single=False, out=folder / "sheet").pictures
    parameters = [
        sum(w.numel() for w in net.parameters()) for net in (run.model.net.generator, run.model.net.discriminator)
    ]
    busy = sum(card["seconds_by_part"].get(part, 0.0) for part in BUSY)
    return {"shown": 64 * steps, "rate": 64 * steps / busy, "rate_all": 64 * steps / card["seconds"],
            "training_s": card["seconds"], "parameters": parameters, "precision": card["machine"]["precision"],
            "parts": card["seconds_by_part"], **judge(drawn), **cost}  # fmt: skip


def by_pytorch(
    python: str, data: Path, seconds: float, seed: int, folder: Path, judge: Judge, ready: bool
) -> dict[str, Any]:
    out = folder / f"drawn-{seed}.npy"
    command = [python, str(HERE / "peers/pytorch_dcgan.py"), str(data), f"{seconds:g}", str(seed), str(out)]
    cost, text = whole_process([*command, *(["--ready"] if ready else [])])
    return last_json(text) | judge(np.load(out)) | cost


class Judge:
    """Drawn pictures against the test pictures, always in the same features."""

    def __init__(self, data: Path) -> None:
        self.yardstick, self.devices = Yardstick(), choose("cpu")
        train, test = (_pictures(data, name)[:JUDGED] for name in ("train", "t10k"))
        self.yardstick.measure_by(self.yardstick.raw(train, self.devices))
        self.real = self.yardstick(test, self.devices)

    def __call__(self, drawn: np.ndarray) -> dict[str, float]:
        features = self.yardstick(drawn, self.devices)
        found, near = kernel_distance_interval(features, self.real), manifolds(features, self.real)
        return {"kernel_distance": found.value, "kernel_distance_low": found.low, "kernel_distance_high": found.high,
                "precision_of_drawn": near.precision, "recall": near.recall}  # fmt: skip


def _pictures(data: Path, name: str) -> np.ndarray:
    """uint8 (N, 64, 64, 1)."""
    packed = gzip.decompress((data / f"{name}-images-idx3-ubyte.gz").read_bytes())
    small = torch.from_numpy(np.frombuffer(packed, np.uint8, offset=16).reshape(-1, 1, 28, 28)[:JUDGED].copy())
    large = F.interpolate(small.float(), (64, 64), mode="bilinear", antialias=True)
    return large.round().to(torch.uint8).movedim(1, 3).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default=sys.executable)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ready", action="store_true")
    parser.add_argument("--more", action="store_true", help="add to the rounds that --out holds already")
    parser.add_argument("--out", type=Path, default=HERE / "results/dcgan.json")
    asked = parser.parse_args()
    record = machine("torch", "torchvision", "anmok") | {"seconds": asked.seconds, "ready": asked.ready}
    judge = Judge(asked.data)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        found = in_turn(asked.rounds, {
            "anmok": lambda seed: by_anmok(asked.data, asked.seconds, seed, folder, judge),
            "pytorch": lambda seed: by_pytorch(asked.peer, asked.data, asked.seconds, seed, folder, judge, asked.ready),
        }, asked.out if asked.more else None)  # fmt: skip
    if found["anmok"][0]["parameters"] != found["pytorch"][0]["parameters"]:
        raise SystemExit(f"other networks: {found['anmok'][0]['parameters']}, {found['pytorch'][0]['parameters']}")
    tell(found, "rate", "rate_all", "kernel_distance", "precision_of_drawn", "recall", "process_s", "peak_mib")
    tell({"anmok / pytorch": [{"rate": ratio} for ratio in ratios(found, "anmok", "pytorch", "rate")]}, "rate")
    write_record(asked.out, record | found)


if __name__ == "__main__":
    main()
