"""Object metrics against torchmetrics' panoptic quality, a second AJI by loops, and hand-worked maps."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.detection import panoptic_quality as theirs

from anmok.core.errors import UsageError
from anmok.core.instances import numbered
from anmok.metrics import instances
from anmok.metrics.instances import Matched, match_objects


def drawn(seed, size=24, count=7):
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]

    def disks(centres):
        found = np.zeros((size, size), int)
        for number, (y, x, r) in enumerate(centres, start=1):
            found[np.hypot(rows - y, columns - x) < r] = number * 3
        return found

    centres = np.column_stack([generator.uniform(0, size, (count, 2)), generator.uniform(2, 5, count)])
    return disks(centres), disks(centres[1:] + generator.normal(0, 0.8, (count - 1, 3)))


def aggregated_by_loops(truth, given):
    """Kumar's algorithm 1, line by line."""
    common = joined = 0
    used = set()
    for number in np.unique(truth[truth > 0]):
        own = truth == number
        best, overlap = None, 0.0
        for other in np.unique(given[given > 0]):
            jaccard = (own & (given == other)).sum() / (own | (given == other)).sum()
            if jaccard > overlap:
                best, overlap = other, jaccard
        if best is None:
            joined += own.sum()
        else:
            common, joined = common + (own & (given == best)).sum(), joined + (own | (given == best)).sum()
            used.add(best)
    joined += sum((given == other).sum() for other in np.unique(given[given > 0]) if other not in used)
    return common / joined


def torch_pq(truth, given):
    """(height, width, 2): category and instance; category 1 are things, 0 is background and not judged."""
    pairs = [torch.tensor(np.stack([one > 0, one], -1).astype(np.int64))[None] for one in (given, truth)]
    return theirs(*pairs, things={1}, stuffs={0}, return_sq_and_rq=True, return_per_class=True)[0]


@pytest.mark.parametrize("seed", range(6))
def test_panoptic_quality_is_torchmetrics(seed):
    truth, given = drawn(seed)
    counts = match_objects(truth, given)
    ours = [instances.panoptic_quality(counts), instances.segmentation_quality(counts), instances.object_f1(counts)]
    np.testing.assert_allclose(ours, torch_pq(truth, given), atol=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_the_aggregated_index_by_loops(seed):
    truth, given = drawn(seed)
    assert instances.aggregated_jaccard(match_objects(truth, given)) == pytest.approx(aggregated_by_loops(truth, given))


def test_two_cells_run_together_fail_as_objects_though_every_pixel_is_right():
    truth = np.zeros((12, 22), int)
    truth[2:10, 2:11], truth[2:10, 11:20] = 1, 2
    merged = match_objects(truth, numbered(truth > 0))
    assert instances.object_f1(merged) == 0 and instances.panoptic_quality(merged) == 0
    assert instances.aggregated_jaccard(merged) == pytest.approx(72 * 2 / (144 * 2))
    apart = match_objects(truth, truth[::-1] * 5)
    assert instances.object_f1(apart) == 1 and instances.aggregated_jaccard(apart) == 1


def test_exactly_one_half_is_no_match():
    assert match_objects([[1, 1, 1, 0]], [[0, 1, 1, 1]]).matches == 0  # 2 / 4
    assert match_objects([[1, 1, 1]], [[0, 1, 1]]).matches == 1  # 2 / 3
    assert match_objects([[1, 1, 1]], [[0, 1, 1]], threshold=0.75).matches == 0


def test_without_objects():
    nothing, one = np.zeros((3, 3), int), np.eye(3, dtype=int)
    assert np.isnan(instances.panoptic_quality(match_objects(nothing, nothing)))
    assert np.isnan(instances.aggregated_jaccard(match_objects(nothing, nothing)))
    for truth, given in ((nothing, one), (one, nothing)):
        counts = match_objects(truth, given)
        assert instances.object_f1(counts) == 0 and instances.aggregated_jaccard(counts) == 0


def test_what_is_not_judged_is_held_against_nobody():
    truth = np.array([[1, 1, 0, 0, 0, 2, 2, 0]])
    given = np.array([[1, 1, 0, 3, 3, 2, 2, 2]])
    unjudged = np.array([[0, 0, 0, 1, 1, 0, 0, 1]], bool)
    counts = match_objects(truth, given, unjudged)
    assert counts.numbers.tolist() == [2, 2, 2, 2, 4, 4]
    assert match_objects(truth, given).answered == 3


def test_pictures_add_up():
    counts = [match_objects(*drawn(seed)) for seed in range(3)]
    together = Matched.of(sum(one.numbers for one in counts))
    assert together.answered == sum(one.answered for one in counts)
    f1 = 2 * sum(one.matches for one in counts) / sum(one.answered + one.present for one in counts)
    assert instances.object_f1(together) == pytest.approx(f1)


def test_errors():
    with pytest.raises(UsageError, match="whole numbers"):
        match_objects([[0.5]], [[1]])
    with pytest.raises(UsageError, match="differ in size"):
        match_objects([[1]], [[1, 1]])
    with pytest.raises(UsageError, match="could match two"):
        match_objects([[1]], [[1]], threshold=0.3)
