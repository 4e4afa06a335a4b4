"""Networks tried on one's own pictures: cross-validated accuracy, and advice that follows it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anmok.core.errors import DataError, UsageError
from anmok.metrics.proportion import share
from anmok.verbs.advice import advise
from anmok.verbs.compare import _structure, compare
from anmok.verbs.probe import FOLDS, Probe, _hits
from anmok.verbs.settings import CompareSettings


def test_hits_are_those_of_pictures_the_head_did_not_see() -> None:
    generator = np.random.default_rng(0)
    y = np.repeat([0, 1], 50)
    fold = np.tile(np.arange(FOLDS), 20)
    apart = (10.0 * y[:, None] + generator.normal(size=(100, 4))).astype(np.float32)
    assert _hits(apart, y, fold, 2) == 100
    # Noise with many dimensions is learned by heart and says nothing of pictures not seen.
    noise = generator.normal(size=(100, 300)).astype(np.float32)
    assert 30 <= _hits(noise, y, fold, 2) <= 70


def test_a_network_is_tried_on_photographs(tmp_path: Path) -> None:
    from tests.verbs.photographs import write_photographs

    data = write_photographs(tmp_path / "photos", each=10, side=80)
    found = Probe.of(str(data), ["efficientnet_lite0"], imgsz=64).run()["efficientnet_lite0"]
    assert found.n == 30 and found.value > 0.6 and found.low < found.value


def test_a_picture_that_cannot_be_read_is_left_out_and_told(tmp_path: Path) -> None:
    from tests.verbs.photographs import write_photographs

    data = write_photographs(tmp_path / "photos", each=10, side=80)
    pictures = sorted(next(folder for folder in sorted(data.iterdir()) if folder.is_dir()).iterdir())
    for broken in pictures[:2]:
        broken.write_bytes(broken.read_bytes()[:300])
    with pytest.warns(UserWarning, match="2 pictures cannot be read and are left out; anmok check"):
        found = compare("efficientnet_lite0", data=str(data), measure=False)
    probe = found.knives[0].probe
    assert probe is not None and probe.n == 28 and probe.value > 0.6
    for broken in pictures[2:6]:
        broken.write_bytes(broken.read_bytes()[:300])
    with pytest.raises(DataError, match="too few pictures can be read"):
        compare("efficientnet_lite0", data=str(data), measure=False)


def test_what_cannot_be_tried_is_refused(tmp_path: Path) -> None:
    from tests.verbs.photographs import write_photographs

    few = write_photographs(tmp_path / "few", each=3, side=48)
    with pytest.raises(DataError, match="too few"):
        Probe.of(str(few), ["efficientnet_lite0"])
    with pytest.raises(UsageError, match="not on this machine"):
        Probe.of(str(few), ["resnet50"])


def test_weights_that_are_not_here_are_missed_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []
    monkeypatch.setattr("anmok.verbs.compare._cost", lambda name, asked: measured.append(name))
    with pytest.raises(UsageError, match="resnet18 are not on this machine"):
        compare("efficientnet_lite0", "resnet18", data=str(tmp_path))
    with pytest.raises(DataError):
        compare("efficientnet_lite0", data=str(tmp_path / "nowhere"))
    assert not measured


def test_of_networks_that_may_be_level_the_cheapest_is_advised() -> None:
    asked = CompareSettings.of(measure=False)
    large, small = (_structure(name, asked) for name in ("resnet50", "resnet18"))
    level = [replace(large, probe=share(95, 100)), replace(small, probe=share(92, 100))]
    assert advise(level, asked).take == "resnet18" and "chance" in advise(level, asked).text
    apart = [replace(large, probe=share(95, 100)), replace(small, probe=share(60, 100))]
    found = advise(apart, asked)
    assert found.take == "resnet50" and "Weaker beyond chance: resnet18" in found.text
