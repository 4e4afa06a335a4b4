"""anomalib's GANomaly from nothing. Prints one JSON line.

    python anomalib_ganomaly.py DATA.npz EPOCHS SCORES.npy

DATA holds `train` and `test`, uint8 (N, 28, 28), padded to 32 × 32 as its paper's MNIST, intensities from −1 to 1.
Scores of `test` go to SCORES. Widths, code, losses, their weights, Adam and batches of 32 are anomalib's defaults, and
the two steps are in its own order.
"""

import importlib.metadata
import json
import sys
import time

import numpy as np
import torch
from anomalib.models.image.ganomaly.loss import DiscriminatorLoss, GeneratorLoss
from anomalib.models.image.ganomaly.torch_model import GanomalyModel
from torch.nn import functional as F

BATCH, AT_ONCE = 32, 250


def shown(pictures: np.ndarray) -> torch.Tensor:
    """Uint8 (N, 28, 28) → (N, 1, 32, 32) from −1 to 1."""
    return F.pad(torch.from_numpy(pictures)[:, None].float() / 127.5 - 1, (2, 2, 2, 2), value=-1.0)


def main(data: str, epochs: str, out: str) -> None:
    """Learn, judge, tell."""
    torch.manual_seed(0)
    pictures = np.load(data)
    model = GanomalyModel((32, 32), num_input_channels=1, n_features=64, latent_vec_size=100)
    of_g, of_d = GeneratorLoss(1, 50, 1), DiscriminatorLoss()
    step_d, step_g = (
        torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (model.discriminator, model.generator)
    )
    train, start = shown(pictures["train"]), time.perf_counter()
    model.train()
    for _ in range(int(epochs)):
        for rows in torch.randperm(len(train)).split(BATCH):
            padded, fake, code, again = model(train[rows])
            real, drawn = model.discriminator(padded)[0], model.discriminator(fake)[0]
            step_g.zero_grad()
            of_g(code, again, padded, fake, real, drawn).backward(retain_graph=True)
            step_g.step()
            loss = of_d(real, model.discriminator(fake.detach())[0])
            step_d.zero_grad()
            loss.backward()
            step_d.step()
    learned = time.perf_counter() - start
    model.eval()
    with torch.no_grad():
        scores = torch.cat([model(part).pred_score for part in shown(pictures["test"]).split(AT_ONCE)])
    np.save(out, scores.numpy())
    told = {"seconds": time.perf_counter() - start, "learning_s": learned, "epochs": int(epochs)}
    print(json.dumps({**told, "anomalib": importlib.metadata.version("anomalib"), "torch": torch.__version__}))


if __name__ == "__main__":
    main(*sys.argv[1:4])
