"""R-CNN's SVMs and box regression against scikit-learn, normal equations and the released program's rules."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.svm import LinearSVC

from anmok import networks
from anmok.core.boxes import encode, iou
from anmok.networks import _closed_form as closed
from anmok.networks._region_svm import RegionFeatures, with_objects


def test_constants_are_the_released_programs() -> None:
    assert (closed.COST, closed.POSITIVE_WEIGHT, closed.BIAS, closed.NORM) == (1e-3, 2, 10, 20)
    assert (closed.NEGATIVE, closed.HARD, closed.EASY, closed.RETRAIN) == (0.3, -1.0001, -1.2, 2000)
    assert (closed.RIDGE, closed.WHITEN) == (1000, 0.001)


def test_ridge_solves_the_normal_equations() -> None:
    """Whitened targets, (A'A + λI)x = A'y with a constant column, and back."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 12)), rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)) * 0.1 + 0.3
    mean = y.mean(0)
    values, vectors = np.linalg.eig((y - mean).T @ (y - mean) / 60)
    whiten = vectors @ np.diag(1 / np.sqrt(values + 0.001)) @ vectors.T
    back = vectors @ np.diag(np.sqrt(values + 0.001)) @ vectors.T
    a = np.hstack([x, np.ones((60, 1))])
    beta = np.linalg.solve(a.T @ a + 5.0 * np.eye(13), a.T @ ((y - mean) @ whiten))
    weight, bias = closed.whitened_ridge(x, y, 5.0)
    np.testing.assert_allclose(x @ weight.T + bias, a @ beta @ back + mean, atol=1e-5)


def test_ridge_with_more_features_than_examples() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(6, 40)), rng.normal(size=(6, 4))
    weight, bias = closed.whitened_ridge(x, y, 1e-6)
    np.testing.assert_allclose(x @ weight.T + bias, y, atol=1e-3)


def blobs(seed: int = 0) -> tuple[np.ndarray, list[closed.Mined]]:
    """One class around (8, 0, 0, …), its negatives around 0, a few of them hard; in ten pictures."""
    rng = np.random.default_rng(seed)
    positives = rng.normal(size=(40, 6)) + np.array([8, 0, 0, 0, 0, 0])
    pictures = []
    for _ in range(10):
        negatives = rng.normal(size=(300, 6)) + rng.integers(0, 2, (300, 1)) * np.array([3, 0, 0, 0, 0, 0])
        overlaps = np.zeros((300, 1))
        overlaps[:20] = 0.5  # neither positive nor negative
        pictures.append(closed.Mined(negatives, overlaps))
    return positives, pictures


def test_mining_finds_the_svm_of_all_negatives() -> None:
    """At 20 times the length, where the cost was chosen, against scikit-learn on everything at once."""
    positives, pictures = blobs()
    everything = np.concatenate([picture.features[20:] for picture in pictures])
    whole = LinearSVC(loss="hinge", C=1e-3, class_weight={1: 2}, intercept_scaling=10, max_iter=100_000, tol=1e-5)
    whole.fit(np.concatenate([positives, everything]), np.r_[np.ones(40), -np.ones(len(everything))])
    weight, bias, figures = closed.mine([positives], pictures)
    angle = (weight[0] @ whole.coef_[0]) / np.linalg.norm(weight[0]) / np.linalg.norm(whole.coef_[0])
    assert angle > 0.999
    assert np.abs(weight[0] - whole.coef_[0]).max() < 0.05 * np.abs(whole.coef_[0]).max()
    assert bias[0] == pytest.approx(whole.intercept_[0], rel=0.1)
    assert figures["trainings"] >= 2
    assert figures["negatives_kept"] < len(everything)


def test_features_that_say_nothing_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """All negatives stay hard; the hardest are held, in the order in which they came."""
    monkeypatch.setattr(closed, "HELD", 50)
    rng = np.random.default_rng(0)
    cache = closed._Cache(rng.normal(size=(40, 6)), seed=0)
    seen = rng.normal(size=(300, 6))
    cache.see(closed.Mined(seen, np.zeros((300, 1))), np.zeros(300), first=True)
    cache.train()
    margins = seen @ cache.weight + cache.bias
    assert (margins >= closed.EASY).sum() > 250
    expected = seen[np.sort(np.argsort(-margins)[:50])]
    assert np.array_equal(cache.negatives, expected)


def test_a_class_without_examples_answers_nothing() -> None:
    positives, pictures = blobs()
    doubled = [closed.Mined(p.features, np.repeat(p.overlaps, 2, axis=1)) for p in pictures]
    weight, bias, _ = closed.mine([positives, positives[:0]], doubled)
    assert np.abs(weight[0]).max() > 0 and not weight[1].any() and bias[1] == 0


def test_fitted_heads_answer_like_their_solutions_and_live_in_the_state() -> None:
    positives, pictures = blobs()
    head = closed.SVMHead(6, 1)
    head.fit([positives * 0.1], [closed.Mined(p.features * 0.1, p.overlaps) for p in pictures], norm=2.0)
    assert head.scale == 10 and head.solved
    weight, bias, _ = closed.mine([positives], pictures)
    expected = positives @ weight[0] + bias
    np.testing.assert_allclose(head(torch.from_numpy(positives * 0.1))[:, 0].numpy(), expected, rtol=1e-4, atol=1e-4)
    assert head(torch.from_numpy(pictures[0].features * 0.1)).median() < expected.min()
    other = closed.SVMHead(6, 1)
    other.load_state_dict(head.state_dict())
    x = torch.from_numpy(positives).float()
    assert torch.equal(other(x), head(x)) and other.solved


def pass_of(net: networks.rcnn, count: int = 6):  # type: ignore[valid-type]
    """Outputs as a network would give them, features made so that the answer is known: the label and the shift."""
    rng = np.random.default_rng(0)
    batches = []
    for _ in range(count):
        truth = torch.tensor([[20.0, 20, 60, 60], [70, 10, 110, 50]])
        labels = torch.tensor([0, 1])
        shift = torch.from_numpy(rng.uniform(-8, 8, (20, 1))).float()
        near = truth.repeat(10, 1) + shift * torch.tensor([1.0, 0, 1, 0])
        far = torch.tensor([[0.0, 80, 10, 90]]).repeat(30, 1) + torch.from_numpy(rng.uniform(0, 9, (30, 1))).float()
        target = with_objects([{"boxes": truth, "labels": labels, "regions": torch.cat([near, far])}])[0]
        best, owner = iou(truth, target["regions"]).max(0)
        vectors = torch.zeros(len(best), 8)
        vectors[torch.arange(len(best)), owner] = best
        vectors[:, 7] = 1 - best
        pooled = torch.zeros(len(best), 8)
        pooled[:, 3] = encode(truth[owner], target["regions"])[:, 0]
        pooled[:, 4] = 1.0
        logits = torch.zeros(len(best), 3)
        batches.append((RegionFeatures(logits, vectors, pooled, (target["regions"],)), [target]))
    return batches


def test_both_fits_turn_regions_into_objects() -> None:
    net = networks.rcnn(2, encoder="small_resnet", crop=16).eval()
    net.svm, net.ridge = closed.SVMHead(8, 2), closed.BoxRidge(8, 2)
    net.strength = 1.0
    batches = pass_of(net)
    for solve in net.solves.values():
        solve(lambda: batches)
    assert list(net.solves) == ["svm", "boxes"]
    outputs, (target,) = batches[0]
    found = net.detect(outputs, [(100, 120)], score=0.5, nms=0.3)[0]
    assert sorted(found["labels"].tolist()) == [0, 1]
    order = found["labels"].argsort()
    assert torch.diagonal(iou(found["boxes"][order], target["boxes"])).min() > 0.95


def test_parameters_are_alexnets_with_21_answers() -> None:
    with torch.device("meta"):
        net = networks.rcnn(20)
    assert sum(p.numel() for p in net.parameters()) == 56_954_261
    assert (net.svm.weight.shape, net.ridge.weight.shape) == ((20, 4096), (20, 4, 9216))


def test_sppnets_parameters_and_maps() -> None:
    with torch.device("meta"):
        net = networks.sppnet(999)
        assert net.features.convolutions(torch.zeros(1, 3, 224, 224)).shape == (1, 256, 13, 13)
    assert sum(p.numel() for p in net.features.convolutions.parameters()) == 3_726_464
    assert sum(p.numel() for p in net.parameters()) == 77_037_672
    assert net.features.pooled == 12_800
