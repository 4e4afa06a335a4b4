"""anmok's answers for picture files, through its Python interface. One JSON line of pictures a second.

    python anmok_predict_boxes.py RUN FOLDER [ROUNDS]

The mirror of `ultralytics_predict.py`: one call for the list of all files with batch 1 and with batch 16, after a call
to warm up, which also chooses what computes; then a call a file.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import anmok

FEW = 50  # files asked for one by one


def rate(count: int, ask: Callable[[], object], rounds: int) -> list[float]:
    """Pictures a second, a value a round."""
    found = []
    for _ in range(rounds):
        begin = time.perf_counter()
        ask()
        found.append(count / (time.perf_counter() - begin))
    return found


def main(run: Path, folder: Path, rounds: int) -> None:
    model = anmok.load(run)
    files = [str(path) for path in sorted(folder.rglob("*.png"))]

    def ask(batch: int) -> int:
        return sum(len(answer.labels) for answer in model.predict(files, batch=batch))

    def one_by_one() -> None:
        for file in files[:FEW]:
            model.predict(file)

    boxes = ask(16)
    told = {"batch 1": rate(len(files), lambda: ask(1), rounds), "batch 16": rate(len(files), lambda: ask(16), rounds),
            "one by one": rate(FEW, one_by_one, rounds)}  # fmt: skip
    medians = {name: statistics.median(values) for name, values in told.items()}
    print("\n" + json.dumps({"rates": told, "medians": medians, "boxes": boxes, "pictures": len(files)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), int((sys.argv[3:] or ["3"])[0]))
