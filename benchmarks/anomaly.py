"""One class of Fashion-MNIST normal, nine not: anmok's three ways of telling against anomalib's PatchCore, GANomaly.

    python benchmarks/anomaly.py --peer PEER_PYTHON [--classes 10] [--train 200] [--test 500] [--epochs 20]

For each class both sides learn from the same normal pictures and judge the same test pictures, a tenth of them normal.
anmok tells by what it cannot repeat (`reconstruction`), by codes (`code`) and by patches (`patches`). Patches and the
peer look through the same network with the same weights, EfficientNet-Lite0's from the installed package, at the same
two of its stages, at pictures of 128 × 128; the peer (`peers/anomalib_patchcore.py`) keeps its default tenth of all
patches and weighs scores by its default nine neighbours. GANomaly (`peers/anomalib_ganomaly.py`) has no backbone and
learns from nothing, for `--ganomaly` epochs. The AUROC is scikit-learn's; the mean is over classes. Seconds
are of learning and judging together, in turn, one process at a time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from measuring import HERE, in_turn, last_json, machine, tell, whole_process, write_record
from PIL import Image

WAYS = ("reconstruction", "code", "patches")


def pictures(train: int, test: int, normal: int) -> dict[str, np.ndarray]:
    """`train` normal pictures; `test` pictures, a tenth of them normal, and which are not: `strange`."""
    from anmok.data.load import load_data

    dataset = load_data("fashion-mnist")
    generator = np.random.default_rng(normal)

    def some(split: str, target: int, count: int) -> list[np.ndarray]:
        entries = [entry for entry in dataset.split(split) if entry.target == target]
        chosen = generator.permutation(len(entries))[:count]
        return [dataset.pictures.read(entries[k].locator)[..., 0] for k in chosen]

    each = test // len(dataset.classes)
    others = [target for target in range(len(dataset.classes)) if target != normal]
    usual, strange = some("test", normal, each), [pixels for target in others for pixels in some("test", target, each)]
    return {"train": np.stack(some("train", normal, train)), "test": np.stack([*usual, *strange]),
            "strange": np.repeat([False, True], [len(usual), len(strange)])}  # fmt: skip


def anmok(data: dict[str, np.ndarray], way: str, folder: Path, epochs: int) -> dict[str, Any]:
    """Train on the normal pictures, judge the others."""
    from sklearn.metrics import roc_auc_score

    import anmok
    from anmok.tasks.reconstruct.choosing import batches, decode
    from anmok.tasks.reconstruct.novelty import judge

    for name in ("train", "test"):
        if not (folder / name).exists():
            (folder / name).mkdir(parents=True)
            for number, pixels in enumerate(data[name]):
                Image.fromarray(pixels).save(folder / name / f"{number:05}.png")
    start = time.perf_counter()
    run = anmok.train(folder / "train", task="reconstruct", novelty=way, val=0.1, test=0.0, name=way,
                      epochs=1 if way == "patches" else epochs, project=folder / "runs")  # fmt: skip
    decoded = decode(anmok.load_data(folder / "test", task="reconstruct"), run.preparation)
    scores, _ = judge(run.model, batches(decoded, None, run.model.recipe, clean=True).epoch(0))
    seconds = time.perf_counter() - start
    ids = [entry.id for entry in decoded.dataset.entries]
    assert ids == sorted(ids) and len(ids) == len(data["test"])
    return {"auroc": float(roc_auc_score(data["strange"], scores)), "seconds": seconds}


def anomalib(python: str, model: str, given: str, data: dict[str, np.ndarray], folder: Path) -> dict[str, Any]:
    """A peer, a whole process. `given`: of PatchCore the backbone's weights, of GANomaly its epochs."""
    from sklearn.metrics import roc_auc_score

    np.savez(folder / "data.npz", **data)
    cost, text = whole_process([python, str(HERE / f"peers/anomalib_{model}.py"), str(folder / "data.npz"), given,
                                str(folder / "scores.npy")])  # fmt: skip
    return {"auroc": float(roc_auc_score(data["strange"], np.load(folder / "scores.npy"))), **last_json(text), **cost}


def write_weights(path: Path) -> None:
    """EfficientNet-Lite0's weights under timm's names."""
    from anmok.networks import build

    network: Any = build("efficientnet_lite0", num_classes=None, weights="imagenet")
    np.savez(path, **{name: value.numpy() for name, value in network.net.state_dict().items()})


def main() -> None:
    """Measure, tell, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="Python of the environment that has anomalib; left out: anmok alone")
    parser.add_argument("--classes", type=int, default=10, help="so many classes are normal in turn")
    parser.add_argument("--train", type=int, default=200, help="normal pictures to learn from")
    parser.add_argument("--test", type=int, default=500, help="pictures to judge")
    parser.add_argument("--epochs", type=int, default=20, help="of the networks that reconstruct")
    parser.add_argument("--ganomaly", type=int, default=100, help="epochs of GANomaly")
    parser.add_argument("--more", action="store_true", help="add to the rounds that --out holds already")
    parser.add_argument("--out", type=Path, default=HERE / "results/anomaly.json")
    asked = parser.parse_args()
    before = machine("torch", "timm", "scikit-learn")
    with tempfile.TemporaryDirectory() as place:
        write_weights(Path(place) / "lite0.npz")

        def folder(number: int) -> Path:
            made = Path(place) / str(number)
            made.mkdir(exist_ok=True)
            return made

        def data(number: int) -> dict[str, np.ndarray]:
            return pictures(asked.train, asked.test, number)

        def ours(way: str) -> Any:
            return lambda number: anmok(data(number), way, folder(number), asked.epochs)

        def theirs(model: str, given: str) -> Any:
            return lambda number: anomalib(asked.peer, model, given, data(number), folder(number))

        sides = {way: ours(way) for way in WAYS}
        if asked.peer:
            given = {"patchcore": str(Path(place) / "lite0.npz"), "ganomaly": str(asked.ganomaly)}
            sides |= {model: theirs(model, argument) for model, argument in given.items()}
        found = in_turn(asked.classes, sides, asked.out if asked.more else None)
    tell(found, "auroc", "seconds")
    for name, runs in found.items():
        print(f"{name:14} mean AUROC over {len(runs)} classes {np.mean([run['auroc'] for run in runs]):.4f}")
    write_record(asked.out, {"machine": before, "settings": {**vars(asked), "out": str(asked.out)}, **found})


if __name__ == "__main__":
    main()
