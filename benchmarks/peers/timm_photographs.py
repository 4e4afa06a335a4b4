"""Pictures to a table as timm's documentation has it: its transform, a DataLoader, an eager loop in float32.

    python timm_photographs.py FOLDER TABLE [WORKERS]

TABLE gets a line a picture: file name, the first class's index, its probability. With FOLDER a file, that one picture
is answered, as in timm's quick start. Prints one JSON line.
"""

import csv
import json
import sys
import time
from pathlib import Path

START = time.perf_counter()

import timm  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from timm_weights import NAME, create_model  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402


class Pictures(Dataset):
    def __init__(self, paths, transform):
        self.paths, self.transform = paths, transform

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, number):
        return self.transform(Image.open(self.paths[number]).convert("RGB"))


def main(place: Path, table: Path, workers: int) -> None:
    model = create_model(NAME, pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    paths = [place] if place.is_file() else sorted(place.glob("*.jpg"))
    loader = DataLoader(Pictures(paths, transform), batch_size=min(32, len(paths)), num_workers=workers)
    rows, begin = [], time.perf_counter()
    with torch.inference_mode():
        for batch in loader:
            scores, classes = model(batch).softmax(dim=1).max(dim=1)
            rows += zip(classes.tolist(), scores.tolist(), strict=True)
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([path.name, *row] for path, row in zip(paths, rows, strict=True))
    versions = {"timm": timm.__version__, "torch": torch.__version__, "python": sys.version.split()[0]}
    print(json.dumps({"loop_s": time.perf_counter() - begin, "script_s": time.perf_counter() - START,
                      "threads": torch.get_num_threads(), "versions": versions}))  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 2)
