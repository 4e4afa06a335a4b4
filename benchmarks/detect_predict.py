"""Boxes from picture files: anmok against Ultralytics, each with the detector it trained, in turn.

    python benchmarks/detect_scenes.py --peer PEER_PYTHON --keep FOLDER     trains both (or --minutes 1 for a look)
    python benchmarks/detect_predict.py --peer PEER_PYTHON --kept FOLDER [--rounds 3]

Both read all 1,300 kept scenes from their files, at batch 1 and 16, in processes of their own that take turns; loading
and the first call, in which anmok chooses what computes, are not counted. Both answer from a score that people would
use: anmok's own threshold, 0.25 there.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

from measuring import HERE, last_json, machine, median_and_spread, whole_process, write_record

WAYS = ("batch 1", "batch 16", "one by one")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, help="Python of the environment that has ultralytics")
    parser.add_argument("--kept", type=Path, required=True, help="what detect_scenes.py --keep kept")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=HERE / "results/detect_predict.json")
    asked = parser.parse_args()
    kept: Path = asked.kept.resolve()
    scenes = newest(kept.glob("scenes-*"))
    pictures, side = scenes / "images", scenes.name.rpartition("-")[2]
    run, weights = newest(kept.glob("detect/anmok-*")), newest(kept.glob("ultralytics-*/best.pt"))
    ours = [sys.executable, str(HERE / "peers/anmok_predict_boxes.py"), str(run), str(pictures)]
    theirs = [asked.peer, str(HERE / "peers/ultralytics_predict.py"), str(weights), str(pictures), side]
    results: dict[str, list[dict[str, Any]]] = {"anmok": [], "ultralytics": []}
    for _ in range(asked.rounds):
        for name, command in (("anmok", ours), ("ultralytics", theirs)):
            _, text = whole_process(command, YOLO_CONFIG_DIR=str(kept / "settings"), ANMOK_CACHE=str(kept / "cache"))
            results[name].append(last_json(text))
            print(name, results[name][-1]["medians"], flush=True)
    for way in WAYS:
        rates = {name: [run["medians"][way] for run in runs] for name, runs in results.items()}
        for name, values in rates.items():
            print(f"{name:12} {way:10} pictures a second {median_and_spread(values)}")
        pairs = [ours / theirs for ours, theirs in zip(rates["anmok"], rates["ultralytics"], strict=True)]
        print(f"anmok / ultralytics, {way}: {median_and_spread(pairs)}")
    ratios = {way: statistics.median([a["medians"][way] / b["medians"][way] for a, b in
                                      zip(results["anmok"], results["ultralytics"], strict=True)])
              for way in WAYS}  # fmt: skip
    write_record(
        asked.out, machine("anmok", "torch", "onnxruntime", "openvino") | {"run": run.name, "ratios": ratios} | results
    )


def newest(found: Any) -> Path:
    """The one written last."""
    places = sorted(found, key=lambda place: place.stat().st_mtime)
    if not places:
        raise SystemExit("nothing was kept there: run detect_scenes.py --keep first")
    return places[-1]


if __name__ == "__main__":
    main()
