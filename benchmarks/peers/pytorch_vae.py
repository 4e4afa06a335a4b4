"""The VAE 784-400-20 as PyTorch's own example trains it (its documented settings). Prints one JSON line.

    python pytorch_vae.py FOLDER EPOCHS SEED

Pictures are converted one by one as they are asked for, in batches of 128; binary cross-entropy and KL divergence,
summed over a picture; Adam with rate 0.001. The test loss is that of the example: the mean over the test pictures of
the same sum, from one draw of each code.
"""

import gzip
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms


class VAE(nn.Module):
    """Two dense layers each way."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.mean, self.logvar = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
        self.back, self.out = nn.Linear(20, 400), nn.Linear(400, 784)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = F.relu(self.hidden(x.view(-1, 784)))
        mean, logvar = self.mean(hidden), self.logvar(hidden)
        z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
        return torch.sigmoid(self.out(F.relu(self.back(z)))), mean, logvar


def loss_of(out: Tensor, x: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    likelihood = F.binary_cross_entropy(out, x.view(-1, 784), reduction="sum")
    return likelihood - 0.5 * torch.sum(1 + logvar - mean.pow(2) - logvar.exp())


class Pictures(Dataset):
    """Decoded pictures, converted one by one as torchvision's data sets do it."""

    def __init__(self, folder: Path, name: str) -> None:
        packed = gzip.decompress((folder / f"{name}-images-idx3-ubyte.gz").read_bytes())
        self.pixels = np.frombuffer(packed, np.uint8, offset=16).reshape(-1, 28, 28)
        self.transform = transforms.ToTensor()

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.pixels[number])), 0


def main(folder: Path, epochs: int, seed: int) -> None:
    begin = time.perf_counter()
    torch.manual_seed(seed)
    train = DataLoader(Pictures(folder, "train"), batch_size=128, shuffle=True)
    test = DataLoader(Pictures(folder, "t10k"), batch_size=128)
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    start, losses = time.perf_counter(), []
    for _ in range(epochs):
        model.train()
        for x, _ in train:
            optimizer.zero_grad()
            loss_of(*_with(model, x)).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            losses.append(sum(loss_of(*_with(model, x)).item() for x, _ in test) / len(test.dataset))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({
        "test_loss": losses[-1], "losses": losses, "training_s": time.perf_counter() - start,
        "own_s": time.perf_counter() - begin, "parameters": sum(w.numel() for w in model.parameters()),
        "peak_mib": peak, "torch": torch.__version__,
    }))  # fmt: skip


def _with(model: VAE, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    out, mean, logvar = model(x)
    return out, x, mean, logvar


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
