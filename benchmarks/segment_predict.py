"""Class maps of 512 × 512 pictures: `anmok predict`'s ways of computing against the same network in torch eager.

    python benchmarks/segment_predict.py [--net unet:resnet18] [--pictures 24] [--rounds 5] [--time 90s]

First a network learns bundled scenes of 192 × 192, since masks of an untrained one are ties everywhere. Then scenes of
512 × 512 are answered, in turn, from decoded pixels to class maps, by: the same network in torch eager as it comes
(float32, contiguous, one picture at a time, softmax and argmax), the same eight at a time, anmok's torch in float32 and
in bf16 (channels last), and the shipped model on ONNX Runtime and OpenVINO in float32 and, where the processor has it,
on OpenVINO in bf16 (its first and last convolution in float32), as many pictures again in float32 as that needs. Of
each: pictures a second, and the share of pixels whose class is eager float32's. What `anmok predict` chooses among is
what agrees on 99.9 % of all pixels (`anmok.ship.choice`).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import HERE, machine, median_and_spread, write_record

import anmok
from anmok.core.classmaps import Mapper
from anmok.core.processor import processors
from anmok.data.samples.scenes import SEED, compose
from anmok.engine.devices import PlainDevices
from anmok.ship.artefact import Artefact, Manifest
from anmok.ship.choice import careful_engine, chosen_model, engines_in_float32
from anmok.ship.graph import to_onnx
from anmok.tasks.segment.maps import mapper
from anmok.tasks.segment.shipping import cargo

SIDE, EAGER = 512, "torch eager, float32"
CALIBRATED = 8  # pictures
Way = Callable[[np.ndarray], np.ndarray]  # pictures uint8 (n, H, W, 3) → class maps uint8 (n, H, W)


def eager(model: Any, at_once: int) -> Way:
    """What a user writes with the bare network."""
    network = model.network.to(memory_format=torch.contiguous_format).float().eval()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (model.preparation.mean, model.preparation.std))

    @torch.no_grad()
    def answer(pixels: np.ndarray) -> np.ndarray:
        found = []
        for start in range(0, len(pixels), at_once):
            x = torch.from_numpy(pixels[start : start + at_once]).permute(0, 3, 1, 2).contiguous() / 255
            found.append(network((x - mean) / std).softmax(1).argmax(1).byte().numpy())
        return np.concatenate(found)

    return answer


def mapped(found: Mapper, at_once: int = 4) -> Way:
    """anmok's way, whoever computes: a batch a processor under way, as in `anmok predict`."""

    def masks(part: np.ndarray) -> list[np.ndarray]:
        return [one.mask for one in found.fitted(part, [part.shape[1:3]] * len(part))]

    def answer(pixels: np.ndarray) -> np.ndarray:
        parts = [pixels[start : start + at_once] for start in range(0, len(pixels), at_once)]
        with ThreadPoolExecutor(processors()) as threads:
            return np.stack([mask for answers in threads.map(masks, parts) for mask in answers])

    return answer


def main() -> None:
    """Train, measure in turn, compare pixel by pixel."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="unet:resnet18")
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--time", default="90s", help="of training")
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--out", type=Path, default=HERE / "results/segment_predict.json")
    asked = parser.parse_args()
    before = machine("torch", "onnxruntime", "openvino")
    pixels = np.stack([scene.pixels for scene in compose("test", asked.pictures, asked.side, SEED)])
    with tempfile.TemporaryDirectory() as place:
        run = anmok.train("scenes-192", net=asked.net, weights="random", task="segment", time=asked.time,
                          project=place)  # fmt: skip
    others = np.stack([scene.pixels for scene in compose("train", CALIBRATED, asked.side, SEED)])
    found = measured(ways(run.model, asked.side, others), pixels, asked.rounds)
    for name, row in found.items():
        print(f"{name:28} {row['faster']:5.2f} × eager, {row['rate']} pictures a second")
        print(f"{'':28} equal on {row['equal']:.4%} of pixels, of the worst picture {row['worst']:.4%}")
    iou = run.metrics["test"]["mean_iou"]
    write_record(asked.out, {"machine": before, "net": asked.net, "side": asked.side, "mean_iou": iou, "ways": found})


def ways(model: Any, side: int, others: np.ndarray) -> dict[str, Way]:
    """Every way there is here. The model answers pictures of `side`, as they are; without mirroring, on both sides.

    `others`: pictures from which it is learned how far bf16 can be trusted.
    """
    model.mirror, model.preparation = False, replace(model.preparation, size=side, store=side, fit="squash")
    load = cargo(model)
    graph = to_onnx(load.network, model.preparation, load.outputs)
    found: dict[str, Way] = {EAGER: eager(model, 1), "torch eager, eight at once": eager(model, 8)}
    for precision in ("float32", "bf16"):
        found[f"anmok, torch, {precision}"] = _in(model, precision)
    artefact = Artefact(Manifest("segment", "benchmark", model.preparation, load.outputs, load.answers), graph)
    contenders = [*engines_in_float32(artefact, others), *careful_engine(artefact, others)]
    for choice in (contender.choice for contender in contenders):
        engine = chosen_model(artefact, choice).engine
        ask = Mapper(lambda squares, engine=engine: engine.run(squares)["probabilities"], model.preparation,
                     len(model.classes))  # fmt: skip
        found[f"anmok, {choice.label}"] = mapped(ask)
    return found


def _in(model: Any, precision: str) -> Way:
    def answer(pixels: np.ndarray) -> np.ndarray:
        model.devices = PlainDevices(precision)
        model.network.to(memory_format=torch.channels_last)
        found = mapped(mapper(model))(pixels)
        model.network.to(memory_format=torch.contiguous_format)
        return found

    return answer


def measured(found: dict[str, Way], pixels: np.ndarray, rounds: int) -> dict[str, dict[str, Any]]:
    """Seconds of each way, in turn, and how far its maps are the first's."""
    maps = {name: way(pixels) for name, way in found.items()}  # also warms up
    seconds: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, way in found.items():
            start = time.perf_counter()
            way(pixels)
            seconds[name].append(time.perf_counter() - start)
    rows = {}
    for name in found:
        same = (maps[name] == maps[EAGER]).mean((1, 2))
        rates = [len(pixels) / one for one in seconds[name]]
        ratios = [a / b for a, b in zip(seconds[EAGER], seconds[name], strict=True)]
        rows[name] = {"faster": statistics.median(ratios), "rate": median_and_spread(rates), "seconds": seconds[name],
                      "equal": float(same.mean()), "worst": float(same.min())}  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
