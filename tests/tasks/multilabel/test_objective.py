"""What logits mean where a picture may show several classes: loss, calibration, thresholds, answers."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from anmok.core.errors import UsageError
from anmok.core.types import Prediction
from anmok.losses.binary_cross_entropy import binary_cross_entropy
from anmok.ship.answers import Asked
from anmok.ship.answers.multilabel import AnyClassAnswers
from anmok.ship.gate import compare
from anmok.tasks.classify.head import fit_head
from anmok.tasks.multilabel.choosing import label_weights
from anmok.tasks.multilabel.objective import AgainstRest, AnyClasses, Judgement, head_loss, platt

CLASSES = ("bird", "cat", "dog")


def shown(n=200, seed=0):
    rng = np.random.default_rng(seed)
    truths = (rng.random((n, 3)) < [0.5, 0.2, 0.1]).astype(np.float32)
    return truths, (4 * truths - 2 + rng.normal(0, 1.5, (n, 3))).astype(np.float32)


def test_the_loss_is_torchs_and_smoothing_moves_towards_a_half() -> None:
    truths, logits = (torch.from_numpy(array) for array in shown())
    plain = nn.functional.binary_cross_entropy_with_logits
    assert binary_cross_entropy(logits, truths) == plain(logits, truths)
    weight = torch.tensor([1.0, 2.0, 5.0])
    assert binary_cross_entropy(logits, truths, 0, weight) == plain(logits, truths, pos_weight=weight)
    assert binary_cross_entropy(logits, truths, 0.2) == pytest.approx(plain(logits, truths * 0.8 + 0.1).item())
    assert binary_cross_entropy(logits.bfloat16(), truths).dtype == torch.float32
    with pytest.raises(UsageError, match="do not fit"):
        binary_cross_entropy(logits, truths[:, :2])
    with pytest.raises(UsageError, match="smoothing"):
        binary_cross_entropy(logits, truths, 1.0)


def test_platts_line_is_that_of_logistic_regression_on_his_targets() -> None:
    truths, logits = shown(400)
    hits, values = truths[:, 1] > 0.5, logits[:, 1] + 3  # too sure by three
    there, others = hits.sum(), (~hits).sum()
    wanted = np.where(hits, (there + 1) / (there + 2), 1 / (others + 2))
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(
        np.tile(values[:, None], (2, 1)), np.repeat([1, 0], 400), np.concatenate([wanted, 1 - wanted])
    )
    assert platt(hits, values) == pytest.approx((theirs.coef_[0, 0], theirs.intercept_[0]), rel=1e-3)


def test_platt_leaves_logits_alone_that_tell_nothing() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=100)
    assert platt(np.arange(100) < 3, values) == (1.0, 0.0)
    assert platt(values < 0, values) == (1.0, 0.0), "larger logits mean less"
    assert platt(values > 0, values)[0] > 0, "parted without a mistake, and yet finite"


def test_calibration_takes_back_what_weights_exaggerate() -> None:
    truths, logits = shown(4000)
    exaggerated = Judgement.fitted(truths, logits + 2.0)
    scores = exaggerated.scores(logits + 2.0)
    assert scores.mean(0) == pytest.approx(truths.mean(0), abs=0.01)
    assert scores == pytest.approx(Judgement.fitted(truths, logits).scores(logits), abs=1e-4)


def test_a_judgement_is_kept_by_name() -> None:
    truths, logits = shown()
    judgement = Judgement.fitted(truths, logits)
    kept = judgement.to_json(CLASSES)
    assert Judgement.from_json(dict(reversed(kept.items())), CLASSES) == judgement
    assert Judgement.plain(3).scores(np.zeros((1, 3))).tolist() == [[0.5] * 3]


def test_what_is_shipped_answers_alike() -> None:
    truths, logits = shown()
    judgement = Judgement.fitted(truths, logits)
    names = [f"{i}.png" for i in range(len(logits))]
    own = list(AnyClasses(judgement).predictions(names, torch.from_numpy(logits), CLASSES))
    shipped = AnyClassAnswers({"classes": CLASSES, "judgement": judgement.to_json(CLASSES)})
    asked = [Asked(name, (8, 8)) for name in names]
    found = list(shipped({"logits": logits}, asked))
    assert compare(own, found).holds and [one.found for one in own] == [one.found for one in found]
    assert [len(one.found or ()) for one in own] == (judgement.scores(logits) >= np.float32(judgement.thresholds)).sum(
        1
    ).tolist()
    assert any(not one.found for one in own) and any(len(one.found or ()) > 1 for one in own)
    top = next(shipped({"logits": logits}, asked, top=1))
    assert len(top.labels) == 1 and top.found == own[0].found
    doubt = shipped.doubtful({"logits": logits}, 0.1)
    moved = [AnyClasses(judgement).predictions(names, torch.from_numpy(logits + d), CLASSES) for d in (-0.099, 0.099)]
    torn = np.array([len({tuple(sorted(one.found)) for one in ways}) > 1 for ways in zip(own, *moved, strict=True)])
    assert torn.any() and (doubt | ~torn).all(), "whatever may flip is doubtful"


def test_the_gate_sees_a_class_that_only_one_finds() -> None:
    def told(score: float, *found: str) -> list[Prediction]:
        return [Prediction("a.png", ("cat", "dog"), (0.9, score), found=found)]

    assert compare(told(0.4, "cat"), told(0.4, "cat")).holds
    assert not compare(told(0.4, "cat"), told(0.4, "cat", "dog")).holds
    assert compare(told(0.40001, "cat", "dog"), told(0.40000, "cat")).holds, "a threshold lies between"
    assert not compare(told(0.40000, "cat", "dog"), told(0.40001, "cat")).holds


def test_an_explained_class_has_its_own_probability() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    x, judgement = torch.randn(5, 3, 2, 2), Judgement((1.0, 2.0, 0.5), (0.0, -1.0, 3.0), (0.5,) * 3)
    expected = judgement.scores(network(x).detach().numpy())
    for place in range(3):
        shares = AgainstRest(network, place, judgement)(x).softmax(1)[:, place]
        assert shares.detach().numpy() == pytest.approx(expected[:, place], abs=1e-6)


def test_a_head_for_several_classes_is_one_logistic_regression_each() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 5)).astype(np.float32)
    truths = (features @ rng.normal(size=(5, 3)) + rng.normal(size=(300, 3)) > 0.5).astype(np.float32)
    head = fit_head(features, truths, 3, loss_of=head_loss)
    scaled = (features - features.mean(0)) / features.std(0, ddof=1)
    ours = scaled @ (head.weight * torch.from_numpy(features.std(0, ddof=1))).numpy().T
    for place in range(3):  # the mean over three classes: each is held back three times as much
        theirs = LogisticRegression(C=1 / (300 * 3 * head.penalty), tol=1e-8, max_iter=1000).fit(
            scaled, truths[:, place]
        )
        assert np.corrcoef(ours[:, place], theirs.decision_function(scaled))[0, 1] > 0.9999


def test_weights_of_rare_classes() -> None:
    assert label_weights(np.array([100.0, 50.0, 2.0, 0.0])) == [1.0, 2.0, 10.0, 1.0]
