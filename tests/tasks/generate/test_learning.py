"""Every game and every network: who moves when, what moves, and the same bits after being killed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial import geometric_slerp

import anmok
from anmok.core.codes import between, codes_of
from anmok.core.errors import DataError, UsageError
from anmok.core.types import Batch
from anmok.engine.devices import PlainDevices
from anmok.tasks.beginning import choose_preparation
from anmok.tasks.generate.choosing import prepared_for
from anmok.tasks.generate.drawing import MEASURED, measure_batch_statistics
from anmok.tasks.generate.growing import growth, seen_at
from anmok.tasks.generate.learning import Generate
from anmok.tasks.generate.recipe import choose_recipe
from tests.contracts.test_tasks import Killed, KilledAfter
from tests.tasks.generate.players import QUICK, write


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "patterns", train=20, val=6)


def model(network: str, **chosen) -> Generate:
    preparation = prepared_for(network, choose_preparation([(8, 8, 3)], 8), 8)
    recipe = choose_recipe(40, 8, network, {"latent": 16, "batch": 4, **chosen})
    torch.manual_seed(0)
    net = anmok.networks.build(network, **recipe.arguments(preparation, 2)) if recipe.conditional else (
        anmok.networks.build(network, **recipe.arguments(preparation, 0)))  # fmt: skip
    classes = ("a", "b") if recipe.conditional else ()
    made = Generate(net, preparation, PlainDevices("float32"), recipe, classes, (1, 3), targets={"0": 0, "1": 1})
    made.train = type("Batches", (), {"__len__": lambda self: 10, "batch_size": 4})()
    return made


PICTURES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 3, 8, 8), dtype=np.uint8))


@pytest.mark.parametrize(
    ("network", "chosen", "phases"),
    [
        ("gan", {}, {"generator": 1, "discriminator": 1}),
        ("dcgan", {"loss": "least-squares", "conditional": True}, {"generator": 1, "discriminator": 1}),
        ("dcgan", {"loss": "wasserstein"}, {"generator": 5, "discriminator": 1}),
        ("dcgan", {"loss": "hinge", "r1": 1.0}, {"generator": 1, "discriminator": 1, "r1": 1}),
        ("stylegan", {"progressive": True}, {"generator": 1, "discriminator": 1, "r1": 1}),
        ("stylegan2", {"conditional": True}, {"generator": 1, "discriminator": 1, "r1": 16, "path": 4}),
    ],
)  # fmt: skip
def test_each_phase_moves_its_own_player(network: str, chosen: dict, phases: dict[str, int]) -> None:
    made = model(network, **chosen)
    stage = made.stages()[0].build()
    assert {phase.name: phase.every for phase in stage.phases} == phases  # type: ignore[union-attr]
    assert {phase.name for phase in stage.phases if not phase.averaged} == phases.keys() - {"generator", "path"}  # type: ignore[union-attr]
    batch = Batch(PICTURES, None, ["0", "1", "1", "1"])
    for phase in stage.phases:  # type: ignore[union-attr]
        before = {name: [w.detach().clone() for w in net.parameters()] for name, net in made.networks().items()}
        phase.optimizer.zero_grad()
        losses = phase.loss(batch)
        losses["loss"].backward()
        phase.optimizer.step()
        assert all(torch.isfinite(value).all() for value in losses.values())
        moved = {
            name
            for name, net in made.networks().items()
            if any(not torch.equal(old, new) for old, new in zip(before[name], net.parameters(), strict=True))
        }
        assert moved == set(phase.networks)  # fmt: skip


def test_a_critic_judges_every_picture_by_itself() -> None:
    net = anmok.networks.dcgan(in_channels=3, input_size=16, critic=True)
    x = torch.randn(5, 3, 16, 16)
    assert torch.allclose(net.discriminator(x)[:1], net.discriminator(x[:1]), atol=1e-5)


def test_growing_doubles_the_picture_on_the_way() -> None:
    assert growth(0, 64) == 1 and growth(0.5, 64) == growth(1, 64) == 4
    halfway = growth(0.5 * 0.75 / 3, 64)  # three doublings in half of the run: 16 pixels, half faded in
    assert halfway == pytest.approx(1.5)
    x = torch.rand(2, 3, 64, 64)
    assert seen_at(x, 4.0) is not None and torch.equal(seen_at(x, 4.0), x)
    faded, fine = seen_at(x, 1.5), torch.nn.functional.avg_pool2d(x, 4)
    coarse = torch.nn.functional.avg_pool2d(x, 8).repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert faded.shape == (2, 3, 16, 16) and torch.allclose(faded, (fine + coarse) / 2, atol=1e-6)


def test_batch_statistics_are_those_of_the_weights_as_they_are() -> None:
    made = model("dcgan", conditional=True, batch=16)
    first = next(layer for layer in made.network.modules() if isinstance(layer, torch.nn.BatchNorm2d))
    seen: list[torch.Tensor] = []
    first.register_forward_pre_hook(lambda _layer, given: seen.append(given[0].double()))
    momentum = first.momentum
    made.network.eval()
    measure_batch_statistics(made)
    assert first.momentum == momentum and not made.network.training
    batches = [(x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=True)) for x in seen]
    assert len(batches) == MEASURED
    for running, own in ((first.running_mean, 0), (first.running_var, 1)):
        torch.testing.assert_close(
            running.double(), torch.stack([batch[own] for batch in batches]).mean(0), rtol=1e-4, atol=1e-6
        )
    before = first.running_mean.clone()
    measure_batch_statistics(made)  # of the same weights: the same, so that an evaluation can be repeated
    assert torch.equal(first.running_mean, before)


def test_walks_go_along_the_sphere() -> None:
    a, b = codes_of([1, 2], 50).astype(float)
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    assert np.allclose(between(a, b, 7), geometric_slerp(a, b, np.linspace(0, 1, 7)), atol=1e-9)
    assert np.allclose(between(a, a, 3), [a, a, a])


@pytest.mark.parametrize("chosen", [{"net": "stylegan2", "latent": 8}, {"loss": "wasserstein"}], ids=lambda c: str(c))
def test_killed_and_resumed_it_ends_with_the_same_bits(chosen: dict, data: Path, tmp_path: Path) -> None:
    settings = {**QUICK, "batch": 4, "epochs": 2, "save_every": 1e-6, "sample_log": True, **chosen}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))
        whole = anmok.train(data, project=tmp_path, name="whole", **settings)
        with pytest.raises(Killed):
            anmok.train(data, project=tmp_path, name="killed", callbacks=[KilledAfter(1)], **settings)
        again = anmok.train(resume=tmp_path / "generate/killed")

    def digests(folder: Path) -> list[str]:
        files = [*sorted(folder.glob("weights/*.safetensors")), max(folder.glob("state/checkpoint-*.safetensors"))]
        return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]

    assert digests(again.path) == digests(whole.path) and again.metrics == whole.metrics


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"imgsz": 20}, "power of two"),
        ({"loss": "dice"}, "game"),
        ({"loss": "wasserstein", "net": "stylegan2"}, "penalty"),
        ({"progressive": True}, "stylegan"),
        ({"progressive": True, "net": "stylegan", "time": 60.0}, "epochs"),
        ({"optimizer": "muon"}, "Adam"),
        ({"rotate": 10.0}, "augmentation"),
        ({"features": "nowhere"}, "knows pictures"),
        ({"net": "resnet18"}, "does not generate"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(settings: dict, says: str, data: Path, tmp_path: Path) -> None:
    asked = {**QUICK, **settings}
    with pytest.raises((UsageError, DataError), match=says):
        anmok.train(data, project=tmp_path, **asked)
    assert not list(tmp_path.glob("generate/*"))


def test_loose_pictures_have_no_classes_to_draw_by(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="classes"):
        anmok.train(data / "train" / "a", project=tmp_path, **{**QUICK, "conditional": True})
