"""The history of detection, measured: R-CNN, SPPnet, Fast and Faster R-CNN, YOLO v1 and today's detector, small forms.

    python benchmarks/detectors_history.py [--data scenes] [--time 5m] [--seeds 3] [--nets …] [--out results/FILE.json]

All learn the same bundled scenes (600 to learn from, 200 to be judged on, 128 × 128, ten classes), one after the other,
each for the same time or, without --time, for as many epochs as its recipe says; then each answers the same 20 test
pictures one by one. The peers are each other: it is the papers' ordering that is tried. Proposals are found once and
kept, so that no training pays for them; their time a picture is measured anew for each. With `--folder`, runs that lie
there already are not trained again, and one that was interrupted goes on: the history can be taken in parts. Prints the
table (mAP, seconds a picture by part, minutes of training), medians over seeds with their spread, and which of the
papers' claims hold in how many of the seeds. Nothing else may run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring import HERE, anmok_program, machine, median_and_spread, whole_process, write_record

CONTESTANTS = ("rcnn", "sppnet", "fast_rcnn", "faster_rcnn", "yolo_v1_small", "anchor_free")
PARTS = ("proposals", "features", "heads")


def trained(data: str, net: str, seed: int, folder: Path, flags: Sequence[str]) -> Path:
    """One detector's run: there already, brought to its end, or new."""
    project = folder / f"runs-{seed}"
    place, known = project / "detect" / net.replace(":", "-"), {}
    if (place / "card.json").exists():
        known = json.loads((place / "card.json").read_text())
    if "metrics" not in known:
        new = [data, "--task", "detect", "--net", net, "--seed", str(seed), "--project", str(project), "--name",
               place.name, *flags]  # fmt: skip
        cost, _ = whole_process([anmok_program(), "train", *(["--resume", str(place)] if known else new), "--quiet"])
        print(f"{net}, seed {seed}: {cost['process_s'] / 60:.1f} min", flush=True)
    return place


def contest(data: str, nets: Sequence[str], seed: int, folder: Path, flags: Sequence[str]) -> dict[str, Any]:
    """One seed: all detectors, trained one after the other, then judged and timed by `anmok compare`."""
    runs = [str(trained(data, net, seed, folder, flags)) for net in nets]
    place = folder / f"history-{seed}.png"
    command = [anmok_program(), "compare", *runs, "--task", "detect", "--json", "--out", str(place)]
    cost, text = whole_process(command)
    found = json.loads(text) | {"out": place.name}
    for net in found["networks"]:
        net["run"] = Path(net["run"]).name
    return {**found, **cost}


def rows(seeds: Sequence[dict[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """Figures of each detector, a value a seed."""
    found: dict[str, dict[str, list[float]]] = {}
    for one in seeds:
        for net in one["networks"]:
            seconds = net["seconds"]
            figures = {
                "mAP 50": net["figures"]["map50"][0], "mAP": net["figures"]["map"][0],
                "s a picture": sum(seconds.values()), **{part: seconds[part] for part in PARTS},
                "minutes": net["training"] / 60, "million parameters": net["parameters"] / 1e6,
            }  # fmt: skip
            for name, value in figures.items():
                found.setdefault(net["name"], {}).setdefault(name, []).append(value)
    return found


def claims(seeds: Sequence[dict[str, Any]]) -> dict[str, list[bool]]:
    """Each claim of a paper, and in which seeds it held."""
    found: dict[str, list[bool]] = {}
    for one in seeds:
        for remark in one["remarks"]:
            said, _, verdict = remark.partition(": ")
            found.setdefault(said, []).append(verdict.startswith("holds"))
    return found


def tell(found: dict[str, dict[str, list[float]]], held: dict[str, list[bool]]) -> None:
    """The table as Markdown, medians; the spread beneath; the claims."""
    names = list(next(iter(found.values())))
    print(f"| detector | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}")
    for net, figures in found.items():
        print(f"| {net} | {' | '.join(f'{statistics.median(figures[name]):.3g}' for name in names)} |")
    for net, figures in found.items():
        for name in ("mAP 50", "s a picture", "minutes"):
            print(f"{net:16} {name:12} {median_and_spread(figures[name])}")
    if {"rcnn", "sppnet"} <= set(found):
        pairs = zip(*([a + b for a, b in zip(found[net]["features"], found[net]["heads"], strict=True)]
                      for net in ("rcnn", "sppnet")), strict=True)  # fmt: skip
        print(f"R-CNN / SPPnet, features and heads: {median_and_spread([slow / fast for slow, fast in pairs])}")
    for said, seeds in held.items():
        print(
            f"{'holds ' if all(seeds) else 'fails ' if not any(seeds) else 'varies'} {sum(seeds)}/{len(seeds)}  {said}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="scenes")
    parser.add_argument("--time", help="what each detector may learn; default: its recipe's epochs")
    parser.add_argument("--epochs", type=int, help="the same number for all: for a trial of this script only")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--nets", nargs="+", default=CONTESTANTS)
    parser.add_argument("--folder", type=Path, help="where runs and drawings stay, and are found; default: nowhere")
    parser.add_argument("--out", type=Path, default=HERE / "results/detectors_history.json")
    asked = parser.parse_args()
    flags = [
        part for name in ("time", "epochs") if (value := getattr(asked, name)) for part in (f"--{name}", str(value))
    ]
    here = machine("anmok", "torch", "torchvision", "opencv-contrib-python-headless", "scikit-learn")
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        seeds = []
        for seed in range(asked.seeds):
            seeds.append(contest(asked.data, asked.nets, seed, folder, flags))
    tell(rows(seeds), claims(seeds))
    write_record(asked.out, {"machine": here, "flags": flags, "data": asked.data, "seeds": seeds})


if __name__ == "__main__":
    main()
