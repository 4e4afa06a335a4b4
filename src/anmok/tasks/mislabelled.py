"""Pictures whose label is probably wrong: what a quick probe that has not seen them thinks of what they say.

The idea is confident learning's (Northcutt, Jiang, Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset
Labels"): probabilities of each picture out of fold. Its rule, to doubt a picture labelled i where the probability of j
is at least the mean one of pictures labelled j, doubts 5 to 8 % of clean Fashion-MNIST: where classes look alike, a
probe is wrong that often. Here a label is doubted where its own probability is next to nothing or another's next to
one; a smaller one will do between classes that hardly any picture lies between. Wrong labels planted evenly over
classes, and 5 % from each class to one other, as precision / recall (and the share of all pictures doubted); see
`docs/decisions/0008` and `tests/tasks/test_mislabelled.py`:

    | planted | none | 1 % | 5 % | 10 % | 5 % to one class |
    |---|---|---|---|---|---|
    | 10,000 garments | (1.2 %) | 0.44 / 0.89 | 0.85 / 0.85 | 0.94 / 0.77 | 0.83 / 0.74 |
    | the same, the paper's rule | (5.4 %) | 0.11 / 0.71 | 0.39 / 0.76 | 0.54 / 0.78 | 0.39 / 0.77 |
    | 1,797 digits | (0.2 %) | 0.89 / 0.94 | 0.98 / 0.89 | 0.99 / 0.85 | 0.99 / 0.96 |
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from anmok.core.ahead import answers_ahead
from anmok.data.alignment import resampled
from anmok.data.duplicates import Gathers
from anmok.data.pixel_sources import in_parts

FOLDS = 4
NEIGHBOURS = 10
UNLIKELY = 0.02  # a label given less is doubted: none of the ten nearest pictures has it, and a line gives it under 4 %
SURE = 0.9  # of another class is enough as well, whatever lies between the two classes
SURE_OF_OTHERS = 0.7  # and so much where next to nothing lies between them
BETWEEN, RARELY = (
    (0.25, 0.6),
    0.02,
)  # probabilities that lie between two classes, and what share of pictures may have them
FEWEST = 8  # pictures a class, below which no probe can be asked
MOST_LEARNED = 12_000  # pictures a probe learns from
Vectors = Callable[[np.ndarray], np.ndarray]
_PIXEL_SIDE, _DIMENSIONS = 16, 48


@dataclass(frozen=True)
class Suspect:
    """Entry `position` says `label`; the probe gives that `own` and `other` the probability `score`, both in [0, 1]."""

    position: int
    label: int
    other: int
    own: float
    score: float


def suspects(targets: np.ndarray, probabilities: np.ndarray) -> list[Suspect]:
    """Likely wrong labels, the surest first.

    Args:
        targets: int (N,), the labels as given; -1 where there is none.
        probabilities: (N, classes), out of fold; NaN rows are left out.

    >>> sure = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.6, 0.4], [0.05, 0.95]])
    >>> [(s.position, s.other) for s in suspects(np.array([0, 0, 1, 1, 0]), sure)]
    [(4, 1)]
    """
    asked = np.flatnonzero((targets >= 0) & np.isfinite(probabilities).all(1))
    labels, given = targets[asked], probabilities[asked]
    enough = np.where(_apart(labels, given), SURE_OF_OTHERS, SURE)
    found = []
    for i, label, row in zip(asked, labels, given, strict=True):
        other = int(row.argmax())
        if other != label and (row[label] < UNLIKELY or row[other] > enough[label, other]):
            found.append(Suspect(int(i), int(label), other, float(row[label]), float(row[other])))
    return sorted(found, key=lambda s: (s.own - s.score, s.position))


def _apart(labels: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Whether next to no picture of class i lies between i and j, bool (classes, classes): then few that look like j
    are honest ones of class i.
    """
    low, high = BETWEEN
    between = (given > low) & (given < high)
    shares = [between[labels == i].mean(0) if (labels == i).any() else np.ones(given.shape[1])
              for i in range(given.shape[1])]  # fmt: skip
    return np.array(shares) < RARELY


def out_of_fold(features: np.ndarray, targets: np.ndarray, groups: np.ndarray, seed: int = 0) -> np.ndarray:
    """Probabilities (N, classes) by a quick probe that has seen neither the picture nor one of its group.

    Classes with fewer than `FEWEST` pictures get NaN rows, and all rows are NaN where fewer than two classes are left.
    """
    # A second to import: only who looks for wrong labels pays for it.
    from sklearn.decomposition import PCA
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.neighbors import KNeighborsClassifier

    counts = np.bincount(targets[targets >= 0], minlength=1)
    answers = np.full((len(targets), len(counts)), np.nan)
    used = np.flatnonzero((targets >= 0) & (counts[targets] >= FEWEST))
    if len(np.unique(targets[used])) < 2:
        return answers
    for learn, ask in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(
        used, targets[used], groups[used]
    ):
        learn, ask = used[learn], used[ask]
        learn = np.random.default_rng(seed).permutation(learn)[:MOST_LEARNED]
        if len(np.unique(targets[learn])) < 2:
            continue
        parts = min(_DIMENSIONS, features.shape[1], len(learn) - 1)
        reduced = PCA(parts, random_state=seed).fit(features[learn])
        known, unknown = (reduced.transform(features[part]) / features[learn].std() for part in (learn, ask))
        answers[ask] = 0.0
        # A line and a neighbourhood err differently: their mean finds more wrong labels, and suspects fewer right ones.
        line, nearest = (
            LogisticRegression(C=0.05, solver="newton-cg"),
            KNeighborsClassifier(min(NEIGHBOURS, len(learn))),
        )
        for probe in (line, nearest):
            with warnings.catch_warnings():  # the last digits of a probe's weights change no answer
                warnings.simplefilter("ignore", ConvergenceWarning)
                probe.fit(known, targets[learn])
            answers[np.ix_(ask, probe.classes_)] += probe.predict_proba(unknown) / 2
    return answers


def features_of(
    source: Gathers, rows: np.ndarray, vectors: Vectors | None = None,
    *, on_progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:  # fmt: skip
    """Features float32 (N, D) of stored pictures.

    Args:
        source, rows: the pictures, see `anmok.data.duplicates.find_duplicates`.
        vectors: uint8 (n, S, S, C) → (n, D); None: small pixels. A network's features know photographs.
        on_progress: called with (pictures done, pictures in all).
    """
    found: list[np.ndarray] = []
    done = 0
    for part in answers_ahead(vectors or small_pixels, (pixels for _, pixels in in_parts(source.gather, rows))):
        found.append(part)
        done += len(part)
        if on_progress is not None:
            on_progress(done, len(rows))
    return np.concatenate(found) if found else np.zeros((0, 1), np.float32)


def small_pixels(pixels: np.ndarray) -> np.ndarray:
    """uint8 (n, H, W, C) → float32 (n, D): the pixels themselves, of pictures made small, in [0, 1]."""
    values = pixels.astype(np.float32) / 255
    small = [resampled(values[..., c], min(_PIXEL_SIDE, *pixels.shape[1:3])) for c in range(pixels.shape[3])]
    return np.stack(small, axis=-1).reshape(len(pixels), -1)
