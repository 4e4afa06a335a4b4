"""A small report with every part in it."""

import numpy as np

from anmok.report import content as c

DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" width="900" height="90"><path d="M0 0h900v90z"/></svg>'


def pictures(count=4, side=28, seed=0):
    return list(np.random.default_rng(seed).integers(0, 255, (count, side, side), dtype=np.uint8))


def full(
    classes=("T-shirt/top", "고양이", "Ankle boot"), path="train/고양이 사진.jpg", words="a sentence", svg=DRAWING
):
    shots = pictures()
    shown = [
        c.Shown(shots[0], path, classes[1], 0.98, classes[0], shots[1], words),
        c.Shown(shots[2], "b", classes[0], 0.4),
    ]
    counts = np.array([[8, 2, 0], [1, 9, 0], [0, 0, 10]])
    third = (0.8, 0.6, 0.9)
    return c.ReportContent(
        title=words, summary=words, created="2026-01-02", warnings=[words],
        figures=[c.Figure(words, 0.912, 0.9, 0.92, note=words), c.Figure("log loss", 0.31, 0.29, 0.35, "number")],
        data=c.Data({name: {"train": 10, "test": 5} for name in classes}, {words: path},
                    [c.SetAside(path, words, words, 3)], [words], {classes[0]: shots}),
        training={words: words}, settings={"epochs": 3, "net": words},
        groups=[c.GroupLine(name, 10, third) for name in classes], sheet=shots[3],
        curves=[c.Chart(words, [c.Series("train", [1, 2, 3], [1.0, 0.5, 0.3]),
                                c.Series(words, [1, 2, 3], [1, np.nan, 0.4])], mark=(2, words))],
        confusion=c.Confusion(classes, counts, {(0, 1): shown[:1], (0, 0): shown[1:]}),
        classes=[c.ClassLine(name, 10, third, third, third) for name in classes],
        calibration=c.Calibration([0.3, float("nan"), 0.9], [0.2, float("nan"), 0.8], [3, 0, 27], 0.1, 1.4, 0.2),
        mistakes=shown[:1], doubtful=shown[1:],
        network=c.Network(words, [{"name": path, "kind": "Conv2d", "output": (8, 28, 28), "parameters": 80, "depth": 1},
                                  {"name": words, "kind": "Linear", "output": (3,), "parameters": None}],
                          {words: words}, svg),
        repeat=c.Repeat(f"anmok train {path}", {"seed": "0", words: words}),
    )  # fmt: skip
