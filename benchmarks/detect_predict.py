"""Boxes from picture files: anmok against Ultralytics, each with the detector it trained, in turn.

    python benchmarks/detect_scenes.py --peer PEER_PYTHON --keep FOLDER     trains both (or --minutes 1 for a look)
    python benchmarks/detect_predict.py --peer PEER_PYTHON --kept FOLDER [--rounds 3]

Steady state: both read all 1,300 kept scenes from their files through their Python interfaces, at batch 1 and 16, and
50 of them in calls of their own, in processes that take turns; loading and the first call, in which anmok chooses what
computes, are not counted. Whole processes: `anmok predict` and `yolo predict` of the 300 test scenes, and of one, from
the command to its end; anmok has by then made the run ready, as it does by itself when a run is asked often. Both
answer from a score that people would use: anmok's own threshold, 0.25 there. Both compute with what they choose
themselves; Ultralytics takes one thread fewer than there are processors.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path
from typing import Any

from measuring import HERE, anmok_program, last_json, machine, median_and_spread, whole_process, write_record

STEADY = ("batch 1", "batch 16", "one by one")
WHOLE = ("whole process, 300", "whole process, 1")


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
    ours = [sys.executable, str(HERE / "peers/anmok_predict_boxes.py"), str(run), str(pictures), "1"]
    theirs = [asked.peer, str(HERE / "peers/ultralytics_predict.py"), str(weights), str(pictures), side, "1"]
    folder, one = pictures / "test", min((pictures / "test").iterdir())
    os.environ |= {"YOLO_CONFIG_DIR": str(kept / "settings"), "ANMOK_CACHE": str(kept / "cache")}
    alone = {
        "anmok": [anmok_program(), "predict", str(run), "--to", str(kept / "boxes.csv"), "--quiet"],
        "ultralytics": [str(Path(asked.peer).with_name("yolo")), "predict", f"model={weights}", f"imgsz={side}",
                        "device=cpu", "save=False", "verbose=False"],
    }  # fmt: skip
    results: dict[str, dict[str, list[float]]] = {name: {} for name in alone}
    for _ in range(asked.rounds):
        for name, command in (("anmok", ours), ("ultralytics", theirs)):
            rates = last_json(whole_process(command)[1])["medians"]
            for way, source, count in zip(WHOLE, (folder, one), (300, 1), strict=True):
                given = str(source) if name == "anmok" else f"source={source}"
                rates[way] = count / whole_process([*alone[name], given])[0]["process_s"]
            for way, rate in rates.items():
                results[name].setdefault(way, []).append(rate)
            print(name, {way: round(rate, 2) for way, rate in rates.items()}, flush=True)
    ratios = {}
    for way in (*STEADY, *WHOLE):
        for name, rates in results.items():
            print(f"{name:12} {way:18} pictures a second {median_and_spread(rates[way])}")
        pairs = [ours / theirs for ours, theirs in zip(*(rates[way] for rates in results.values()), strict=True)]
        ratios[way] = statistics.median(pairs)
        print(f"anmok / ultralytics, {way}: {median_and_spread(pairs)}")
    here = machine("anmok", "torch", "onnxruntime", "openvino")
    write_record(asked.out, here | {"run": run.name, "ratios": ratios, "pictures_a_second": results})


def newest(found: Any) -> Path:
    """The one written last."""
    places = sorted(found, key=lambda place: place.stat().st_mtime)
    if not places:
        raise SystemExit("nothing was kept there: run detect_scenes.py --keep first")
    return places[-1]


if __name__ == "__main__":
    main()
