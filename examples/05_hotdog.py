"""Chapter 5. Is it a hot dog? A pretrained network that knows a thousand classes is asked about one.

Nothing is learned here. The network's thousand probabilities are folded into two, "this class" and "anything else"; the
question is asked of every picture, measured on a folder of two classes, and one answer is explained. Without pictures
of your own, the question is "espresso?" and the pictures are crops of scikit-image's photographs.

    python examples/05_hotdog.py
    python examples/05_hotdog.py --data hotdogs/ --question "hot dog"    # hotdogs/hot_dog/*.jpg, hotdogs/other/*.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

from _photographs import write_crops

import anmok

NETWORK = "efficientnet_lite0"  # its ImageNet weights are installed with anmok


def main() -> None:
    """Ask, measure, explain."""
    options = arguments()
    data, question = options.data, options.question
    if data is None:
        data, question = pictures(options.out / "pictures", 4 if options.quick else 20), "espresso"

    print(f"{NETWORK} knows a thousand classes and is asked about one: {question}\n")
    answers = anmok.predict(NETWORK, data, is_=question)
    for answer in answers[:3] + answers[-3:]:
        print(f"{answer.labels[0]:>14} {answer.scores[0]:4.0%}  {answer.id}")

    report = anmok.evaluate(NETWORK, data, is_=question)
    for figure in ("accuracy", "auroc"):
        value, low, high = (report.figures[f"{figure}{end}"] for end in ("", "_low", "_high"))
        print(f"{figure}: {value:.3f}, 95 % interval {low:.3f} to {high:.3f}")

    explained = anmok.explain(NETWORK, answers[0].id, out=options.out / "why.png")
    print(f"\nwithout the question it says {explained.answer} ({explained.score:.0%})")
    print(f"made {explained.png}")


def pictures(folder: Path, each: int) -> Path:
    """Crops of a cup of espresso, and of other things."""
    write_crops(folder / "espresso", ["coffee"], each)
    write_crops(folder / "other", ["chelsea", "rocket"], each // 2)
    return folder


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of two classes, one of them named like the question")
    parser.add_argument("--question", default="hot dog", help="the class asked about")
    parser.add_argument("--out", type=Path, default=Path("runs/examples/05_hotdog"), help="folder for what is made")
    parser.add_argument("--quick", action="store_true", help="few pictures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
