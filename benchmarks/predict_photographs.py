"""JPEG photographs to a table: `anmok predict efficientnet_lite0` against timm's transform, DataLoader and eager loop.

    python benchmarks/predict_photographs.py [--timm PEER_PYTHON] [--pictures 2000] [--rounds 3] [--workers 2]

Photographs of 640 × 480 (see `photographs.py`), in turn, whole processes timed from outside, the same published weights
on both sides. The peer is `peers/timm_photographs.py`; left out, `--timm` is this interpreter, which has timm as well.

* `first`: the command's first run on this machine, which exports the network and chooses what computes it. Once.
* `decode`, `network`: the same pictures only decoded, only computed, each alone with all processors. Their sum over the
  command's time is how well the two share the processors.
* agreement: first classes equal to the peer's (Pillow in full, timm's interpolation, float32, torch), and to anmok's
  own torch in float32 from the same pixels.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
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
from photographs import make_photographs

NETWORK = "efficientnet_lite0"


def anmok(folder: Path, table: Path, *flags: str) -> dict[str, Any]:
    command = [anmok_program(), "predict", NETWORK, str(folder), "--to", str(table), *flags]
    return whole_process(command)[0]


def timm(python: str, folder: Path, table: Path, workers: int) -> dict[str, Any]:
    cost, text = whole_process([python, str(HERE / "peers/timm_photographs.py"), str(folder), str(table), str(workers)])
    return {**cost, **last_json(text)}


def part(name: str, folder: Path) -> dict[str, Any]:
    """Decoding alone or the network alone, in a process of its own."""
    return {"alone_s": last_json(whole_process([sys.executable, __file__, "--part", name, "--folder", str(folder)])[1])}


def alone(name: str, folder: Path) -> float:
    """Seconds for all pictures of the folder, with what the command was found to use; imports and start left out."""
    from anmok.core.pictures import Decoded
    from anmok.core.seen import Seen
    from anmok.data.decoding import DecodingPool
    from anmok.data.stores import PathPictures
    from anmok.ship.answers import Asked
    from anmok.ship.choice import chosen_model
    from anmok.verbs.prepared import find
    from anmok.verbs.shipped import BATCH

    ready = find(NETWORK)
    assert ready is not None and ready.artefact is not None and ready.chosen is not None, "run the command first"
    paths = [str(path) for path in sorted(folder.glob("*.jpg"))]
    seen = Seen(replace(ready.artefact.manifest.preparation, exact=ready.chosen.near is None))
    with DecodingPool(PathPictures(), seen) as pool:
        list(pool.map(paths[:64]))
        start = time.perf_counter()
        pictures = [found.pixels for found in pool.map(paths) if isinstance(found, Decoded)]
        decoding = time.perf_counter() - start
    if name == "decode":
        return decoding
    import numpy as np

    model = chosen_model(ready.artefact, ready.chosen)
    list(model.answer(np.stack(pictures[:64]), [Asked("", (480, 640))] * 64, 1))
    start = time.perf_counter()
    for first in range(0, len(pictures), BATCH):
        pixels = np.stack(pictures[first : first + BATCH])
        list(model.answer(pixels, [Asked("", (480, 640))] * len(pixels), 1))
    return time.perf_counter() - start


def labels(table: Path) -> dict[str, str]:
    """File name → first label of anmok's table."""
    with table.open(newline="") as file:
        return {Path(row["id"]).name: row["label"] for row in csv.DictReader(file)}


def peer_labels(table: Path) -> dict[str, str]:
    from anmok.core.weights import imagenet_classes

    classes = imagenet_classes()
    with table.open(newline="") as file:
        return {name: classes[int(index)] for name, index, _ in csv.reader(file)}


def agreement(one: dict[str, str], other: dict[str, str]) -> float:
    assert one.keys() == other.keys(), "the two answered for other pictures"
    return sum(one[name] == other[name] for name in one) / len(one)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timm", default=sys.executable, help="Python of the environment that has timm")
    parser.add_argument("--pictures", type=int, default=2000, help="400 or more: fewer are worth no choice of engine")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="of the peer's DataLoader")
    parser.add_argument("--folder", type=Path, help="where photographs are kept between runs")
    parser.add_argument("--out", type=Path, default=HERE / "results/predict_photographs.json")
    parser.add_argument("--part", choices=("decode", "network"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.part:
        print(json.dumps(alone(asked.part, asked.folder)))
        return
    with tempfile.TemporaryDirectory() as place:
        os.environ["ANMOK_CACHE"] = f"{place}/cache"  # nothing chosen earlier; what this run chooses it keeps
        measure(asked, Path(place))


def measure(asked: argparse.Namespace, place: Path) -> None:
    folder = (asked.folder or place) / f"photographs-{asked.pictures}"
    make_photographs(folder, asked.pictures)
    ours, peers, exact = (place / f"{name}.csv" for name in ("anmok", "timm", "torch"))
    first = anmok(folder, ours)
    print("first", first, flush=True)
    found = in_turn(asked.rounds, {
        "anmok": lambda _: anmok(folder, ours),
        "timm": lambda _: timm(asked.timm, folder, peers, asked.workers),
        "decode": lambda _: part("decode", folder),
        "network": lambda _: part("network", folder),
    })  # fmt: skip
    anmok(folder, exact, "--engine", "torch")
    agreements = {"timm": agreement(labels(ours), peer_labels(peers)), "torch": agreement(labels(ours), labels(exact))}
    tell(found, "process_s", "cpu_s", "peak_mib", "loop_s", "alone_s")
    print(f"timm / anmok, whole process: {median_and_spread(ratios(found, 'timm', 'anmok', 'process_s'))}")
    shared = [(d["alone_s"] + n["alone_s"]) / a["process_s"]
              for d, n, a in zip(found["decode"], found["network"], found["anmok"], strict=True)]  # fmt: skip
    print(f"(decode alone + network alone) / whole process: {median_and_spread(shared)}")
    print(f"first classes equal to timm's: {agreements['timm']:.2%}, to torch's in float32: {agreements['torch']:.2%}")
    where = machine("anmok", "torch", "timm", "onnxruntime", "openvino", "pillow", "numpy")
    write_record(asked.out, where | {"pictures": asked.pictures, "workers": asked.workers, "first": first,
                                     "agreement": agreements, "shared": shared, **found})  # fmt: skip


if __name__ == "__main__":
    main()
