"""Full Fashion-MNIST: `anmok train` with its defaults against the textbook Keras model, in turn, in one run.

    python benchmarks/fashion_mnist.py --keras PEER_PYTHON [--data FOLDER] [--rounds 3] [--time 20s] [--out FILE.json]

Each round runs anmok, anmok with a budget of `--time` and its other defaults, and Keras, each as a whole process timed
from outside, the round's number as the seed; nothing else may run meanwhile. The test split is read by all only at the
end. The budget is chosen so that the whole process, start and report included, stays within a fifth of Keras'. Other
flags go to `anmok train`. See README.md beside this file for the peer's environment.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from measuring import (
    HERE,
    anmok_program,
    in_turn,
    last_json,
    machine,
    median_and_spread,
    ratios,
    tell,
    whole_process,
    write_record,
)

DATA = Path("/usr/share/datasets/fashion-mnist")
BUDGET = "anmok --time"


def anmok(data: Path, flags: list[str], seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [anmok_program(), "train", str(data), "--seed", str(seed), "--project", folder, "--json", *flags]
        cost, text = whole_process(command)
        run = json.loads(text)
        card = json.loads((Path(run["run"]) / "card.json").read_text())
        with (Path(run["run"]) / "results.csv").open(newline="") as file:
            epochs = [{name: float(row[name]) for name in ("seconds", "val_accuracy")} for row in csv.DictReader(file)]
    return {
        "accuracy": run["metrics"]["test"]["accuracy"]["value"], **cost, "training_s": card["seconds"],
        "forecast_s": card["seconds_forecast"], "epochs": epochs, "parts": card["seconds_by_part"],
        "recipe": card["recipe"],
    }  # fmt: skip


def keras(python: str, data: Path, seed: int) -> dict[str, Any]:
    cost, text = whole_process([python, str(HERE / "peers/keras_fashion_mnist.py"), str(data), str(seed)])
    return last_json(text) | cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keras", help="Python of the environment that has TensorFlow; left out: anmok alone")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--time", help="of a second run of anmok each round; left out: none")
    parser.add_argument("--kept", type=Path, help="results to go on with")
    parser.add_argument("--out", type=Path, default=HERE / "results/fashion_mnist.json")
    asked, flags = parser.parse_known_args()
    sides = {"anmok": partial(anmok, asked.data, flags)}
    if asked.time:
        sides[BUDGET] = partial(anmok, asked.data, [*flags, "--time", asked.time])
    if asked.keras:
        sides["keras"] = partial(keras, asked.keras, asked.data)
    found = in_turn(asked.rounds, sides, asked.kept)
    tell(found, "accuracy", "process_s", "training_s", "cpu_s", "peak_mib")
    for name in sides:
        if asked.keras and name != "keras":
            for figure in ("process_s", "training_s"):
                print(f"keras / {name}, {figure}: {median_and_spread(ratios(found, 'keras', name, figure))}")
    record = machine("anmok", "torch") | {"flags": flags, "time": asked.time}
    write_record(asked.out, record | found)


if __name__ == "__main__":
    main()
