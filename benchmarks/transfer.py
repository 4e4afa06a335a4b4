"""A classifier from 2,000 photographs in 8 classes: `anmok train` against fastai's `fine_tune` and Keras' frozen base.

    python benchmarks/transfer.py [--fastai PYTHON] [--keras PYTHON] [--pictures 2000] [--rounds 3] [--imgsz N]

The same backbone with the same published weights on all sides, EfficientNet-Lite0. Photographs are narrow crops of
scikit-image's pictures (`photographs.py`); half as many others are held out. Whole processes are timed from outside,
decoding included and caches empty, up to the trained model; accuracy is on the held-out photographs, which nobody saw.
`--imgsz` adds anmok and Keras once more at another size than the weights' own.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
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


def anmok(train: Path, test: Path, seed: int, *flags: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        cache = {"ANMOK_CACHE": f"{place}/cache"}
        cost, text = whole_process([anmok_program(), "train", str(train), "--val", "0.1", "--test", "0", "--project",
                                    place, "--seed", str(seed), "--json", *flags], **cache)  # fmt: skip
        run = json.loads(text)["run"]
        card = json.loads((Path(run) / "card.json").read_text())
        _, text = whole_process([anmok_program(), "eval", run, str(test), "--json"], **cache)
    accuracy = json.loads(text)["figures"]["accuracy"]
    return {"accuracy": accuracy["value"] if isinstance(accuracy, dict) else accuracy, **cost,
            "parts": card["seconds_by_part"], "recipe": card["recipe"]}  # fmt: skip


def peer(python: str, script: str, *arguments: object) -> dict[str, Any]:
    cost, text = whole_process([python, str(HERE / "peers" / script), *map(str, arguments)])
    told = last_json(text)
    return {**cost, **told, "process_s": cost["process_s"] - told["test_s"]}


def write_weights(path: Path) -> None:
    """The published weights under timm's names, and one picture's features to check a copy of the network by."""
    import torch

    from anmok.networks import efficientnet_lite0

    network = efficientnet_lite0(weights="imagenet").eval()
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    picture = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    x = torch.from_numpy(picture / np.float32(255)).permute(2, 0, 1)[None]
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        features = network.forward_features((x - mean) / std).mean((2, 3))[0]
    np.savez(path, picture=picture, features=features.numpy(), **state)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fastai", help="Python of the environment that has fastai, timm and the weights' package")
    parser.add_argument("--keras", help="Python of the environment that has TensorFlow")
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--imgsz", type=int, help="side in pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where photographs are kept between runs")
    parser.add_argument("--out", type=Path, default=HERE / "results/transfer.json")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = (asked.folder or Path(place)) / f"classes-{asked.pictures}"
        train, test = class_folders(folder, asked.pictures, asked.pictures // 2)
        sides: dict[str, Callable[[int], dict[str, Any]]] = {"anmok": lambda seed: anmok(train, test, seed)}
        if asked.fastai:
            sides["fastai"] = lambda seed: peer(asked.fastai, "fastai_photographs.py", train, test, seed)
        weights, keras = Path(place) / "weights.npz", partial(peer, asked.keras, "keras_photographs.py", train, test)
        if asked.keras:
            write_weights(weights)
            sides["keras"] = lambda seed: keras(seed, weights)
        if asked.imgsz:
            sides[f"anmok at {asked.imgsz}"] = lambda seed: anmok(train, test, seed, "--imgsz", str(asked.imgsz))
        if asked.imgsz and asked.keras:
            sides[f"keras at {asked.imgsz}"] = lambda seed: keras(seed, weights, asked.imgsz)
        found = in_turn(asked.rounds, sides)
    tell(found, "accuracy", "process_s", "peak_mib")
    for ours in (name for name in found if name.startswith("anmok")):
        for peer_name in (name for name in found if not name.startswith("anmok")):
            ratio = median_and_spread(ratios(found, peer_name, ours, "process_s"))
            print(f"{peer_name} / {ours}, whole process: {ratio}")
    write_record(asked.out, machine("anmok", "torch", "timm") | {"pictures": asked.pictures, **found})


if __name__ == "__main__":
    main()
