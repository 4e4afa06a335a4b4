"""Detection's own choices: how long to train, and what is judged meanwhile."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from anmok.core.errors import UsageError
from anmok.core.preparation import Preparation
from anmok.data.prepare import prepare
from anmok.data.samples.scenes import scenes
from anmok.tasks.detect.choosing import AT_ONCE, watched
from anmok.tasks.detect.recipe import ANY, MOST, DetectRecipe, choose_recipe
from anmok.verbs.train_settings import TrainSettings


def test_fewer_pictures_are_seen_more_often_and_a_time_ends_the_run_instead_of_epochs() -> None:
    few, many = choose_recipe(200, 192, True), choose_recipe(5000, 192, True)
    assert many.epochs < few.epochs <= MOST
    timed = choose_recipe(1000, 192, True, timed=True)
    assert timed.epochs == ANY and "fit the time" in timed.pace and timed.but(epochs=3).pace.endswith("3 epochs")
    assert DetectRecipe.from_json(timed.to_json()) == timed
    rates = [choose_recipe(1000, 192, True, network=name).learning_rate for name in ("auto", "anchor_free", "yolo_v1")]
    assert rates[0] == rates[1] > rates[2]


@pytest.mark.parametrize(("train", "val", "judged"), [(40, 10, 10), (20, 100, 64)])
def test_not_more_is_judged_after_each_epoch_than_a_share_of_what_is_learned(
    train: int, val: int, judged: int, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))
    dataset = scenes(train + val, 0, 32)
    entries = [replace(entry, split="val" if k >= train else "train") for k, entry in enumerate(dataset.entries)]
    prepared = prepare(replace(dataset, entries=entries), Preparation(32, 32, fit="pad"), workers=0)
    some = watched(prepared)
    assert Counter(entry.split for entry in some.dataset.entries)["val"] == judged
    whole = {batch_id: pixels for batch in prepared.objects("val", AT_ONCE).epoch(0)
             for batch_id, pixels in zip(batch.ids, batch.pictures.numpy(), strict=True)}  # fmt: skip
    shown = [(batch_id, pixels) for batch in some.objects("val", AT_ONCE).epoch(0)
             for batch_id, pixels in zip(batch.ids, batch.pictures.numpy(), strict=True)]  # fmt: skip
    assert len(shown) == judged and all(np.array_equal(whole[name], pixels) for name, pixels in shown)
    first, last = (entries[k].id for k in (train, -1))
    assert {first, last} <= {name for name, _ in shown}


@pytest.mark.parametrize(("given", "kept"), [("0.45", 0.45), (0.3, 0.3), ("soft", "soft"), (None, 0.6)])
def test_how_boxes_are_suppressed_is_a_choice(given: object, kept: object) -> None:
    asked = TrainSettings.of(nms=given)
    assert choose_recipe(100, 96, True).asked(asked, "nms").nms == kept


@pytest.mark.parametrize("given", ["hard", "1.5", -0.1, True])
def test_what_is_no_overlap_is_refused_in_words(given: object) -> None:
    with pytest.raises(UsageError, match=r"--nms does not fit.*0 to 1.*soft"):
        TrainSettings.of(nms=given)
