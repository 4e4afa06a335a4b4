"""Two folders without pairs, 24 pixels a side: photographs in colour, and others turned into negatives."""

from pathlib import Path

from PIL import Image, ImageOps
from skimage import data

SETTINGS = {"batch": 2, "width": 4, "pool": 3}
HEADLINES = ("cycle_ab", "cycle_ba")  # nobody knows partners


def write(root: Path) -> Path:
    for domain, name in (("A", "chelsea"), ("B", "coffee")):
        photograph = Image.fromarray(getattr(data, name)())
        for place in range(12):
            corner = 40 * (place % 5), 60 * (place // 5)
            part = photograph.crop((*corner, corner[0] + 96, corner[1] + 96)).resize((24, 24))
            folder = root / domain
            folder.mkdir(parents=True, exist_ok=True)
            (ImageOps.invert(part) if domain == "B" else part).save(folder / f"{name}-{place}.png")
    return root


def check_answer(answer, size: tuple[int, int]) -> None:
    assert answer.picture.shape == (*size, 3) and answer.picture.dtype == "uint8"
    assert answer.labels is None and answer.scores is None
