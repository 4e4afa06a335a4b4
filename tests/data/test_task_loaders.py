"""Loaders of masks, boxes, pairs, domains: batches follow from (seed, epoch, number), their parts belong together."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from anmok.core.errors import DataError, UsageError
from anmok.core.preparation import Preparation
from anmok.core.targets import IGNORE, Frame, Partner
from anmok.core.types import Dataset, Entry
from anmok.data.augment import Augment
from anmok.data.prepare import Prepared, prepare
from anmok.data.prepare_pictures import PreparedPictures, prepare_pictures
from anmok.data.samples.scenes import as_segmentation, scenes
from anmok.data.stores import ArrayPictures

SIDE, SIZE, BATCH = 56, 40, 3
BUSY = Augment(flip=True, rotate=10, crop=0.7, expand=1.3, colour=0.2)
SCENES = scenes(10, 4, SIDE, 7)
MAPS = as_segmentation(SCENES)


@pytest.fixture(scope="module")
def segment(tmp_path_factory) -> Prepared:
    preparation = Preparation(SIZE, 48, fit="pad")
    return prepare(MAPS, preparation, ("classes", "instances"), directory=tmp_path_factory.mktemp("a"))


@pytest.fixture(scope="module")
def detect(tmp_path_factory) -> Prepared:
    return prepare(SCENES, Preparation(SIZE, 48), directory=tmp_path_factory.mktemp("b"))


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> Prepared:
    preparation = Preparation(24, 32, fit="window")
    return prepare(MAPS, preparation, ("classes",), directory=tmp_path_factory.mktemp("c"))


def domains(counts: tuple[int, int] = (7, 4)) -> PreparedPictures:
    """Pictures of one grey level each, so that a picture tells its row."""
    total = sum(counts)
    array = (np.arange(total, dtype=np.uint8) * 10)[:, None, None, None] * np.ones((1, 8, 8, 1), np.uint8)
    entries = [Entry(f"{row}", row, int(row >= counts[0]), "train") for row in range(total)]
    dataset = Dataset(".", "t", "translate", ("a", "b"), entries, ArrayPictures(array, "d"), seen=total)
    return prepare_pictures(dataset, Preparation(8, 8, 1, mean=(0.5,), std=(1,)))


def pairs() -> PreparedPictures:
    array = np.random.default_rng(0).integers(0, 128, (9, 8, 8, 1), dtype=np.uint8)
    both = np.concatenate([array, array + 100])
    entries = [Entry(f"{row}", row, Partner(row + 9), "train") for row in range(9)]
    dataset = Dataset(".", "t", "translate", (), entries, ArrayPictures(both, "p"), seen=9)
    return prepare_pictures(dataset, Preparation(8, 8, 1, mean=(0.5,), std=(1,)))


def dark(pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return (pixels * generator.uniform(0, 1, (len(pixels), 1, 1, 1))).astype(np.uint8)


def every(segment, detect, windows, augment, workers):
    how = {"seed": 5, "augment": augment, "workers": workers}
    mixed = how if augment is None else how | {"augment": augment.but(mosaic=0.5, mixup=0.3)}
    joined = how if augment is None else how | {"augment": augment.but(mosaic=0.5, elastic=0.05)}
    return {
        "masks": segment.masks("train", BATCH, **joined),
        "boxes": detect.objects("train", BATCH, **mixed),
        "regions": detect.objects("train", BATCH, **mixed, regions=True),
        "windows": windows.masks("train", BATCH, **how),
        "pictures": pairs().pictures("train", BATCH, **how),
        "damaged": pairs().pictures("train", BATCH, **how, damage=dark),
        "pairs": pairs().pairs("train", BATCH, **how),
        "unpaired": domains().unpaired("train", BATCH, **how),
    }


def flat(value):
    if isinstance(value, dict):
        return [part for key in sorted(value) for part in flat(value[key])]
    return [part for item in value for part in flat(item)] if isinstance(value, list | tuple) else [value]


def same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert a.ids == b.ids
        for x, y in zip(*(flat([batch.pictures, batch.targets, dict(batch.extra)]) for batch in (a, b)), strict=True):
            assert type(x) is type(y)
            assert torch.equal(x, y) if isinstance(x, torch.Tensor) else np.array_equal(x, y)


KINDS = ("masks", "boxes", "regions", "windows", "pictures", "damaged", "pairs", "unpaired")


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_follows_from_seed_epoch_and_number(segment, detect, windows, kind):
    loader = every(segment, detect, windows, BUSY, 0)[kind]
    all_of_it = list(loader.epoch(2))
    assert len(all_of_it) == len(loader)
    same(all_of_it[1:], list(loader.epoch(2, 1)))
    other = list(replace(loader, seed=6).epoch(2))
    assert [batch.ids for batch in other] != [batch.ids for batch in all_of_it]
    assert [batch.ids for batch in loader.epoch(3)] != [batch.ids for batch in all_of_it]


@pytest.mark.parametrize("kind", KINDS)
def test_workers_change_nothing(segment, detect, windows, kind):
    for augment in (BUSY, None) if kind == "boxes" else (BUSY,):
        with_workers = every(segment, detect, windows, augment, 2)[kind]
        same(list(every(segment, detect, windows, augment, 0)[kind].epoch(1)), list(with_workers.epoch(1)))


def test_what_batches_hold(segment, detect, windows):
    for kind, loader in every(segment, detect, windows, BUSY, 0).items():
        batch = next(iter(loader.epoch(0)))
        side = loader.size
        assert batch.pictures.dtype == torch.uint8 and batch.pictures.shape[0] == BATCH
        assert batch.pictures.shape[2:] == (side, side), kind
        if kind in ("masks", "windows"):
            assert batch.targets.dtype == torch.int64 and batch.targets.shape == (BATCH, side, side)
            assert set(batch.targets.unique().tolist()) <= {*range(11), IGNORE}
        elif kind in ("boxes", "regions"):
            assert len(batch.targets) == BATCH
            for found in batch.targets:
                count = len(found["labels"])
                assert found["boxes"].dtype == torch.float32 and found["boxes"].shape == (count, 4)
                assert found["labels"].dtype == torch.int64 and found["crowd"].dtype == torch.bool
                assert (found["boxes"][:, :2] < found["boxes"][:, 2:]).all()
                assert found["boxes"].min() >= 0 and found["boxes"].max() <= side
                assert ("masks" in found) == (kind == "regions")
                if kind == "regions":
                    assert found["masks"].dtype == torch.bool and found["masks"].shape == (count, side, side)
        elif kind == "pictures":
            assert batch.targets is None
        else:
            assert batch.targets.dtype == torch.uint8 and batch.targets.shape == batch.pictures.shape
    assert next(iter(segment.masks(None, 2).epoch(0))).extra["instances"].dtype == np.int32


def test_evaluated_class_maps_are_the_scenes_own(segment):
    """Scenes of 56 pixels in 48, the middle 40 of it: compared at the pixel that each one's centre comes from."""
    batches = list(segment.masks("test", 3).epoch(0))
    assert [name for batch in batches for name in batch.ids] == [f"test/{k:04}.png" for k in range(4)]
    entries = SCENES.split("test")
    for k, (found, instances) in enumerate(
        (t, i) for batch in batches for t, i in zip(batch.targets, batch.extra["instances"], strict=True)
    ):
        classes = MAPS.masks.classes(entries[k].target, Frame((SIDE, SIDE)))
        own = MAPS.masks.instances(entries[k].target, Frame((SIDE, SIDE)))
        at = np.floor((np.arange(40) + 4.5) * 56 / 48).astype(int)
        assert np.array_equal(found.numpy(), classes[np.ix_(at, at)])
        assert np.array_equal(instances, own[np.ix_(at, at)])


def test_evaluated_boxes_lead_back_to_the_original(detect):
    (batch,) = detect.objects("test", 4).epoch(0)
    for entry, found, size in zip(SCENES.split("test"), batch.targets, batch.extra["sizes"], strict=True):
        geometry = detect.preparation.geometry(tuple(size), seen=True)
        assert tuple(size) == (SIDE, SIDE)
        back = geometry.inverse().boxes(found["boxes"].numpy())
        assert len(back) and set(found["labels"].tolist()) <= set(entry.target.labels.tolist())
        for box, label in zip(back, found["labels"].tolist(), strict=True):
            own = entry.target.boxes[entry.target.labels == label]
            # Cut at the border, a box only gets smaller.
            assert ((box[:2] >= own[:, :2] - 1.2) & (box[2:] <= own[:, 2:] + 1.2)).all(1).any()


def test_tiles_show_every_pixel_of_every_picture_once(windows):
    counts: dict[str, np.ndarray] = {}
    for batch in windows.masks("test", 5).epoch(0):
        for name, target in zip(batch.ids, batch.targets.numpy(), strict=True):
            counts[name] = counts.get(name, 0) + np.bincount(target[target != IGNORE], minlength=11)
    for entry in SCENES.split("test"):
        classes = MAPS.masks.classes(entry.target, Frame((SIDE, SIDE)))
        assert np.array_equal(counts[entry.id], np.bincount(classes.ravel(), minlength=11))


def test_calm_epochs_show_pictures_and_masks_as_they_are_or_mirrored(segment):
    whole = replace(segment, layout=replace(segment.layout, preparation=replace(segment.preparation, size=48)))
    judged = [pair for batch in whole.masks("train", 5).epoch(0) for pair in _named(batch)]
    plain = {name: (picture, mask) for name, picture, mask in judged}

    def kept(epoch: int) -> float:
        found = [one for batch in whole.masks("train", 5, augment=BUSY, calm=2).epoch(epoch) for one in _named(batch)]
        own = [plain[name] for name, *_ in found]
        return np.mean([
            any(torch.equal(picture, turn(a)) and torch.equal(mask, turn(b)) for turn in (_as_is, _mirror))
            for (_, picture, mask), (a, b) in zip(found, own, strict=True)
        ])  # fmt: skip

    assert kept(0) == kept(1) == 1 and kept(2) == 0


def _named(batch):
    return zip(batch.ids, batch.pictures, batch.targets, strict=True)


def _as_is(values):
    return values


def _mirror(values):
    return values.flip(-1)


def test_large_pictures_give_as_many_windows_as_their_area_holds(windows):
    loader = windows.masks("train", 4, augment=Augment())
    assert len(loader.rows) == 10 * (56 * 56 // 24**2)
    names = [name for batch in loader.epoch(0) for name in batch.ids]
    assert max(names.count(name) for name in set(names)) == 5
    first, again = (next(iter(loader.epoch(epoch))).pictures for epoch in (0, 1))
    assert not torch.equal(first, again)


def test_pairs_move_together():
    moved = Augment(flip=True, rotate=20, shift=0.1)
    for batch in pairs().pairs("train", 3, augment=moved, seed=1).epoch(0):
        difference = batch.targets.int() - batch.pictures.int()
        assert (difference - 100).abs().max() <= 1


def test_a_pair_goes_as_a_whole_where_one_is_bad():
    array = np.zeros((4, 8, 8, 1), np.uint8)
    entries = [Entry("a", 0, Partner(99)), Entry("b", 1, Partner(2)), Entry("c", 50, Partner(51))]
    dataset = Dataset(".", "t", "translate", (), entries, ArrayPictures(array, "q"), seen=3)
    found = prepare_pictures(dataset, Preparation(8, 8, 1, mean=(0.5,), std=(1,)), limit=0)
    assert [entry.id for entry in found.dataset.entries] == ["b"]
    assert {bad.path for bad in found.dataset.quarantined} == {"a (partner)", "c"}
    assert found.dataset.account() == {"seen": 3, "used": 1, "quarantined": 2, "skipped": 0}
    (batch,) = found.pairs(None, 4).epoch(0)
    assert batch.ids == ["b"]


def test_damage_is_anew_in_training_and_always_alike_in_evaluation():
    train = pairs().pictures("train", 9, augment=Augment(), damage=dark)
    clean = [next(iter(train.epoch(epoch))) for epoch in (0, 1)]
    assert not torch.equal(clean[0].pictures, clean[1].pictures)
    evaluate = pairs().pictures("train", 9, damage=dark)
    assert torch.equal(*(next(iter(evaluate.epoch(epoch))).pictures for epoch in (0, 1)))
    assert torch.equal(
        next(iter(evaluate.epoch(0))).targets, next(iter(pairs().pictures("train", 9).epoch(0))).pictures
    )


def test_two_domains_have_orders_of_their_own():
    loader = domains().unpaired("train", 1, augment=Augment(), seed=3)
    assert len(loader) == 7
    seen = [(int(batch.ids[0]), int(batch.extra["target_ids"][0])) for batch in loader.epoch(0)]
    for (own, other), batch in zip(seen, loader.epoch(0), strict=True):
        assert (batch.pictures == own * 10).all() and (batch.targets == other * 10).all()
    assert sorted(own for own, _ in seen) == list(range(7))
    assert sorted(other for _, other in seen[:4]) == [7, 8, 9, 10]  # all of the smaller domain, then it begins again
    assert len({other for _, other in seen[4:]}) == 3
    met = {(batch.ids[0], batch.extra["target_ids"][0]) for epoch in range(4) for batch in loader.epoch(epoch)}
    assert len(met) > 14  # the same picture meets different ones
    back = domains().unpaired("train", 1, back=True)
    assert [int(batch.ids[0]) for batch in back.epoch(0)] == [7, 8, 9, 10, 7, 8, 9]


def test_what_cannot_be_is_refused(segment):
    with pytest.raises(UsageError, match="mixup"):
        segment.masks("train", 2, augment=Augment(mixup=0.2))
    with pytest.raises(DataError, match="no partners"):
        domains().pairs("train", 2)
    with pytest.raises(DataError, match="domain"):
        domains((3, 0)).unpaired("train", 2)
    with pytest.raises(UsageError, match="no masks"):
        prepare(SCENES, Preparation(8, 8), ("classes",))
    with pytest.raises(DataError, match="no boxes"):
        replace(segment, dataset=replace(SCENES, entries=[Entry("a", 0, 3)])).objects(None, 2)


def test_what_only_mirrors_copies_pixels_and_moves_partners_alike() -> None:
    prepared = pairs()
    (batch,) = prepared.pairs("train", 9, augment=Augment(flip=True)).epoch(0)
    stored = prepared.source.gather(np.array([int(name) * 2 for name in batch.ids]))
    found, partners = batch.pictures.movedim(1, 3).numpy(), batch.targets.movedim(1, 3).numpy()
    mirrored = np.array([not np.array_equal(a, b) for a, b in zip(found, stored, strict=True)])
    assert np.array_equal(found, np.where(mirrored[:, None, None, None], stored[:, :, ::-1], stored))
    assert np.array_equal(partners, found + 100) and 0 < mirrored.sum() < 9


@pytest.mark.parametrize("moves", [{"shift": 0.2}, {"rotate": 5}, {"stretch": 0.1}, {"elastic": 0.02}], ids=str)
def test_what_moves_is_not_taken_for_a_copy(moves: dict) -> None:
    assert Augment(flip=True, shift=0.01).keeps_places(8, 8) and not Augment().keeps_places(9, 8)
    assert not Augment(**moves).keeps_places(8, 8)
