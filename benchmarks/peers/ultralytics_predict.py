"""Ultralytics' answers for picture files, as its documentation shows it. One JSON line of pictures a second.

    python ultralytics_predict.py WEIGHTS FOLDER SIDE [ROUNDS]

`batch 1` and `batch 16`: one call for the list of all files, after one call to warm up; `one by one`: a call a file.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import ultralytics
from ultralytics import YOLO

FEW = 50  # files asked for one by one


def rate(count: int, ask: Callable[[], object], rounds: int) -> list[float]:
    """Pictures a second, a value a round."""
    found = []
    for _ in range(rounds):
        begin = time.perf_counter()
        ask()
        found.append(count / (time.perf_counter() - begin))
    return found


def main(weights: Path, folder: Path, side: int, rounds: int) -> None:
    model = YOLO(weights)
    files = [str(path) for path in sorted(folder.rglob("*.png"))]

    def ask(batch: int) -> int:
        answers = model.predict(files, imgsz=side, batch=batch, device="cpu", stream=True, verbose=False)
        return sum(len(answer.boxes) for answer in answers)

    def one_by_one() -> None:
        for file in files[:FEW]:
            model.predict(file, imgsz=side, device="cpu", verbose=False)

    boxes = ask(16)
    told = {"batch 1": rate(len(files), lambda: ask(1), rounds), "batch 16": rate(len(files), lambda: ask(16), rounds),
            "one by one": rate(FEW, one_by_one, rounds)}  # fmt: skip
    medians = {name: statistics.median(values) for name, values in told.items()}
    print("\n" + json.dumps({"rates": told, "medians": medians, "boxes": boxes, "pictures": len(files),
                             "threads": torch.get_num_threads(), "ultralytics": ultralytics.__version__}))  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), int(sys.argv[3]), int((sys.argv[4:] or ["3"])[0]))
