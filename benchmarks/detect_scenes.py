"""Today's detector from scratch against Ultralytics' newest nano network from scratch, on the bundled scenes, in turn.

    python benchmarks/detect_scenes.py --peer PEER_PYTHON [--minutes 30] [--rounds 1] [--shares 0.5 1] [--keep FOLDER]

1,000 scenes of 192 × 192 (100 of them for validation) and 300 test scenes of garments that no training scene shows, as
the same PNG files for both. Both train with their defaults for the same wall time, from random weights, at the same
picture size: `anmok train DATA --time 30m`, and Ultralytics' `train(time=0.5, imgsz=192, pretrained=False)` of the
network built from its yaml file. anmok gets shares of that time: half of it first, then all. Each is a process of its
own, timed from outside; nothing else may run meanwhile. The test scenes are judged by one judge, faster-coco-eval, from
each side's own boxes.

`--keep` keeps the scenes and the trained models, for `detect_predict.py`. See README.md for the peer's environment.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from pathlib import Path
from typing import Any

from detection import judged, write_scenes
from measuring import HERE, anmok_program, last_json, machine, tell, whole_process, write_record

SHARES = (0.5, 1.0)
FIGURES = ("map", "map50", "process_s", "cpu_s", "peak_mib", "epochs")


def anmok(data: Path, folder: Path, minutes: float, seed: int, flags: list[str]) -> dict[str, Any]:
    """One run of `anmok train`."""
    command = [anmok_program(), "train", str(data), "--time", f"{round(60 * minutes)}s", "--seed", str(seed),
               "--project", str(folder), "--name", f"anmok-{minutes:g}-{seed}", "--json", *flags]  # fmt: skip
    cost, text = whole_process(command, ANMOK_CACHE=str(folder / "cache"))
    run = json.loads(text)
    place = Path(run["run"])
    card = json.loads((place / "card.json").read_text())
    with (place / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    curve = [(float(row["seconds"]), float(row["val_map"])) for row in rows if row.get("val_map")]
    figures = {name: round(run["metrics"]["test"][name]["value"], 4) for name in ("map", "map50")}
    return {**figures, **cost, "epochs": len(rows), "training_s": card["seconds"], "parts": card["seconds_by_part"],
            "validation": curve, "recipe": card["recipe"], "machine": card["machine"]}  # fmt: skip


def ultralytics(python: str, data: Path, folder: Path, minutes: float, seed: int, side: int) -> dict[str, Any]:
    """One run of the peer."""
    place = folder / f"ultralytics-{minutes:g}-{seed}"
    script = HERE / "peers/ultralytics_train.py"
    command = [python, str(script), str(data), str(place), f"{minutes}", str(seed), str(side)]
    cost, text = whole_process(command, YOLO_CONFIG_DIR=str(folder / "settings"))
    told = last_json(text)
    answers = json.loads((place / "answers.json").read_text())
    return {**judged(data, answers), **cost, **told}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="Python of the environment that has ultralytics; left out: anmok alone")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="of that time, for anmok")
    parser.add_argument("--train", type=int, default=1000)
    parser.add_argument("--test", type=int, default=300)
    parser.add_argument("--side", type=int, default=192)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--out", type=Path, default=HERE / "results/detect_scenes.json")
    asked, flags = parser.parse_known_args()
    sides = [f"anmok {share:g}" for share in asked.shares]
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in ("ultralytics", *sides)}
    with tempfile.TemporaryDirectory() as temporary:
        folder = (asked.keep or Path(temporary)).resolve()
        data = write_scenes(folder, asked.train, asked.test, asked.side)
        for seed in range(asked.rounds):
            if asked.peer:
                results["ultralytics"].append(ultralytics(asked.peer, data, folder, asked.minutes, seed, asked.side))
                _say("ultralytics", results["ultralytics"][-1])
            for name, share in zip(sides, asked.shares, strict=True):
                results[name].append(anmok(data, folder, share * asked.minutes, seed, flags))
                _say(name, results[name][-1])
    tell(results, *FIGURES)
    settings = {name: getattr(asked, name) for name in ("minutes", "rounds", "shares", "train", "test", "side")}
    write_record(
        asked.out, machine("anmok", "torch", "faster-coco-eval") | {"settings": settings, "flags": flags} | results
    )


def _say(name: str, run: dict[str, Any]) -> None:
    print(name, {figure: run[figure] for figure in FIGURES}, flush=True)


if __name__ == "__main__":
    main()
