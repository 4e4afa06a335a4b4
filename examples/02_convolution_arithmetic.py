"""Chapter 2. Convolution arithmetic: how large is the output, what does it cost, what does it see?

Every number is worked out in a sentence, checked against torch, and the sliding window is drawn step by step; so is the
way back up, with the checkerboard that a transposed convolution can draw.

    python examples/02_convolution_arithmetic.py
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import nn

import anmok
from anmok.anatomy import (
    explain_1x1,
    explain_conv_output,
    explain_cost,
    explain_enlarging,
    explain_pool_output,
    explain_same_padding,
    explain_transposed_output,
    explain_two_3x3,
)

WINDOWS = {
    "plain": {"size": 5, "kernel": 3},
    "padded": {"size": 5, "kernel": 3, "padding": 1},
    "strided": {"size": 5, "kernel": 3, "stride": 2, "padding": 1},
    "dilated": {"size": 7, "kernel": 3, "dilation": 2},
}


def main() -> None:
    """Print the worked sentences, check one against torch, and draw the windows."""
    options = arguments()
    chapters = {
        "AlexNet's first convolution: 11×11, stride 4, padding 2, on 224 pixels": explain_conv_output(224, 11, 4, 2),
        "What it costs": explain_cost(3, 64, 11, (55, 55)),
        "Pooling 112 by 3×3 with stride 2": explain_pool_output(112, 3, 2),
        "The way back: a transposed convolution": explain_transposed_output(7, 4, stride=2, padding=1),
        "Enlarging: a transposed convolution, or enlarging first": explain_enlarging(16, kernel=3, stride=2),
        "'same' in TensorFlow, and beside it torch": explain_same_padding(224, 7, stride=2),
        "Why VGG stacks 3×3": explain_two_3x3(),
        "What a 1×1 saves": explain_1x1(),
    }
    for title, text in chapters.items():
        print(f"\n{title}\n{'-' * len(title)}\n{text}")

    layer = nn.Conv2d(3, 64, 11, stride=4, padding=2)
    seen = anmok.anatomy(layer, (3, 224, 224))
    print(
        f"\ntorch agrees: {tuple(layer(torch.zeros(1, 3, 224, 224)).shape)}, {seen.parameters:,} parameters, ", end=""
    )
    print(f"{seen.macs:,} multiply-adds, each output sees {seen.receptive_field[0].size} pixels.")

    print()
    for name, numbers in list(WINDOWS.items())[: 1 if options.quick else None]:
        figure = anmok.anatomy.window_figure(**numbers)
        print(f"made {anmok.anatomy.save(figure, options.out / f'window_{name}.png')}")
    figure = anmok.anatomy.enlarging_figure(6, kernel=3, stride=2)
    print(f"made {anmok.anatomy.save(figure, options.out / 'enlarging.png')}")


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=Path, default=Path("runs/examples/02_convolution_arithmetic"), help="folder for figures"
    )
    parser.add_argument("--quick", action="store_true", help="draw one window only")
    return parser.parse_args()


if __name__ == "__main__":
    main()
