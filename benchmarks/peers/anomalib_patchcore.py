"""anomalib's PatchCore on EfficientNet-Lite0 with given weights, offline. Prints one JSON line.

    python anomalib_patchcore.py DATA.npz WEIGHTS.npz SCORES.npy

DATA holds `train` and `test`, uint8 (N, 28, 28); each is shown at 128 × 128 with ImageNet's mean and deviation. Scores
of `test` go to SCORES. Coreset and score weighting are anomalib's defaults: a tenth of all patches, nine neighbours.
"""

import importlib.metadata
import inspect
import json
import sys
import time

import numpy as np
import torch
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from torch.nn import functional as F

LAYERS, SIDE, KEPT, AT_ONCE = ("blocks.2", "blocks.4"), 128, 0.1, 50
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def shown(pictures: np.ndarray) -> torch.Tensor:
    """Uint8 (N, H, W) → (N, 3, SIDE, SIDE) as the network expects it."""
    x = torch.from_numpy(pictures)[:, None].float() / 255
    x = F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True).expand(-1, 3, -1, -1)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (MEAN, STD))
    return (x - mean) / std


def main(data: str, weights: str, out: str) -> None:
    """Learn, judge, tell."""
    torch.manual_seed(0)
    pictures = np.load(data)
    model = PatchcoreModel(layers=LAYERS, backbone="efficientnet_lite0", pre_trained=False)
    given = {name: torch.from_numpy(value) for name, value in np.load(weights).items()}
    inner = model.feature_extractor.feature_extractor
    left = inner.load_state_dict(given, strict=False).missing_keys
    if left:
        raise SystemExit(f"weights without a value: {left[:5]}")
    start = time.perf_counter()
    model.train()
    model.feature_extractor.eval()
    with torch.no_grad():
        parts = [
            model(shown(part)) for part in np.array_split(pictures["train"], -(-len(pictures["train"]) // AT_ONCE))
        ]
        parameters = inspect.signature(model.subsample_embedding).parameters
        if "embedding" in parameters:  # releases before 2
            model.subsample_embedding(torch.vstack(parts), KEPT)
        else:
            model.subsample_embedding(KEPT)
        learned = time.perf_counter() - start
        model.eval()
        scores = []
        for part in np.array_split(pictures["test"], -(-len(pictures["test"]) // AT_ONCE)):
            found = model(shown(part))
            scores.append((found["pred_score"] if isinstance(found, dict) else found.pred_score).flatten().numpy())
    np.save(out, np.concatenate(scores))
    told = {"seconds": time.perf_counter() - start, "learning_s": learned, "patches": len(model.memory_bank)}
    print(json.dumps({**told, "anomalib": importlib.metadata.version("anomalib"), "torch": torch.__version__}))


if __name__ == "__main__":
    main(*sys.argv[1:4])
