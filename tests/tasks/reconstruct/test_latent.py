"""The space of codes, for a network whose codes are known: the pictures themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anmok.core.errors import UsageError
from anmok.core.preparation import Preparation
from anmok.engine.devices import PlainDevices
from anmok.tasks.reconstruct import latent, seeing
from anmok.tasks.reconstruct.latent import Codes
from anmok.tasks.reconstruct.learning import Reconstruct
from anmok.tasks.reconstruct.looking import heat
from anmok.tasks.reconstruct.recipe import ReconstructRecipe

from .conftest import SIDE, bars


class Itself(nn.Module):
    """A picture is its own code."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = nn.Parameter(torch.zeros(1))

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def decode(self, code: Tensor) -> Tensor:
        return code.unflatten(1, (1, SIDE, SIDE))

    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.fixture
def model() -> Reconstruct:
    preparation = Preparation(SIDE, SIDE, 1, fit="squash", mean=(0.0,), std=(1.0,))
    return Reconstruct(Itself(), preparation, PlainDevices("float32"), ReconstructRecipe("own", 1, 1))


@pytest.fixture
def codes() -> Codes:
    pictures = bars(60)[..., None]
    return Codes(pictures, (pictures / 255).reshape(60, -1).astype(np.float32), np.arange(60) % 3, (SIDE * SIDE,))


def test_a_walk_goes_straight(model: Reconstruct, codes: Codes) -> None:
    steps = latent.walk(model, codes, 3, 8)
    assert len(steps) == latent.STEPS
    assert np.array_equal(steps[0], codes.pictures[3]) and np.array_equal(steps[-1], codes.pictures[8])
    middle = (codes.pictures[3].astype(float) + codes.pictures[8]) / 2
    assert np.abs(steps[latent.STEPS // 2] - middle).max() <= 1


def test_neighbours_are_nearest(codes: Codes) -> None:
    for place, found in zip((0, 7), latent.neighbours(codes, (0, 7)), strict=True):
        apart = np.square(codes.codes - codes.codes[place]).sum(1)
        assert found == [k for k in np.argsort(apart, kind="stable").tolist() if k != place][:7]


def test_the_map_shows_pictures_where_they_lie(codes: Codes) -> None:
    places, shares = latent.mapped(codes)
    centred = codes.codes - codes.codes.mean(0)
    spread = np.linalg.svd(centred, compute_uv=False) ** 2
    assert shares == pytest.approx(tuple(spread[:2] / spread.sum()), rel=1e-3)
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    drawn = latent.draw_map(codes, places, colours)
    assert drawn.shape == (latent.CANVAS, latent.CANVAS, 3)
    framed = [(drawn == colour).all(2).sum() for colour in colours]
    assert min(framed) > 100
    right = int(np.argmax(places[:, 0]))
    assert (drawn[:, -60:] == colours[codes.targets[right]]).all(2).any()


@pytest.mark.parametrize("by", ["tsne", pytest.param("umap", marks=pytest.mark.slow)])  # which compiles first
def test_neighbours_stay_neighbours_on_the_second_map(by: str) -> None:
    if by == "umap":
        pytest.importorskip("umap")
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(3), 15)
    codes = (8 * np.eye(3, 6)[groups] + rng.normal(size=(45, 6))).astype(np.float32)
    places = latent.unrolled(Codes(np.zeros((45, 2, 2, 1), np.uint8), codes, groups, (6,)), by)
    apart = np.square(places[:, None] - places[None]).sum(2)
    np.fill_diagonal(apart, np.inf)
    assert places.shape == (45, 2) and (groups[apart.argmin(1)] == groups).mean() > 0.95


def test_a_missing_umap_names_its_command(codes: Codes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"anmok\[umap\]"):
        latent.unrolled(codes, "umap")


def test_everything_is_seen_and_the_walk_is_the_persons(model: Reconstruct, codes: Codes) -> None:
    ends = bars(2, seed=9)[..., None]
    more = latent.with_more(model, codes, ends)
    assert np.array_equal(more.pictures[-2:], ends) and more.targets[-2:].tolist() == [-1, -1]
    found = {view.kind: view.picture for view in seeing.views(model, more, ("a", "b", "c"), (60, 61))}
    assert {"map", "walk", "direction-1", "neighbours"} <= found.keys()
    walked = found["walk"].reshape(SIDE, -1, SIDE).transpose(1, 0, 2)
    assert np.array_equal(walked[0], ends[0, ..., 0]) and np.array_equal(walked[-1], ends[1, ..., 0])
    assert np.abs(walked[1].astype(int) - ends[0, ..., 0]).max() <= 1  # its code, decoded
    assert seeing.drawn(model) is None  # no VAE: nothing is promised about codes that no picture has


def test_directions_are_the_widest(model: Reconstruct, codes: Codes) -> None:
    first = latent.directions(model, codes, 1)[0]
    middle = np.clip(codes.codes.mean(0), 0, 1).reshape(SIDE, SIDE, 1) * 255
    assert np.abs(first[latent.STEPS // 2] - middle).max() <= 1


def test_heat_rises_from_black_to_white() -> None:
    assert heat(np.array([[0.0, 1 / 3, 2 / 3, 1.0, 9.0]]), 1.0)[0].tolist() == [
        [0, 0, 0], [255, 0, 0], [255, 255, 0], [255, 255, 255], [255, 255, 255],
    ]  # fmt: skip
