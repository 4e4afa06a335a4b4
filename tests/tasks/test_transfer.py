"""Transfer: the head against scikit-learn, features kept and told apart, fine-tuning, the choice, resumption."""

import csv
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

import anmok
from anmok.core.errors import UsageError
from anmok.core.preparation import Preparation
from anmok.data.augment import Augment
from anmok.data.loader import Loader
from anmok.data.pixel_sources import ArrayPixels
from anmok.engine.callbacks import Quiet
from anmok.engine.devices import choose
from anmok.ship.apart import EngineLostError
from anmok.tasks.classify import features as kept
from anmok.tasks.classify import frozen as engines
from anmok.tasks.classify.features import ENOUGH, View, features, views
from anmok.tasks.classify.frozen import Frozen, Vectors, has_corners, identity_of, last_layer
from anmok.tasks.classify.head import PENALTIES, SAMPLE, UNSEEN, fit_head
from anmok.tasks.classify.learning import Classify
from anmok.tasks.classify.transfer import SLOWER, Transfer
from anmok.tasks.recipe import choose_transfer


def clouds(each: int, classes: int = 3, dimensions: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(classes, dimensions))
    targets = np.repeat(np.arange(classes), each)
    x = centres[targets] + generator.normal(scale=1.2, size=(len(targets), dimensions))
    return (5 * x + 3).astype(np.float32), targets


def test_the_head_is_scikit_learns_solution() -> None:
    x, y = clouds(60)
    head = fit_head(x, y, 3)
    scaled = StandardScaler().fit(x)
    spread = x.std(0, ddof=1) / scaled.scale_  # ours divides by n − 1
    theirs = LogisticRegression(C=1 / (UNSEEN * len(x)), max_iter=2000, tol=1e-8).fit(scaled.transform(x) / spread, y)
    asked, _ = clouds(20, seed=1)
    ours = torch.softmax(torch.from_numpy(asked) @ head.weight.T + head.bias, 1).numpy()
    np.testing.assert_allclose(ours, theirs.predict_proba(scaled.transform(asked) / spread), atol=2e-3)


def test_the_penalty_is_the_one_with_the_smallest_validation_loss() -> None:
    x, y = clouds(8, dimensions=40)
    head = fit_head(x, y, 3, clouds(200, dimensions=40, seed=2))
    losses = {penalty: loss for penalty, loss, _ in head.tried}
    assert head.penalty == min(losses, key=losses.__getitem__)
    assert PENALTIES[0] > head.penalty > PENALTIES[-1]


def test_a_penalty_sought_in_a_sample_is_fitted_to_everything() -> None:
    x, y = clouds(SAMPLE, dimensions=3)
    asked = clouds(200, dimensions=3, seed=2)
    head = fit_head(x, y, 3, asked)
    scaled = StandardScaler().fit(x)
    theirs = LogisticRegression(C=1 / (head.penalty * len(x)), max_iter=2000, tol=1e-8).fit(scaled.transform(x), y)
    ours = torch.softmax(head(torch.from_numpy(asked[0])), 1).numpy()
    np.testing.assert_allclose(ours, theirs.predict_proba(scaled.transform(asked[0])), atol=2e-3)
    assert head.penalty == min(head.tried, key=lambda one: one.loss).penalty


@pytest.mark.parametrize("helpful", [True, False])
def test_parts_are_learned_from_where_validation_is_the_better_for_it(helpful: bool) -> None:
    x, y = clouds(15, dimensions=40)
    more, truths = clouds(60, dimensions=40, seed=3)
    told = truths if helpful else np.roll(truths, 60)  # parts that look like another class
    parts = np.arange(len(x) + len(more)) >= len(x)
    known = clouds(200, dimensions=40, seed=2)
    head = fit_head(np.concatenate([x, more]), np.concatenate([y, told]), 3, known, parts=parts)
    assert head.parts is helpful
    without = fit_head(x, y, 3, known)
    right = [int((one(torch.from_numpy(known[0])).argmax(1).numpy() == known[1]).sum()) for one in (head, without)]
    assert right[0] > right[1] if helpful else torch.equal(head.weight, without.weight)


def test_rare_classes_weigh_more_where_asked() -> None:
    x, y = clouds(100, classes=2, dimensions=2)
    rare = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:5]])
    plain, weighed = (fit_head(x[rare], y[rare], 2, weights=weights) for weights in (None, [0.5, 10.0]))
    recall = [float(((torch.from_numpy(x[y == 1]) @ h.weight.T + h.bias).argmax(1) == 1).float().mean())
              for h in (plain, weighed)]  # fmt: skip
    assert recall[1] > recall[0]


class Tiny(nn.Module):
    """Mean colour, then a dense layer; counts how many pictures it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.gain = nn.Parameter(torch.ones(()))
        self.seen = 0

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += len(x)
        return x * self.gain

    def forward_head(self, x: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        return x.mean((2, 3)) if pre_logits else self.fc(x.mean((2, 3)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Classify, ArrayPixels]:
    monkeypatch.setattr(kept, "cache_folder", lambda: tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (70, 10, 10, 3), dtype=np.uint8)
    model = Classify(Tiny(), ("a", "b"), Preparation(8, 10), choose("cpu", "float32"))
    return model, ArrayPixels(pixels, np.arange(70))


def test_features_are_those_of_the_view_and_computed_once(tiny: tuple[Classify, ArrayPixels]) -> None:
    model, source = tiny
    rows = np.array([3, 60, 8, *range(30)])
    first = features(Frozen(model), source, rows, View("centre"), "data")
    expected = (source.array[rows, 1:9, 1:9].astype(np.float32).mean((1, 2)) / 255 - 0.5) / 0.5
    np.testing.assert_allclose(first, expected[:, None], atol=2e-3)
    assert model.network.seen == len(rows)
    again = features(Frozen(model), source, rows, View("centre"), "data")
    assert model.network.seen == len(rows) and (again == first).all()
    features(Frozen(model), source, rows[::-1].copy(), View("centre"), "data")
    features(Frozen(model), source, rows, View("augmented 0", Augment(crop=0.5), seed=1), "data")
    features(Frozen(model), source, rows, View("centre"), "other data")
    assert model.network.seen == 4 * len(rows)


def test_a_torn_file_of_features_is_computed_again(tiny: tuple[Classify, ArrayPixels], tmp_path: Path) -> None:
    model, source = tiny
    first = features(Frozen(model), source, np.arange(5), View("centre"), "data")
    (path,) = (tmp_path / "features").glob("*.npy")
    path.write_bytes(path.read_bytes()[:-7])
    assert (features(Frozen(model), source, np.arange(5), View("centre"), "data") == first).all()


class Engine:
    """Answers with what `ask` makes of the pictures; counts them."""

    label = "an engine"

    def __init__(self, ask: Callable[[np.ndarray], np.ndarray]) -> None:
        self.ask, self.seen = ask, 0

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        (pictures,) = inputs.values()
        self.seen += len(pictures)
        return {"vectors": self.ask(pictures)[:, None]}


def mean_colour(pictures: np.ndarray) -> np.ndarray:
    return (pictures.astype(np.float32).mean((1, 2)) / 255 - 0.5) / 0.5


def test_many_pictures_are_asked_of_an_engine_whose_features_are_torchs(
    tiny: tuple[Classify, ArrayPixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    model, source = tiny
    expected = features(Frozen(model), source, np.arange(70), View("centre"), "data")
    before = model.network.seen
    frozen = Frozen(model, engines.MANY)
    found = features(frozen, source, np.arange(70), View("centre"), "data")  # another key: another way
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert model.network.seen - before < 10, "torch tells only whether the engine is right"
    assert "openvino" in frozen.way and Frozen(model, engines.MANY - 1).way == "torch"


@pytest.mark.parametrize("fault", ["another network", "refused", "lost"])
def test_torch_goes_on_where_an_engine_cannot(
    tiny: tuple[Classify, ArrayPixels], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    pytest.importorskip("openvino")
    model, source = tiny
    asked = {
        "another network": lambda pictures: mean_colour(pictures[..., ::-1]),
        "lost": lambda pictures: mean_colour(pictures) if len(pictures) < 5 else fail(EngineLostError("gone")),
    }
    engine = Engine(asked.get(fault, mean_colour))

    def opened(*_: object, **__: object) -> Engine:
        return fail(UsageError("no engine")) if fault == "refused" else engine

    monkeypatch.setattr(engines, "openvino_engine", opened)
    frozen = Frozen(model, engines.MANY)
    frozen.threads = 1  # of two, the second one's batch may be under way when the engine is lost
    found = features(frozen, source, np.arange(70), View("centre"), "data")
    np.testing.assert_allclose(found[:, 0], mean_colour(source.array[:, 1:9, 1:9]), atol=2e-3)
    assert engine.seen == {"another network": 4, "refused": 0, "lost": 4 + 32}[fault]


def test_one_vague_vector_is_no_reason_to_refuse_an_engine(
    tiny: tuple[Classify, ArrayPixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In 16 bits the corner of a clear sky is off by more than anything else."""
    pytest.importorskip("openvino")
    model, source = tiny
    for vague, used in ((1, True), (3, False)):

        def ask(pictures: np.ndarray, vague: int = vague) -> np.ndarray:
            found = mean_colour(pictures)
            aside = np.cross(found[:vague], [1.0, 2.0, -1.0])
            long, as_long = (np.linalg.norm(one, axis=1, keepdims=True) for one in (found[:vague], aside))
            found[:vague] += 0.3 * aside * long / as_long  # a cosine of 0.958
            alike = torch.cosine_similarity(torch.from_numpy(found), torch.from_numpy(mean_colour(pictures)))
            assert (alike[:vague] < engines.ALIKE).all() and (alike > engines.LEAST).all()
            return found

        engine = Engine(ask)
        monkeypatch.setattr(engines, "openvino_engine", lambda *_, engine=engine, **__: engine)
        Frozen(model, engines.MANY)(source.array[:4, 1:9, 1:9])
        assert engine.seen == (8 if used else 4)


def fail(error: Exception) -> Any:
    raise error


def test_other_weights_are_another_identity(tiny: tuple[Classify, ArrayPixels]) -> None:
    model, _ = tiny
    before = identity_of(model)
    with torch.no_grad():
        model.network.fc.weight[0, 0] += 1e-3  # comes after the features
    assert identity_of(model) == before
    with torch.no_grad():
        model.network.gain += 1e-3
    assert identity_of(model) != before


def test_few_pictures_are_looked_at_more_often() -> None:
    recipe = choose_transfer(100, "efficientnet_lite0", "imagenet-v1", mirror=True, freeze="all")
    for pictures, each in ((0, []), (10, [10] * 4), (250, [250] * 4), (400, [400, 400, 200]), (9000, [1000])):
        (centre, everyone), *others = views(recipe, pictures, 0, corners=False)
        assert centre.augment is None and everyone.tolist() == list(range(pictures))
        assert [len(shown) for _, shown in others] == each
        assert all(len(set(shown.tolist())) == len(shown) and (shown < pictures).all() for _, shown in others)
        assert len({view.name for view, _ in others}) == len(others)
        assert all(view.augment is not None and view.augment.flip and not view.augment.mixup for view, _ in others)
    drawn = [views(recipe, 9000, seed, corners=False)[1][1].tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_corners_of_many_pictures_take_the_place_of_mirrored_and_cut_ones_but_of_nothing_else() -> None:
    recipe = choose_transfer(100, "efficientnet_lite0", "imagenet-v1", mirror=True, freeze="all")
    turned = recipe.but(augment=recipe.augment.but(rotate=15.0))
    for pictures, drawn in ((10, 40), (400, 1000), (ENOUGH - 200, 200), (ENOUGH, 0), (9000, 0)):
        assert sum(len(shown) for _, shown in views(recipe, pictures, 0, corners=True)[1:]) == drawn
    assert sum(len(shown) for _, shown in views(turned, 9000, 0, corners=True)[1:]) == 1000


@pytest.mark.parametrize("side", [96, 224, 256])
def test_corners_are_means_of_the_map(side: int) -> None:
    network = anmok.networks.resnet18(num_classes=2).eval()
    x = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        maps, found = network.forward_features(x), Vectors(network, corners=True)(x)
    part = maps.shape[2] // 2 + 1
    first, last = slice(None, part), slice(-part, None)
    cut = [maps[:, :, down, across].mean((2, 3)) for down in (first, last) for across in (first, last)]
    torch.testing.assert_close(found, torch.stack([maps.mean((2, 3)), *cut], 1))


def test_networks_whose_vector_is_the_mean_of_a_map_have_corners() -> None:
    def asked(name: str, size: int) -> bool:
        network = getattr(anmok.networks, name)(num_classes=2)
        return has_corners(Classify(network, ("a", "b"), Preparation(size, size), choose("cpu", "float32")))

    assert asked("resnet18", 96) and asked("efficientnet_lite0", 96) and asked("densenet121", 96)
    assert not asked("resnet18", 64), "a map of 2 x 2 places has no corners"
    assert not asked("alexnet", 224), "its vector comes from dense layers"


def test_an_engine_gives_the_same_corners(tiny: tuple[Classify, ArrayPixels], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    model, source = tiny
    assert has_corners(model)
    here, there = (features(Frozen(model, passes, True), source, np.arange(70), View("centre"), "data")
                   for passes in (0, engines.MANY))  # fmt: skip
    np.testing.assert_allclose(there, here, atol=2e-3)
    seen = source.array[:, 1:9, 1:9].astype(np.float32)
    corner = (seen[:, -5:, :5].mean((1, 2)) / 255 - 0.5) / 0.5
    np.testing.assert_allclose(here[:, 3], corner, atol=2e-3)


def test_early_blocks_learn_slower_and_frozen_ones_not_at_all() -> None:
    network = anmok.networks.small_resnet(num_classes=4)
    for freeze, blocks in (("none", 4), ("1", 3)):
        recipe = choose_transfer(100, "small_resnet", "x", mirror=False, freeze=freeze)
        model = Transfer(network, list("abcd"), Preparation(28, 28), choose("cpu", "float32"), recipe)
        rates = sorted({group["lr"] for group in model.fit_phase().optimizer.param_groups})
        assert rates == pytest.approx([recipe.learning_rate * SLOWER**depth for depth in reversed(range(blocks))])
        learning = {id(w) for group in model.fit_phase().optimizer.param_groups for w in group["params"]}
        assert all((id(w) in learning) == (freeze == "none") for w in network.stage1.parameters())
    assert last_layer(network, 4) is network.fc
    recipe = choose_transfer(100, "small_resnet", "x", mirror=False, freeze="4")
    with pytest.raises(UsageError, match="0 to 3"):
        Transfer(network, list("abcd"), Preparation(28, 28), choose("cpu", "float32"), recipe).fit_phase()


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.verbs.photographs import write_photographs

    return write_photographs(tmp_path_factory.mktemp("photos") / "photos", each=12, side=80)


def test_photographs_start_from_published_weights(photographs: Path, tmp_path: Path) -> None:
    run = anmok.train(photographs, project=tmp_path, imgsz=64)
    card = run.card
    assert card["network"]["name"] == "efficientnet_lite0" and card["recipe"]["pretrained"] == "imagenet-v1"
    assert card["preparation"]["mean"] == pytest.approx([0.485, 0.456, 0.406])
    rows = (run.path / "results.csv").read_text().splitlines()
    (told,) = csv.DictReader(rows)
    assert told["stage"] == "head"
    again = anmok.load(run.path)
    asked_anew = again.evaluate(split="val").figures["accuracy"]  # the network's own answers
    kept_features = run.metrics["val"]["accuracy"]["value"]
    assert float(told["val_accuracy"]) == pytest.approx(kept_features, abs=1e-6)
    assert asked_anew == pytest.approx(kept_features, abs=1e-6)
    backbone = anmok.networks.efficientnet_lite0(weights="imagenet").state_dict()
    ours = run.network.state_dict()
    assert all(torch.equal(ours[name], backbone[name]) for name in backbone if "classifier" not in name)
    picture = next(photographs.glob("cat/*.jpg"))
    assert again.predict(picture)[0].scores == run.predict(picture)[0].scores


def test_the_better_of_frozen_and_fine_tuned_is_kept(photographs: Path, tmp_path: Path) -> None:
    run = anmok.train(photographs, project=tmp_path, imgsz=32, freeze="none", epochs=1, lr=0.5)  # spoils the network
    rows = [row.split(",") for row in (run.path / "results.csv").read_text().splitlines()]
    table = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert [row["stage"] for row in table] == ["head", "fine-tune", "choose"]
    losses = [float(row["val_loss"]) for row in table]
    assert float(table[2]["kept_frozen"]) == (losses[0] <= losses[1])
    assert losses[2] == pytest.approx(min(losses[:2]), rel=1e-4)


def test_only_pictures_not_seen_before_are_asked_for_again(tiny: tuple[Classify, ArrayPixels]) -> None:
    _, source = tiny
    rows, targets = np.arange(70), np.arange(70) % 2
    train, val, test = (
        Loader(source, rows[part], targets[part], [str(row) for row in rows[part]], size=8, batch_size=16)
        for part in (slice(0, 40), slice(40, 50), slice(50, 70))
    )
    recipe = choose_transfer(40, "tiny", "x", mirror=False, freeze="all")
    model = Transfer(Tiny(), ("a", "b"), Preparation(8, 10), choose("cpu", "float32"), recipe, train, val)
    model.stages()[0].build().solve()
    before = model.network.seen
    logits, found = model.collect(val)
    assert model.network.seen == before and found.tolist() == targets[40:50].tolist()
    np.testing.assert_allclose(logits, Classify.collect(model, val)[0], atol=0.02)
    before = model.network.seen
    logits, _ = model.collect(test)
    assert model.network.seen == before + 20
    np.testing.assert_allclose(logits, Classify.collect(model, test)[0], atol=0.02)


def test_rows_of_another_data_set_are_other_pictures(tiny: tuple[Classify, ArrayPixels]) -> None:
    _, source = tiny
    rows, targets = np.arange(70), np.arange(70) % 2
    others = ArrayPixels(255 - source.array, rows)

    def loader(source: ArrayPixels, part: slice) -> Loader:
        return Loader(source, rows[part], targets[part], [str(row) for row in rows[part]], size=8, batch_size=16)

    train, val = loader(source, slice(0, 40)), loader(source, slice(40, 50))
    recipe = choose_transfer(40, "tiny", "x", mirror=False, freeze="all")
    devices = choose("cpu", "float32")
    model = Transfer(Tiny(), ("a", "b"), Preparation(8, 10), devices, recipe, train, val, rows=rows)
    model.stages()[0].build().solve()
    before = model.network.seen
    model.collect(loader(source, slice(50, 70)))
    assert model.network.seen == before, "every picture of its own data set is known"
    for part in slice(40, 50), slice(0, 70):
        found, _ = model.collect(loader(others, part))
        np.testing.assert_array_equal(found, Classify.collect(model, loader(others, part))[0])


def test_a_trained_run_in_memory_answers_for_other_data_as_its_folder_does(photographs: Path, tmp_path: Path) -> None:
    """The same number of pictures in the same folders, under other classes."""
    run = anmok.train(photographs, project=tmp_path, imgsz=64, val=0.2, test=0.0)
    swapped = tmp_path / "swapped"
    shutil.copytree(photographs, swapped)
    one, other = sorted(path.name for path in swapped.iterdir())[:2]
    (swapped / one).rename(swapped / "between")
    (swapped / other).rename(swapped / one)
    (swapped / "between").rename(swapped / other)
    again = anmok.load(run.path)
    found, wanted = (r.evaluate(swapped).figures["accuracy"] for r in (run, again))
    assert found == wanted < run.evaluate(photographs).figures["accuracy"]


class StopAfter(Quiet):
    """Ctrl-C when a stage has ended."""

    def __init__(self, stage: str) -> None:
        self.stage = stage

    def on_epoch(self, row: Mapping[str, object]) -> None:
        if row["stage"] == self.stage:
            raise KeyboardInterrupt


@pytest.mark.parametrize("stage", ["head", "fine-tune"])
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(photographs: Path, tmp_path: Path, stage: str) -> None:
    settings = {"imgsz": 32, "freeze": "5", "epochs": 1, "project": tmp_path}
    whole = anmok.train(photographs, name="whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        anmok.train(photographs, name="stopped", callbacks=[StopAfter(stage)], **settings)
    stopped = anmok.train(resume=tmp_path / "classify/stopped")
    assert all(
        torch.equal(a, b)
        for a, b in zip(whole.network.state_dict().values(), stopped.network.state_dict().values(), strict=True)
    )


def test_what_does_not_fit_is_refused(photographs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="freeze"):
        anmok.train(photographs, project=tmp_path, freeze="half")
    with pytest.raises(UsageError, match="no published weights"):
        anmok.train(photographs, project=tmp_path, net="small_resnet", weights="imagenet")
