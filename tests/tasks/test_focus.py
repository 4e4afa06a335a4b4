"""What the network is in doubt about comes more often; nothing is lost on the way; a run goes on anywhere."""

import itertools

import numpy as np
import pytest
import torch

from anmok.data.augment import Augment
from anmok.tasks.focus import DOUBTFUL, ROUNDS, Focus, FocusedLoader, doubt

PICTURES, BATCH = 120, 10


class Numbers:
    def gather(self, rows: np.ndarray) -> np.ndarray:
        return np.broadcast_to(rows.astype(np.uint8)[:, None, None, None], (len(rows), 4, 4, 1)).copy()


def loader(focus: Focus, workers: int = 0) -> FocusedLoader:
    ids = [str(number) for number in range(PICTURES)]
    targets = np.arange(PICTURES) % 2
    return FocusedLoader(
        Numbers(), np.arange(PICTURES), targets, ids, 4, BATCH, seed=3, augment=Augment(), workers=workers, focus=focus
    )


def sure_of(focus: Focus, values: np.ndarray) -> None:
    logits = torch.from_numpy(np.stack([np.log(values), np.log(1 - values)], 1))
    focus.learned(np.arange(PICTURES), logits, torch.zeros(PICTURES, dtype=torch.int64))


def test_doubt_is_greatest_near_the_border_and_a_wrong_label_draws_less() -> None:
    assert doubt(np.array([1.0]))[0] == 0
    assert doubt(np.array([0.35]))[0] == pytest.approx(0.65)
    values = doubt(np.linspace(0, 1, 101))
    assert values.argmax() == 35
    assert values[0] == pytest.approx(0.3) and values[0] < values[70] + 0.01


def test_what_was_learned_is_the_probability_of_the_own_class() -> None:
    focus = Focus(3)
    logits = torch.tensor([[0.0, 0.0], [np.log(9.0), 0.0]])
    focus.learned(np.array([2, 0]), logits, torch.tensor([1, 0]))
    assert focus.sure.tolist() == pytest.approx([0.9, 0.0, 0.5], abs=1e-3)


def test_the_first_epoch_shows_every_picture_once() -> None:
    batches = list(loader(Focus(PICTURES)).epoch(0))
    assert sorted(int(name) for batch in batches for name in batch.ids) == list(range(PICTURES))
    assert [batch.extra["positions"].tolist() for batch in batches] == [[int(n) for n in b.ids] for b in batches]


def test_a_round_shows_the_doubtful_and_some_of_the_others_none_twice() -> None:
    focus = Focus(PICTURES)
    values = np.full(PICTURES, 0.99)
    doubtful = np.arange(0, PICTURES, 5)  # 24 of 120, as many as 0.6 of a round of 40
    values[doubtful] = 0.4
    sure_of(focus, values)
    batches = list(loader(focus).epoch(1))
    assert len(batches) == PICTURES // BATCH
    rounds = np.array_split(np.concatenate([b.extra["positions"] for b in batches]), ROUNDS)
    for shown in rounds:
        assert len(set(shown.tolist())) == PICTURES // ROUNDS
        assert set(doubtful.tolist()) <= set(shown.tolist())
        assert round(DOUBTFUL * len(shown)) == len(doubtful)
    others = [set(shown.tolist()) - set(doubtful.tolist()) for shown in rounds]
    assert all(a != b for a, b in itertools.pairwise(others))


def test_a_round_follows_what_was_learned_in_the_one_before() -> None:
    focus = Focus(PICTURES)
    sure_of(focus, np.full(PICTURES, 0.99))
    batches = loader(focus).epoch(1)
    first = [next(batches) for _ in range(4)]
    news = np.full(PICTURES, 0.99)
    news[:24] = 0.4
    sure_of(focus, news)
    second = np.concatenate([next(batches).extra["positions"] for _ in range(4)])
    assert set(range(24)) <= set(second.tolist())
    assert len(first) == 4


@pytest.mark.parametrize("start", [0, 2, 4, 7])
@pytest.mark.parametrize("workers", [0, 2])
def test_it_goes_on_anywhere_from_what_the_checkpoint_kept(start: int, workers: int) -> None:
    focus = Focus(PICTURES)
    generator = np.random.default_rng(0)
    sure_of(focus, generator.uniform(0.1, 0.9, PICTURES))
    whole, kept = [], None
    for number, batch in enumerate(loader(focus).epoch(2)):
        if number == start:
            state = focus.state() if number % 4 else {**focus.state(), "known": torch.zeros(PICTURES).half()}
            kept = {name: tensor.clone() for name, tensor in state.items()}
        whole.append(batch.ids)
        focus.learned(batch.extra["positions"], torch.randn(BATCH, 2, generator=torch.Generator().manual_seed(number)),
                      batch.targets)  # fmt: skip
    other = Focus(PICTURES)
    assert kept is not None
    other.load_state(kept)
    again = []
    for number, batch in enumerate(loader(other, workers).epoch(2, start), start):
        again.append(batch.ids)
        other.learned(batch.extra["positions"], torch.randn(BATCH, 2, generator=torch.Generator().manual_seed(number)),
                      batch.targets)  # fmt: skip
    assert again == whole[start:]
