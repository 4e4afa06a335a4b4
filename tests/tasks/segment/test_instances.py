"""Touching objects: seams are learned as a class of their own, and answers come apart there."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anmok.core import instances
from anmok.core.instances import objects_of, touching
from anmok.core.types import Batch
from anmok.data.stores import ArrayPictures
from anmok.metrics.instances import match_objects
from anmok.tasks.segment.answering import answers
from anmok.tasks.segment.instances import WIDTH, with_seams
from tests.tasks.segment.pointwise import CLASSES, model


def two_discs() -> np.ndarray:
    """Two discs that touch, 1 and 2, on background 0."""
    y, x = np.mgrid[:40, :60]
    left, right = (y - 20) ** 2 + (x - 20) ** 2 <= 12**2, (y - 20) ** 2 + (x - 40) ** 2 <= 12**2
    return np.where(left, 1, np.where(right, 2, 0)).astype(np.int32)


class BySeam(nn.Module):
    """Red is class 1, and where red is half as bright it is a seam; the rest is background."""

    def forward(self, x: Tensor) -> Tensor:
        red, nothing = x[:, :1], torch.zeros_like(x[:, :1])
        seam = (red - 0.5).abs() < 0.2
        return 40 * torch.cat([0.25 - red, red - 0.1, nothing - 1, nothing - 1, torch.where(seam, 1.0, -1.0)], 1)


def test_targets_have_seams_where_objects_touch_and_nowhere_unjudged() -> None:
    objects = two_discs()[None]
    targets = torch.from_numpy((objects > 0).astype(np.int64))
    targets[0, 20] = 255
    found = with_seams(targets, objects, seam=4)
    expected = touching(objects[0], WIDTH)
    expected[20] = False
    assert np.array_equal(found[0].numpy() == 4, expected) and expected.any()
    assert torch.equal(found[found != 4], targets[found != 4])


def test_the_loss_is_of_the_classes_and_the_seams() -> None:
    objects = two_discs()[None]
    pictures = torch.from_numpy(np.stack([(objects > 0) * 255] * 3, 1).astype(np.uint8))
    given = Batch(pictures, torch.from_numpy((objects > 0).astype(np.int64)), ["a"], {"instances": objects})
    one = model(net=BySeam(), loss="cross_entropy", seams=True)
    logits = BySeam()(pictures.float() / 255)
    expected = F.cross_entropy(logits, with_seams(given.targets, objects, 4))
    assert torch.allclose(one.loss(given)["loss"], expected, rtol=1e-4)


def test_touching_discs_come_apart_in_answers() -> None:
    objects = two_discs()
    red = np.where(objects > 0, 255, 0)
    red[touching(objects, 2.0) & (objects > 0)] = 128
    picture = np.stack([red, 0 * red, 0 * red], 2).astype(np.uint8)
    for fit, size in (("window", 32), ("pad", 64)):
        one = model(size, fit, BySeam(), seams=True)
        (found,) = answers(one, ArrayPictures(picture[None], "discs"), [0], ["discs"], batch=1)
        assert set(np.unique(found.mask)) == {0, 1} and found.classes == CLASSES
        assert found.objects.max() == 2
        assert match_objects(objects, found.objects).matches == 2


def test_without_seams_an_object_is_what_hangs_together() -> None:
    mask = (two_discs() > 0).astype(np.uint8)
    assert objects_of(mask, background=0).max() == 1
    apart = objects_of(mask, 0, inside=~touching(two_discs(), 2.0))
    assert apart.max() == 2 and np.array_equal(apart > 0, mask > 0)
    mask[:3] = 2
    assert objects_of(mask, background=0).max() == 2 and objects_of(mask, background=None).max() > 2


def test_too_large_a_picture_is_not_split(monkeypatch) -> None:
    monkeypatch.setattr(instances, "MOST_PIXELS", 100)
    assert objects_of(np.zeros((20, 20), np.uint8), 0) is None
