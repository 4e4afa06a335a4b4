"""A yes/no question to a network that knows many classes: is this a hot dog?"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from anmok.core.errors import DataError, UsageError, nearest
from anmok.core.types import Dataset
from anmok.tasks.classify import Classify
from anmok.verbs.classifier import Classifier
from anmok.verbs.subject import Subject

_YES = ("yes", "true", "positive", "1")


class Question(nn.Module):
    """Log probabilities (N, 2) of "none of these classes" and "one of these", from a network's logits.

    Args:
        network: normalised pictures (N, C, S, S) → logits (N, classes).
        positions: of the classes asked about among the logits.
        temperature: what logits are divided by before they become probabilities.
    """

    def __init__(self, network: nn.Module, positions: list[int], temperature: float = 1.0) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature
        self.asked: Tensor
        self.register_buffer("asked", torch.tensor(positions), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, S, S) → (N, 2)."""
        likely = (self.network(x).float() / self.temperature).log_softmax(1)
        yes = likely[:, self.asked].logsumexp(1)
        others = torch.ones(likely.shape[1], dtype=torch.bool, device=likely.device)
        others[self.asked] = False
        return torch.stack([likely[:, others].logsumexp(1), yes], 1)


def asking(subject: Subject, name: str) -> Classifier:
    """The same network, asked whether a picture is of this class: its classes are `not <name>` and `<name>`.

    Case, spaces, hyphens and underscores do not matter. The answer is yes where that is likelier than not.

    Raises:
        UsageError: it is no classifier, or knows no such class; the nearest names are given.
    """
    if not isinstance(subject.model, Classify):
        raise UsageError(
            "only a classifier is asked whether a picture is of a class", got=f"a run of {subject.kind.name}"
        )
    known: dict[str, list[int]] = {}
    for position, label in enumerate(subject.classes):
        known.setdefault(_plain(label), []).append(position)
    if _plain(name) not in known:
        guess = nearest(_plain(name), known)
        near = [label for label in subject.classes if any(word in _plain(label) for word in _words(name))][:8]
        raise UsageError(
            "the network knows no such class", got=repr(name),
            allowed=", ".join(near) if near else f"one of its {len(subject.classes)} classes",
            fix=guess and f'--is "{subject.classes[known[guess][0]]}"',
        )  # fmt: skip
    if len(known) < 2:
        raise UsageError("a network of one class has only one answer", got=repr(name))
    question = Question(subject.network, known[_plain(name)], subject.model.temperature)
    model = Classifier(
        question, (f"not {name}", name), subject.preparation, title=f"{subject.title}: {name}?", path=subject.path,
        device=str(subject.model.devices.device), precision=subject.model.devices.precision,
    )  # fmt: skip
    model.model.mirror = subject.model.mirror
    return model


def answerable(dataset: Dataset, name: str) -> Dataset:
    """Pictures of two classes as the question's: `not <name>` is 0, `<name>` is 1.

    The class asked about is the one of this name, or one called yes; the other may be called anything.

    Raises:
        DataError: there are not two classes, or none of them is the one asked about.
    """
    yes = [position for position, label in enumerate(dataset.classes) if _plain(label) in {_plain(name), *_YES}]
    if len(dataset.classes) != 2 or len(yes) != 1:
        raise DataError(
            "a yes/no question is measured on two classes, one of them the class asked about", path=dataset.root,
            got=", ".join(dataset.classes), allowed=f'"{name}" and any other',
        )  # fmt: skip
    entries = [
        entry if entry.target is None else replace(entry, target=int(entry.target == yes[0]))
        for entry in dataset.entries
    ]
    return replace(dataset, classes=(f"not {name}", name), entries=entries)


def _plain(label: str) -> str:
    return "".join(letter for letter in label.casefold() if letter.isalnum())


def _words(name: str) -> list[str]:
    return [word for word in name.casefold().replace("_", " ").replace("-", " ").split() if len(word) > 2]
