"""segmentation_models.pytorch's U-Net on ResNet-18 from nothing, trained as its examples train. Prints one JSON line.

    python smp_scenes.py FOLDER EPOCHS SEED [LOSS]

FOLDER holds `train` and `test`, each with `images` and `masks` (PNG, class numbers). As in the project's examples
(examples/camvid_segmentation_multiclass.ipynb, examples/binary_segmentation_intro.ipynb, release 0.6): Dice loss on
logits, Adam at 2e-4, cosine annealing over all steps down to 1e-5, batches of 8, float32 on the CPU, files read by a
plain dataset. It learns from all training scenes and does not stop to validate. LOSS `dice+ce` adds cross entropy.
"""

import json
import resource
import sys
import time
from pathlib import Path

START = time.perf_counter()

import numpy as np  # noqa: E402
import segmentation_models_pytorch as smp  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402

CLASSES = 11
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of its resnet18; its own function for them asks the network


class Scenes(Dataset):
    """Pictures in [0, 1], float32 (3, H, W), and class numbers int64 (H, W)."""

    def __init__(self, folder: Path) -> None:
        self.names = sorted(path.name for path in (folder / "images").glob("*.png"))
        self.folder = folder

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor]:
        name = self.names[place]
        picture = np.asarray(Image.open(self.folder / "images" / name).convert("RGB"))
        mask = np.asarray(Image.open(self.folder / "masks" / name))
        return torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 255, torch.from_numpy(mask.copy()).long()


def main(folder: Path, epochs: int, seed: int, loss: str) -> None:
    torch.manual_seed(seed)
    model = smp.Unet("resnet18", encoder_weights=None, in_channels=3, classes=CLASSES)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    train = DataLoader(Scenes(folder / "train"), batch_size=8, shuffle=True, num_workers=2)
    test = DataLoader(Scenes(folder / "test"), batch_size=8, num_workers=2)
    dice = smp.losses.DiceLoss(smp.losses.MULTICLASS_MODE, from_logits=True)
    entropy = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs * len(train), eta_min=1e-5)

    begin = time.perf_counter()
    model.train()
    for _ in range(epochs):
        for pictures, masks in train:
            logits = model((pictures - mean) / std)
            lost = dice(logits, masks) + (entropy(logits, masks) if loss == "dice+ce" else 0)
            optimizer.zero_grad()
            lost.backward()
            optimizer.step()
            schedule.step()
    training = time.perf_counter() - begin

    model.eval()
    cells = np.zeros((CLASSES, CLASSES), np.int64)  # truth, answer
    with torch.no_grad():
        for pictures, masks in test:
            pairs = masks * CLASSES + model((pictures - mean) / std).argmax(1)
            cells += np.bincount(pairs.numpy().ravel(), minlength=CLASSES**2).reshape(CLASSES, CLASSES)
    both = np.diag(cells)
    print(
        json.dumps(
            {
                "mean_iou": float((both / (cells.sum(0) + cells.sum(1) - both)).mean()),
                "pixel_accuracy": float(both.sum() / cells.sum()),
                "training_s": training,
                "inside_s": time.perf_counter() - START,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "versions": {"segmentation_models_pytorch": smp.__version__, "torch": torch.__version__},
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else "dice")
