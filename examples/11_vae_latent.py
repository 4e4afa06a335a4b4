"""Chapter 11. A space of garments: draw new ones, walk from a boot to a bag, see the whole plane.

An autoencoder's codes lie anywhere; between two of them there may be nothing. A variational autoencoder draws each code
from a cloud around its place and pays for every cloud that strays from N(0, 1): so the space fills up, and every point
of it decodes to something. With two numbers to a code the whole space can be printed on one page.

    python examples/11_vae_latent.py                        # the bundled pictures
    python examples/11_vae_latent.py --data fashion-mnist   # all 70,000
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

import anmok

WALK = ("Ankle boot", "Bag")  # from one of these to one of those


def main() -> None:
    """Two VAEs: one whose space is a plane, one with room."""
    options = arguments()
    settings = {"task": "reconstruct", "net": "vae", "project": options.out / "runs", "quiet": options.quick}
    if options.quick:
        settings |= {"epochs": 2}
    ends = two_pictures(options)
    made = []
    for latent in (2, 20):
        run = anmok.train(options.data, latent=latent, name=f"vae-{latent}", **settings)
        nats, bits, psnr = (run.metrics["test"][name]["value"] for name in ("evidence", "bits_per_value", "psnr"))
        print(f"{latent} numbers a code: a test picture costs {-nats:.1f} nats, {bits:.3f} bits a pixel; {psnr:.2f} dB")
        # The same from the command line: anmok inspect RUN --codes --walk BOOT.png BAG.png --out FOLDER
        looked = anmok.inspect(run, codes=True, walk=ends, out=options.out, card=False)
        made += looked.pictures
    for path in made:
        print(f"made {path}")


def two_pictures(options: argparse.Namespace) -> tuple[Path, Path]:
    """The first test picture of each end of the walk, as files."""
    dataset = anmok.load_data(options.data)
    folder = options.out / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in WALK:
        entry = next(e for e in dataset.split("test") if e.target == dataset.classes.index(name))
        paths.append(folder / f"{name.replace(' ', '_').lower()}.png")
        Image.fromarray(dataset.pictures.read(entry.locator)[..., 0]).save(paths[-1])
    return paths[0], paths[1]


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="samples", help="samples (bundled), or fashion-mnist")
    parser.add_argument("--out", type=Path, default=Path("runs/examples/11_vae_latent"), help="folder for figures")
    parser.add_argument("--quick", action="store_true", help="two epochs a run")
    return parser.parse_args()


if __name__ == "__main__":
    main()
