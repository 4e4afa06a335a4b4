"""The first answer of a fresh process: one photograph, from the command to its label.

    python benchmarks/first_answer.py [--timm PEER_PYTHON] [--runtime PYTHON] [--rounds 7]

In turn, whole processes timed from outside, page cache warm:

* `anmok`: `anmok predict efficientnet_lite0 PHOTO`, from the third time on (the second made it ready to answer without
  torch); `shipped`: `anmok predict MODEL.anmok PHOTO`.
* `runtime`: the same file in an environment without torch, `pip install anmok-runtime onnxruntime` (`--runtime`: its
  Python).
* `timm`: `peers/timm_photographs.py`, timm's quick start.
* `first`, `second`: the command's first two times on a machine, once each.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from measuring import (
    HERE,
    anmok_program,
    in_turn,
    machine,
    median_and_spread,
    ratios,
    tell,
    whole_process,
    write_record,
)
from photographs import make_photographs

NETWORK = "efficientnet_lite0"


def ask(program: list[str], subject: str, picture: Path) -> dict[str, Any]:
    cost, text = whole_process([*program, "predict", subject, str(picture), "--json"])
    assert '"label"' in text, text
    return cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timm", default=sys.executable, help="Python of the environment that has timm and torch")
    parser.add_argument("--runtime", help="Python of an environment with anmok-runtime and an engine")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=HERE / "results/first_answer.json")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        os.environ["ANMOK_CACHE"] = f"{place}/cache"
        measure(asked, Path(place))


def measure(asked: argparse.Namespace, place: Path) -> None:
    picture, model = make_photographs(place / "photographs", 1)[0], str(place / "model.anmok")
    whole = [anmok_program()]
    whole_process([*whole, "export", NETWORK, "--out", model, "--quiet"])
    peer = [asked.timm, str(HERE / "peers/timm_photographs.py"), str(picture), str(place / "timm.csv"), "0"]
    once = {name: ask(whole, NETWORK, picture) for name in ("first", "second")}
    print(once, flush=True)
    sides = {
        "anmok": lambda _: ask(whole, NETWORK, picture),
        "shipped": lambda _: ask(whole, model, picture),
        "timm": lambda _: whole_process(peer)[0],
    }
    if asked.runtime:
        sides["runtime"] = lambda _: ask([str(Path(asked.runtime).with_name("anmok"))], model, picture)
    found = in_turn(asked.rounds, sides)
    tell(found, "process_s", "cpu_s", "peak_mib")
    for name in sides:
        if name != "timm":
            print(f"timm / {name}, whole process: {median_and_spread(ratios(found, 'timm', name, 'process_s'))}")
    where = machine("anmok", "torch", "timm", "onnxruntime", "openvino", "pillow")
    write_record(asked.out, where | {"once": once, **found})


if __name__ == "__main__":
    main()
