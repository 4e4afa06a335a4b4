"""CycleGAN on the bundled unpaired domains: how near translations come to hidden partners, with spread over seeds.

    python benchmarks/cyclegan_domains.py [--seeds 3] [--out results/FILE.json] [flags of anmok train]

`anmok train domains` with its defaults, once a seed, a whole process each. No training picture shows a garment of the
other domain; the test part shows each garment in both. The error is the mean absolute difference of intensities between
a translation and its hidden partner; the peer is doing nothing: the same error of the untouched picture. The factor is
the second over the first, above 1 where translating helps.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from measuring import HERE, anmok_program, in_turn, machine, median_and_spread, tell, whole_process, write_record

WAYS = ("ab", "ba")
FIGURES = ("error", "untouched", "nearer", "psnr", "ssim", "cycle")


def cyclegan(seed: int, project: Path, flags: list[str]) -> dict[str, Any]:
    """One run, and what its card says of the test part."""
    command = [anmok_program(), "train", "domains", "--seed", str(seed), "--project", str(project), "--json", *flags]
    cost, text = whole_process(command)
    run = json.loads(text)
    card = json.loads((Path(run["run"]) / "card.json").read_text())
    tested = card["metrics"]["test"]
    figures = {f"{name}_{way}": tested[f"{name}_{way}"]["value"] for way in WAYS for name in FIGURES}
    parts = {name: card[name] for name in ("seconds_by_part", "recipe", "machine", "versions")}
    return {**figures, "training_s": card["seconds"], **cost, "test": tested, **parts}


def main() -> None:
    """Measure, tell, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--more", action="store_true", help="add to the rounds that --out holds already")
    parser.add_argument("--out", type=Path, default=HERE / "results/cyclegan_domains.json")
    asked, flags = parser.parse_known_args()
    before = machine("torch", "torchvision")
    with tempfile.TemporaryDirectory() as place:
        found = in_turn(asked.seeds, {"cyclegan": lambda seed: cyclegan(seed, Path(place), flags)},
                        asked.out if asked.more else None)  # fmt: skip
    tell(found, *(f"{name}_{way}" for way in WAYS for name in FIGURES), "training_s", "process_s", "peak_mib")
    for way in WAYS:
        values = [run[f"nearer_{way}"] for run in found["cyclegan"]]
        print(f"{way}: {median_and_spread(values)} times nearer to hidden partners than untouched pictures")
    write_record(asked.out, {"machine": before, "flags": flags, **found})


if __name__ == "__main__":
    main()
