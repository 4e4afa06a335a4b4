"""Peak memory of training does not grow with the number of pictures; the second epoch is bound by the network.

    python benchmarks/memory.py [--pictures 10000 100000] [--side 48] [--out results/memory.json]

Writes JPEG folders of random smooth pictures in two classes, trains one network on each for two epochs in a process of
its own, and prints peak memory, seconds an epoch, and the share of the run spent waiting for pictures.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HERE = Path(__file__).parent


def write_pictures(root: Path, count: int, side: int) -> None:
    generator = np.random.default_rng(0)
    for number in range(count):
        folder = root / f"{'light' if number % 2 else 'dark'}"
        if number < 2:
            folder.mkdir(parents=True)
        coarse = generator.integers(0, 160, (6, 6, 3), dtype=np.uint8) + np.uint8(60 * (number % 2))
        Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(
            folder / f"{number:06d}.jpg", quality=85
        )


def train(root: Path, project: Path, cache: Path) -> dict[str, Any]:
    command = [
        str(Path(sys.executable).with_name("anmok")), "train", str(root), "--epochs", "2", "--imgsz", "32",
        "--project", str(project), "--json",
    ]  # fmt: skip
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "ANMOK_CACHE": str(cache)}
    )
    output = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"training on {root} failed")
    folder = Path(json.loads(output)["run"])
    card = json.loads((folder / "card.json").read_text())
    with (folder / "results.csv").open() as file:
        ends = [float(row["seconds"]) for row in csv.DictReader(file)]
    parts = card["seconds_by_part"]
    return {
        "pictures": sum(card["data"]["splits"].values()),
        "peak_mib": usage.ru_maxrss / 1024,
        "process_s": time.perf_counter() - start,
        "second_epoch_s": ends[1] - ends[0],
        "waiting_share": parts["data"] / sum(parts.values()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--side", type=int, default=48)
    parser.add_argument("--out", type=Path, default=HERE / "results/memory.json")
    asked = parser.parse_args()
    results = []
    for count in asked.pictures:
        with tempfile.TemporaryDirectory() as folder:
            write_pictures(Path(folder) / "data", count, asked.side)
            results.append(train(Path(folder) / "data", Path(folder) / "runs", Path(folder) / "cache"))
            print(results[-1], flush=True)
    asked.out.write_text(json.dumps({"date": time.strftime("%Y-%m-%d"), "runs": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
