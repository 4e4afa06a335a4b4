"""One picture of 10,000 × 10,000 through `anmok predict`: peak memory, against the promise of 2 GiB.

    python benchmarks/large_picture.py [--side 10000] [--epochs 1]

A network first learns on windows of pictures of 1,024 × 1,024 (bundled scenes beside each other, as PNG with masks),
so that training on crops is measured too. Then the large picture is answered, by the run and by the file that `anmok
export` wrote of it, each as a whole process into a folder (class map and overlay, PNG and JPEG). Tiles are looked at
once, not mirrored as well, which takes half the time and the same memory. Peak memory counts the process and the
workers that decode for it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measuring import HERE, anmok_program, machine, whole_process, write_record
from PIL import Image

SCENE, GIB = 128, 1024.0  # a scene's side in pixels; MiB
LEARNED, PICTURES = 1024, 6  # side and number of the pictures learned from


def mosaics(folder: Path, side: int) -> tuple[Path, Path]:
    """Pictures to learn from, with masks, and the large one."""
    from anmok.data.samples.scenes import SEED, compose

    scenes = compose("train", 400, SCENE, SEED)
    pixels = np.stack([scene.pixels for scene in scenes])
    masks = np.stack([(scene.shown > 0).astype(np.uint8) for scene in scenes])
    generator = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / "data" / kind).mkdir(parents=True)
    for number in range(PICTURES):
        chosen = generator.integers(0, len(scenes), (LEARNED // SCENE,) * 2)
        for kind, parts in (("images", pixels), ("masks", masks)):
            Image.fromarray(_laid(parts[chosen])).save(folder / "data" / kind / f"{number}.png")
    across = -(-side // SCENE)
    large = _laid(pixels[generator.integers(0, len(scenes), (across, across))])[:side, :side]
    Image.fromarray(large).save(folder / "large.png", compress_level=1)
    return folder / "data", folder / "large.png"


def _laid(parts: np.ndarray) -> np.ndarray:
    """Squares (rows, columns, s, s, …) beside and below each other: (rows · s, columns · s, …)."""
    rows, columns, side = parts.shape[:3]
    return np.ascontiguousarray(parts.swapaxes(1, 2).reshape(rows * side, columns * side, *parts.shape[4:]))


def main() -> None:
    """Train on crops, answer twice, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--net", default="unet")
    parser.add_argument("--out", type=Path, default=HERE / "results/large_picture.json")
    asked = parser.parse_args()
    before, found = machine("torch", "onnxruntime", "openvino"), dict[str, Any]()

    def taken(name: str, command: list[str]) -> str:
        found[name], text = whole_process(command)
        print(f"{name:24} {found[name]['process_s']:8.1f} s, peak {found[name]['peak_mib'] / GIB:.2f} GiB", flush=True)
        return text

    with tempfile.TemporaryDirectory() as place:
        data, large = mosaics(Path(place), asked.side)
        settings = ["--net", asked.net, "--weights", "random", "--windows", "--imgsz", "256", "--no-flip",
                    "--name", "large", "--project", place, "--epochs", str(asked.epochs), "--json"]  # fmt: skip
        run = json.loads(taken("train on windows", [anmok_program(), "train", str(data), *settings]))["run"]
        file = Path(place) / "large.anmok"
        taken("export", [anmok_program(), "export", run, "--out", str(file), "--json"])
        for name, subject in (("predict, run", run), ("predict, shipped file", str(file))):
            to = Path(place) / name.replace(" ", "-").replace(",", "")
            taken(name, [anmok_program(), "predict", subject, str(large), "--to", str(to), "--quiet"])
            size = Image.open(to / "masks/large.png").size
            assert size == (asked.side, asked.side), size
    write_record(asked.out, {"machine": before, "side": asked.side, "net": asked.net, **found})


if __name__ == "__main__":
    Image.MAX_IMAGE_PIXELS = None
    main()
