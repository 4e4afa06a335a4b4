"""Networks that people bring are told what a task asks of them, before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

import anmok
from anmok.core.errors import UsageError


@pytest.mark.parametrize(
    ("data", "task", "missing", "example"),
    [("scenes-96", "detect", "losses and detect", "anchor_free"),
     ("samples", "reconstruct", "encode and decode", "conv_autoencoder")],
)  # fmt: skip
def test_what_a_network_lacks_is_named_with_one_that_has_it(
    data: str, task: str, missing: str, example: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=rf"Sequential without {missing}.*anmok\.networks\.{example}"):
        anmok.train(data, task=task, network=nn.Sequential(nn.Conv2d(3, 3, 3)), project=tmp_path, epochs=1)
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(("data", "task", "example"), [("scenes-96", "detect", "anchor_free"),
                                                       ("samples", "reconstruct", "conv_autoencoder")])  # fmt: skip
def test_the_example_is_taken(data: str, task: str, example: str, tmp_path: Path) -> None:
    channels, classes = (3, 10) if task == "detect" else (1, None)
    network = anmok.networks.build(example, num_classes=classes, in_channels=channels)
    run = anmok.train(data, task=task, network=network, project=tmp_path, epochs=1)
    assert run.card["network"]["own"] and run.network is network
