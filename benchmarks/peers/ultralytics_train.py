"""Ultralytics' newest nano network from scratch, with its defaults but for time, size and device. One JSON line.

    python ultralytics_train.py DATA FOLDER MINUTES SEED SIDE

DATA is a folder with YOLO's `data.yaml`. Writes FOLDER/best.pt, the weights of the epoch that was best on validation,
and FOLDER/answers.json: for each test picture its boxes from a score of 0.001 on, as validation counts them.
"""

import csv
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any

START = time.perf_counter()

import torch  # noqa: E402
import ultralytics  # noqa: E402
from ultralytics import YOLO, settings  # noqa: E402


def newest_nano() -> str:
    """The plain nano detection network with the highest number in its name."""
    folder = Path(ultralytics.__file__).parent / "cfg/models"
    found = {
        int(match[1]): match[0]
        for path in folder.rglob("yolo*.yaml")
        if (match := re.fullmatch(r"yolo[v]?(\d+)\.yaml", path.name))
    }
    return re.sub(r"(\d+)\.yaml", r"\1n.yaml", found[max(found)])


def rows_of(result: Any) -> list[list[float]]:
    """Left, top, right, bottom, score, class of each box."""
    return [[round(value, 3) for value in row] for row in result.boxes.data.cpu().tolist()]


def main(data: Path, folder: Path, minutes: float, seed: int, side: int) -> None:
    settings.update({"sync": False})
    os.chdir(data)  # its yaml names folders beside itself
    name = newest_nano()
    model = YOLO(name)
    begin = time.perf_counter()
    model.train(
        data="data.yaml", imgsz=side, time=minutes / 60, pretrained=False, device="cpu", seed=seed, project=str(folder),
        name="run", exist_ok=True, verbose=False,
    )  # fmt: skip
    training = time.perf_counter() - begin
    shutil.copy(folder / "run/weights/best.pt", folder / "best.pt")
    with (folder / "run/results.csv").open() as file:
        table = [{key.strip(): value for key, value in row.items()} for row in csv.DictReader(file)]
    best = YOLO(folder / "best.pt")
    pictures = sorted((data / "images/test").glob("*.png"))
    answers = {
        Path(result.path).name: rows_of(result)
        for result in best.predict(pictures, imgsz=side, conf=0.001, batch=16, device="cpu", stream=True, verbose=False)
    }
    (folder / "answers.json").write_text(json.dumps(answers))
    curve = [(float(row["time"]), float(row["metrics/mAP50-95(B)"])) for row in table]
    versions = {"ultralytics": ultralytics.__version__, "torch": torch.__version__, "python": sys.version.split()[0]}
    told = {"network": name, "epochs": len(table), "training_s": training, "validation": curve,
            "parameters": sum(weight.numel() for weight in best.model.parameters()),
            "script_s": time.perf_counter() - START, "threads": torch.get_num_threads(),
            "versions": versions}  # fmt: skip
    print("\n" + json.dumps(told))


if __name__ == "__main__":
    places = [Path(place).resolve() for place in sys.argv[1:3]]
    main(places[0], places[1], float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
