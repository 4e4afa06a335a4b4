"""Noise of deviation 0.4 on Fashion-MNIST: anmok against Keras' convolutional autoencoder, at equal time.

    python benchmarks/denoise.py --peer PEER_PYTHON [--rounds 3] [--epochs 5] [--train 60000] [--test 1000]

The peer is Keras' own example of image denoising (keras.io, "Convolutional autoencoder for image denoising"): its
network, Adam, binary cross entropy, batches of 128, noise drawn once a picture and cut off at black and white, for so
many epochs (its own 100 would take hours here). Then `anmok train --task reconstruct --corrupt noise:0.4` gets, as
`--time`, the training time that the peer took in that round, out of which it also validates. Two more sides take no
time at all to learn and are told the deviation: scikit-image's non-local means, at the strength its manual recommends
and at the best of several strengths chosen on other pictures; and BM3D in short (`peers/block_matching.py`).

All see the same noisy test pictures, 8 bits each, and answer in 8 bits; the PSNR is each picture's own, averaged. Whole
processes are timed from outside; nothing else may run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from measuring import HERE, anmok_program, in_turn, last_json, machine, tell, whole_process, write_record
from PIL import Image

SIGMA, SEED = 0.4, 20260101
STRENGTHS = (0.6, 0.8, 1.0, 1.3, 1.6, 2.0)  # of non-local means, in units of the deviation


def write_data(folder: Path, train: int, test: int) -> Path:
    """`train/*.png`, clean; `noisy/*.png`; and the same as arrays for the peer: `data.npz`."""
    from anmok.data.load import load_data

    dataset = load_data("fashion-mnist")
    generator = np.random.default_rng(SEED)
    clean = {}
    for split, count in (("train", train), ("test", test)):
        entries = dataset.split(split)
        chosen = np.sort(generator.permutation(len(entries))[:count])
        clean[split] = np.stack([dataset.pictures.read(entries[k].locator)[..., 0] for k in chosen])
    noisy = clean["test"] / 255 + SIGMA * generator.standard_normal(clean["test"].shape)
    noisy = np.rint(255 * np.clip(noisy, 0, 1)).astype(np.uint8)
    for name, pictures in (("train", clean["train"]), ("noisy", noisy)):
        (folder / name).mkdir(parents=True)
        for number, picture in enumerate(pictures):
            Image.fromarray(picture).save(folder / name / f"{number:05}.png")
    np.savez(folder / "data.npz", train=clean["train"], test=clean["test"], noisy=noisy)
    return folder


def psnr(answers: np.ndarray, clean: np.ndarray) -> float:
    """Mean over pictures, dB; both uint8 (N, 28, 28)."""
    errors = np.square((answers.astype(float) - clean) / 255).mean((1, 2))
    return float(-10 * np.log10(np.maximum(errors, 1e-10)).mean())


def keras(python: str, folder: Path, epochs: int, seed: int) -> dict[str, Any]:
    """The peer, a whole process."""
    out = folder / "keras.npy"
    script = str(HERE / "peers/keras_denoise.py")
    cost, text = whole_process([python, script, str(folder / "data.npz"), str(out), str(epochs), str(seed)])
    return {"psnr": psnr(np.load(out), np.load(folder / "data.npz")["test"]), **last_json(text), **cost}


def anmok(folder: Path, seconds: float, seed: int, project: Path, flags: list[str]) -> dict[str, Any]:
    """`anmok train`, then `anmok predict`, two whole processes; the cost is the first's."""
    asked = ["--task", "reconstruct", "--corrupt", f"noise:{SIGMA}", "--test", "0", "--val", "0.02",
             "--time", f"{seconds:.1f}s", "--seed", str(seed)]  # fmt: skip
    command = [anmok_program(), "train", str(folder / "train"), *asked, "--project", str(project), "--json", *flags]
    cost, text = whole_process(command)
    run = Path(json.loads(text)["run"])
    out = project / f"answers-{seed}"
    whole_process([anmok_program(), "predict", str(run), str(folder / "noisy"), "--to", str(out), "--quiet"])
    answers = np.stack([np.asarray(Image.open(path)) for path in sorted(out.glob("*.png"))])
    card = json.loads((run / "card.json").read_text())
    parts = {name: card[name] for name in ("seconds_by_part", "recipe", "machine", "versions")}
    return {"psnr": psnr(answers, np.load(folder / "data.npz")["test"]), "training_s": card["seconds"], **cost, **parts}


def non_local_means(folder: Path) -> dict[str, Any]:
    """scikit-image's, told the deviation."""
    data = np.load(folder / "data.npz")
    start = time.perf_counter()
    recommended = psnr(_filtered(data["noisy"], 0.8), data["test"])  # its manual: h slightly less than the deviation
    seconds = time.perf_counter() - start
    others = data["train"][:200]
    noise = SIGMA * np.random.default_rng(1).standard_normal(others.shape)
    practice = np.rint(255 * np.clip(others / 255 + noise, 0, 1)).astype(np.uint8)
    best = max(STRENGTHS, key=lambda strength: psnr(_filtered(practice, strength), others))
    chosen = psnr(_filtered(data["noisy"], best), data["test"])
    return {"psnr": recommended, "psnr_best_strength": chosen, "best_strength": best, "answering_s": seconds}


def block_matching(folder: Path) -> dict[str, Any]:
    """BM3D in short (`peers/block_matching.py`), told the deviation."""
    from peers.block_matching import denoise

    data = np.load(folder / "data.npz")
    start = time.perf_counter()
    found = np.stack([np.rint(255 * denoise(picture / 255, SIGMA)) for picture in data["noisy"]])
    return {"psnr": psnr(found, data["test"]), "answering_s": time.perf_counter() - start}


def _filtered(noisy: np.ndarray, strength: float) -> np.ndarray:
    from skimage.restoration import denoise_nl_means

    settings = {"patch_size": 5, "patch_distance": 6, "h": strength * SIGMA, "sigma": SIGMA, "fast_mode": True}
    found = [denoise_nl_means(picture / 255, **settings) for picture in noisy]
    return np.rint(255 * np.clip(np.stack(found), 0, 1)).astype(np.uint8)


def main() -> None:
    """Measure, tell, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, help="Python of the environment that has TensorFlow")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5, help="of the peer")
    parser.add_argument("--train", type=int, default=60_000)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--more", action="store_true", help="add to the rounds that --out holds already")
    parser.add_argument("--out", type=Path, default=HERE / "results/denoise.json")
    asked, flags = parser.parse_known_args()
    before = machine("torch", "scikit-image")
    peers: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = write_data(Path(place) / "data", asked.train, asked.test)
        data = np.load(folder / "data.npz")
        untouched = psnr(data["noisy"], data["test"])
        print(f"noisy pictures: {untouched:.2f} dB")

        def peer(number: int) -> dict[str, Any]:
            peers[number] = keras(asked.peer, folder, asked.epochs, number)
            return peers[number]

        def ours(number: int) -> dict[str, Any]:
            return anmok(folder, peers[number]["training_s"], number, Path(place) / "runs", flags)

        found = in_turn(asked.rounds, {"keras": peer, "anmok": ours}, asked.out if asked.more else None)
        found |= {"non-local means": [non_local_means(folder)], "block matching": [block_matching(folder)]}
    tell(found, "psnr", "psnr_best_strength", "training_s", "process_s", "cpu_s", "peak_mib")
    gains = [a["psnr"] - b["psnr"] for a, b in zip(found["anmok"], found["keras"], strict=True)]
    print(f"anmok beyond Keras, dB: {[f'{gain:+.2f}' for gain in gains]}")
    write_record(asked.out, {"machine": before, "flags": flags, "noisy_psnr": untouched, **found})


if __name__ == "__main__":
    main()
