"""Full Fashion-MNIST: `anmok train` with its defaults against the textbook Keras model, in turn, in one run.

    python benchmarks/fashion_mnist.py --keras PEER_PYTHON [--data FOLDER] [--seeds 3] [--out results/FILE.json]

Each seed runs anmok, then Keras, each as a whole process timed from outside; nothing else may run meanwhile. The test
split is read by both only at the end. See README.md beside this file for the peer's environment.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DATA = Path("/usr/share/datasets/fashion-mnist")


def whole_process(command: list[str]) -> tuple[float, float, str]:
    """Seconds, peak MiB and standard output of one child process."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{text}")
    return seconds, usage.ru_maxrss / 1024, text


def anmok(data: Path, seed: int, folder: Path, flags: list[str]) -> dict[str, Any]:
    program = Path(sys.executable).with_name("anmok")
    command = [str(program), "train", str(data), "--seed", str(seed), "--project", str(folder), "--json", *flags]
    seconds, peak, text = whole_process(command)
    run = json.loads(text)
    card = json.loads((Path(run["run"]) / "card.json").read_text())
    accuracy = run["metrics"]["test"]["accuracy"]["value"]
    with (Path(run["run"]) / "results.csv").open(newline="") as file:
        epochs = [{name: float(row[name]) for name in ("seconds", "val_accuracy")} for row in csv.DictReader(file)]
    return {
        "accuracy": accuracy, "process_s": seconds, "training_s": card["seconds"], "peak_mib": peak,
        "forecast_s": card["seconds_forecast"], "epochs": epochs, "parts": card["seconds_by_part"],
        "recipe": card["recipe"], "machine": card["machine"], "versions": card["versions"],
    }  # fmt: skip


def keras(python: str, data: Path, seed: int) -> dict[str, Any]:
    seconds, peak, text = whole_process([python, str(HERE / "peers/keras_fashion_mnist.py"), str(data), str(seed)])
    return json.loads(text.strip().splitlines()[-1]) | {"process_s": seconds, "peak_mib": peak}


def median_and_spread(values: list[float]) -> str:
    return f"{statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g}, n={len(values)})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keras", help="Python of the environment that has TensorFlow; left out: anmok alone")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=HERE / "results/fashion_mnist.json")
    asked, flags = parser.parse_known_args()
    results: dict[str, list[dict[str, Any]]] = {"anmok": [], "keras": []}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(asked.seeds):
            results["anmok"].append(anmok(asked.data, seed, Path(folder), flags))
            print(
                "anmok",
                {k: results["anmok"][-1][k] for k in ("accuracy", "process_s", "training_s", "peak_mib")},
                flush=True,
            )
            if asked.keras:
                results["keras"].append(keras(asked.keras, asked.data, seed))
                print("keras", results["keras"][-1], flush=True)
    for name, runs in results.items():
        for figure in ("accuracy", "process_s", "training_s", "peak_mib"):
            if runs:
                print(f"{name:6} {figure:11} {median_and_spread([run[figure] for run in runs])}")
    if asked.keras:
        for figure in ("process_s", "training_s"):
            ratios = [k[figure] / a[figure] for a, k in zip(results["anmok"], results["keras"], strict=True)]
            print(f"keras / anmok, {figure}: {median_and_spread(ratios)}")
    record = {"date": time.strftime("%Y-%m-%d"), "system": platform.platform(), "cores": os.cpu_count(), "flags": flags}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(record | results, indent=1) + "\n")


if __name__ == "__main__":
    main()
