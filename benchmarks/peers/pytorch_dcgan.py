"""DCGAN as PyTorch's own example trains it (its documented settings), on Fashion-MNIST at 64². Prints one JSON line.

    python pytorch_dcgan.py FOLDER SECONDS SEED OUT.npy [--ready]

Code 100, 64 channels at the finest map, one channel; weights N(0, 0.02²), batch normalisation N(1, 0.02²); pictures
resized to 64, converted and normalised one by one as they are asked for, by two worker processes, in batches of 64;
binary cross-entropy on a sigmoid; Adam with rate 0.0002 and β₁ = 0.5. The discriminator moves first, on real, then on
drawn pictures; the generator then on the same drawn ones. float32, as the example has it.

It trains for SECONDS, start-up and reading aside, then draws 2,000 pictures in evaluation mode into OUT.npy.
`--ready`: pictures lie decoded, resized and normalised in memory, so that computing alone is timed.
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
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchvision import transforms

CODE, WIDTH, BATCH, DRAWN = 100, 64, 64, 2000


def generator() -> nn.Sequential:
    layers, before = [], CODE
    for number, after in enumerate((8 * WIDTH, 4 * WIDTH, 2 * WIDTH, WIDTH)):
        stride, padding = (2, 1) if number else (1, 0)
        layers += [nn.ConvTranspose2d(before, after, 4, stride, padding, bias=False), nn.BatchNorm2d(after)]
        layers += [nn.ReLU(True)]
        before = after
    return nn.Sequential(*layers, nn.ConvTranspose2d(before, 1, 4, 2, 1, bias=False), nn.Tanh())


def discriminator() -> nn.Sequential:
    layers, before = [nn.Conv2d(1, WIDTH, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)], WIDTH
    for after in (2 * WIDTH, 4 * WIDTH, 8 * WIDTH):
        layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2, True)]
        before = after
    return nn.Sequential(*layers, nn.Conv2d(before, 1, 4, 1, 0, bias=False), nn.Sigmoid())


def begin(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class Pictures(Dataset):
    """Decoded pictures, transformed one by one as torchvision's data sets do it."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels
        self.transform = transforms.Compose(
            [transforms.Resize(64), transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]
        )

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.pixels[number])), 0


def batches(folder: Path, ready: bool) -> DataLoader:
    packed = gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes())
    pictures = Pictures(np.frombuffer(packed, np.uint8, offset=16).reshape(-1, 28, 28))
    if not ready:
        return DataLoader(pictures, batch_size=BATCH, shuffle=True, num_workers=2)
    return DataLoader(TensorDataset(torch.stack([picture for picture, _ in pictures])), BATCH, shuffle=True)


def main(folder: Path, seconds: float, seed: int, out: Path, ready: bool) -> None:
    torch.manual_seed(seed)
    g, d = generator().apply(begin), discriminator().apply(begin)
    loader, loss = batches(folder, ready), nn.BCELoss()
    of_d, of_g = (torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (d, g))
    shown, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for real, *_ in loader:
            d.zero_grad()
            target = torch.full((len(real),), 1.0)
            loss(d(real).view(-1), target).backward()
            fake = g(torch.randn(len(real), CODE, 1, 1))
            loss(d(fake.detach()).view(-1), target.fill_(0.0)).backward()
            of_d.step()
            g.zero_grad()
            loss(d(fake).view(-1), target.fill_(1.0)).backward()
            of_g.step()
            shown += len(real)
            if time.perf_counter() - start >= seconds:
                break
    took = time.perf_counter() - start
    g.eval()
    with torch.no_grad():
        drawn = torch.cat([g(torch.randn(100, CODE, 1, 1)) for _ in range(DRAWN // 100)])
    np.save(out, (drawn * 127.5 + 127.5).clamp(0, 255).round().to(torch.uint8).movedim(1, 3).numpy())
    parameters = [sum(weight.numel() for weight in net.parameters()) for net in (g, d)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"shown": shown, "training_s": took, "rate": shown / took, "parameters": parameters,
                      "peak_mib": peak, "torch": torch.__version__}))  # fmt: skip


if __name__ == "__main__":
    given = [argument for argument in sys.argv[1:] if argument != "--ready"]
    main(Path(given[0]), float(given[1]), int(given[2]), Path(given[3]), "--ready" in sys.argv)
