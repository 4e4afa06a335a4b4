"""The VAE 784-400-20 on full Fashion-MNIST: `anmok train` against PyTorch's own example, in turn, in one run.

    python benchmarks/vae.py [--peer PYTHON] [--data FOLDER] [--epochs 10] [--rounds 3] [--out results/vae.json]

The same network and the same loss, all 60,000 training pictures, batches of 128; the test loss is −ELBO in nats a
picture, from one draw of each code, of the 10,000 test pictures. anmok keeps its own optimizer, schedule and averaged
weights; the example its Adam at 0.001. `training_s` counts the epochs with their evaluations, `process_s` everything
from start to exit (anmok's includes its card and report). The peer needs torch and torchvision: by default this
interpreter. Nothing else may run meanwhile; three rounds take about five minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from measuring import HERE, anmok_program, in_turn, last_json, machine, ratios, tell, whole_process, write_record

DATA = Path("/usr/share/datasets/fashion-mnist")


def anmok(data: Path, epochs: int, seed: int, folder: Path) -> dict[str, Any]:
    flags = ["--task", "reconstruct", "--net", "vae", "--epochs", str(epochs), "--val", "0", "--seed", str(seed)]
    flags += ["--novelty", "reconstruction"]
    cost, text = whole_process([anmok_program(), "train", str(data), *flags, "--project", str(folder), "--json"])
    run = json.loads(text)
    card = json.loads((Path(run["run"]) / "card.json").read_text())
    return {"test_loss": -run["metrics"]["test"]["evidence"]["value"], "training_s": card["seconds"], **cost,
            "parts": card["seconds_by_part"], "recipe": card["recipe"]}  # fmt: skip


def peer(python: str, data: Path, epochs: int, seed: int) -> dict[str, Any]:
    cost, text = whole_process([python, str(HERE / "peers/pytorch_vae.py"), str(data), str(epochs), str(seed)])
    return last_json(text) | cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default=sys.executable)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--more", action="store_true", help="add to the rounds that --out holds already")
    parser.add_argument("--out", type=Path, default=HERE / "results/vae.json")
    asked = parser.parse_args()
    record = machine("torch", "torchvision", "anmok") | {"epochs": asked.epochs, "data": str(asked.data)}
    with tempfile.TemporaryDirectory() as folder:
        found = in_turn(asked.rounds, {
            "anmok": lambda seed: anmok(asked.data, asked.epochs, seed, Path(folder)),
            "pytorch": lambda seed: peer(asked.peer, asked.data, asked.epochs, seed),
        }, asked.out if asked.more else None)  # fmt: skip
    tell(found, "test_loss", "training_s", "process_s", "peak_mib")
    for figure in ("training_s", "process_s"):
        tell({"pytorch / anmok": [{figure: ratio} for ratio in ratios(found, "pytorch", "anmok", figure)]}, figure)
    write_record(asked.out, record | found)


if __name__ == "__main__":
    main()
