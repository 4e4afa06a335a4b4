"""Pictures a second while learning: resnet18 at 224 against torchvision's loop, textbook_cnn at 28 against Keras.

    python benchmarks/throughput.py --keras PEER_PYTHON [--torchvision PEER_PYTHON] [--pictures 480] [--epochs 3]

Both sides with their own defaults, all weights learned from random ones. The first epoch, in which one side compiles
and the other fills its cache, is left out on both. anmok's seconds include its validation after every epoch, on a
twentieth of the pictures; the peers validate nothing. Left out, `--torchvision` is this interpreter.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Callable
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
from photographs import class_folders

FASHION = Path("/usr/share/datasets/fashion-mnist")


def anmok(data: Path, epochs: int, *flags: str) -> dict[str, Any]:
    """Pictures a second of the second and later epochs, from the run's own record."""
    with tempfile.TemporaryDirectory() as place:
        command = [anmok_program(), "train", str(data), "--epochs", str(epochs), "--patience", str(epochs), "--val",
                   "0.05", "--project", place, "--json", *flags]  # fmt: skip
        cost, text = whole_process(command, ANMOK_CACHE=f"{place}/cache")
        folder = Path(json.loads(text)["run"])
        card = json.loads((folder / "card.json").read_text())
        with (folder / "results.csv").open(newline="") as file:
            ends = [float(row["seconds"]) for row in csv.DictReader(file)]
    later = (ends[-1] - ends[0]) / (len(ends) - 1)
    return {**cost, "pictures_a_second": card["data"]["splits"]["train"] / later, "recipe": card["recipe"],
            "machine": card["machine"]}  # fmt: skip


def peer(command: list[str]) -> dict[str, Any]:
    cost, text = whole_process(command)
    return {**cost, **last_json(text)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keras", help="Python of the environment that has TensorFlow; left out: resnet18 alone")
    parser.add_argument("--torchvision", default=sys.executable)
    parser.add_argument("--pictures", type=int, default=480)
    parser.add_argument("--data", type=Path, default=FASHION, help="Fashion-MNIST's four files")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=HERE / "results/throughput.json")
    asked = parser.parse_args()
    epochs = str(asked.epochs)
    with tempfile.TemporaryDirectory() as place:
        folder, _ = class_folders(Path(place) / "photographs", asked.pictures, 0)
        pairs: dict[str, dict[str, Callable[[int], dict[str, Any]]]] = {"resnet18": {
            "anmok": lambda _: anmok(folder, asked.epochs, "--net", "resnet18", "--imgsz", "224", "--weights", "random",
                                     "--test", "0"),
            "torchvision": lambda _: peer([asked.torchvision, str(HERE / "peers/torchvision_train.py"), str(folder),
                                           "resnet18", epochs]),
        }}  # fmt: skip
        if asked.keras:
            pairs["textbook_cnn"] = {
                "anmok": lambda _: anmok(asked.data, asked.epochs, "--net", "textbook_cnn", "--no-focus"),
                "keras": lambda _: peer([asked.keras, str(HERE / "peers/keras_textbook.py"), str(asked.data), epochs]),
            }
        found = {}
        for network, sides in pairs.items():
            print(network, flush=True)
            found[network] = in_turn(asked.rounds, sides)
    for network, results in found.items():
        _, other = results
        print(network)
        tell(results, "pictures_a_second", "process_s", "peak_mib")
        print(f"anmok / {other}: {median_and_spread(ratios(results, 'anmok', other, 'pictures_a_second'))}")
    write_record(asked.out, machine("anmok", "torch", "torchvision") | {"pictures": asked.pictures, **found})


if __name__ == "__main__":
    main()
