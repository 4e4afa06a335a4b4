"""Training as torchvision's reference script does it: eager float32, PIL transforms, SGD, batch 32. One JSON line.

    python torchvision_train.py FOLDER NETWORK EPOCHS [WORKERS]

FOLDER holds a folder a class. Top-1 and top-5 are computed every step, as there.
"""

import json
import sys
import time

START = time.perf_counter()

import torch  # noqa: E402
import torchvision  # noqa: E402
from torch import nn  # noqa: E402
from torchvision import transforms as T  # noqa: E402

NORMAL = T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def main(folder: str, network: str, epochs: int, workers: int) -> None:
    prepare = T.Compose([
        T.RandomResizedCrop(224), T.RandomHorizontalFlip(), T.PILToTensor(), T.ConvertImageDtype(torch.float), NORMAL,
    ])  # fmt: skip
    dataset = torchvision.datasets.ImageFolder(folder, prepare)
    loader = torch.utils.data.DataLoader(dataset, batch_size=32, shuffle=True, num_workers=workers)
    model = torchvision.models.get_model(network, num_classes=len(dataset.classes)).train()
    loss_of, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), 0.1, 0.9, weight_decay=1e-4)
    seconds = []
    for _ in range(epochs):
        begin = time.perf_counter()
        for pictures, targets in loader:
            output = model(pictures)
            loss = loss_of(output, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            found = output.topk(5).indices == targets[:, None]
            (loss.item(), found[:, 0].float().mean().item(), found.any(1).float().mean().item())
        seconds.append(time.perf_counter() - begin)
    later = seconds[1:] or seconds
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, "python": sys.version.split()[0]}
    print(json.dumps({"pictures_a_second": len(dataset) * len(later) / sum(later), "epochs_s": seconds,
                      "threads": torch.get_num_threads(), "script_s": time.perf_counter() - START,
                      "versions": versions}))  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 2)
