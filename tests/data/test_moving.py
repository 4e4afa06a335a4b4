"""Pictures, masks and boxes go the same way: boxes against drawn masks, copies against sampling, samples by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import AffineTransform, warp

from anmok.core.errors import UsageError
from anmok.core.regions import Polygons, RunLengths
from anmok.core.seeds import numpy_generator
from anmok.core.targets import Objects
from anmok.data.augment import Augment
from anmok.data.mosaic import drawn
from anmok.data.moved_objects import LEAST_VISIBLE, moved_boxes
from anmok.data.moving import Moves

STORE, SIZE, FILL, FINE = 48, 40, 200, 4
HERE = np.eye(2, 3)  # originals are stored as they are

augments = st.builds(
    Augment,
    flip=st.booleans(),
    flip_vertical=st.booleans(),
    rotate=st.sampled_from([0, 15, 180]),
    shift=st.sampled_from([0, 0.1, 0.4]),
    crop=st.sampled_from([1, 0.6]),
    expand=st.sampled_from([1, 1.8]),
    stretch=st.sampled_from([0, 0.3]),
    mosaic=st.sampled_from([0, 0.5, 1]),
)
seeds = st.integers(0, 2**32 - 1)


def moved(augment: Augment, seed: int, n: int = 3) -> tuple[np.ndarray, Moves]:
    rows = np.arange(5)
    return drawn(augment, rows[:n], rows, 0, (STORE, SIZE), numpy_generator(seed, "moves"))


def rectangles(seed: int) -> tuple[list[Objects], np.ndarray]:
    """One object a picture, 8 pixels wide and high at least, and the same drawn as a mask, ids 1 to 5."""
    random, masks, objects = np.random.default_rng(seed), np.zeros((5, STORE, STORE), np.uint8), []
    for k in range(5):
        left, top = random.integers(0, STORE - 8, 2)
        right, bottom = random.integers(left + 8, STORE + 1), random.integers(top + 8, STORE + 1)
        masks[k, top:bottom, left:right] = k + 1
        objects.append(Objects([[left, top, right, bottom]], [k]))
    return objects, masks


def finer(moves: Moves) -> Moves:
    """The same canvases in quarters of pixels: thin tips of turned and cut boxes hold no whole pixel's centre."""
    look = moves.look / np.array([FINE, FINE, 1])
    return replace(moves, size=moves.size * FINE, area=moves.area * FINE, look=look, bend=None)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(augments, seeds)
def test_a_box_drawn_as_a_mask_and_moved_is_the_box_moved(augment, seed):
    objects, masks = rectangles(seed)
    shown, moves = moved(augment, seed)
    found = moves.objects([objects[k] for k in shown], [HERE] * len(shown))
    ids = finer(moves).masks(masks[shown], FILL)
    for canvas, (mask, boxes) in enumerate(zip(ids, found, strict=True)):
        on_canvas = moves.source[moves.canvas == canvas]
        for label in {int(k) for k in shown[on_canvas]}:
            if (shown[on_canvas] == label).sum() > 1:
                continue  # a mosaic showed this picture twice
            rows, columns = np.nonzero(mask == label + 1)
            (box,) = boxes["boxes"][boxes["labels"] == label].tolist() or [None]
            around = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] if len(rows) else [0] * 4)
            if box is None:
                patch = np.flatnonzero((moves.canvas == canvas) & (shown[moves.source] == label))[0]
                left, top, right, bottom = objects[label].boxes[0]
                corners = np.array([[left, right, right, left], [top, top, bottom, bottom]]) - moves.look[patch][:, 2:]
                width, height = np.ptp(np.linalg.solve(moves.look[patch][:, :2], corners), axis=1)
                seen = (around[2:] - around[:2]).prod() / FINE**2
                assert seen <= LEAST_VISIBLE * width * height + max(width, height) / FINE
                continue
            assert min(box) >= 0 and max(box) <= SIZE
            if len(rows):
                assert np.abs(around / FINE - box).max() < 1
            else:
                assert min(box[2] - box[0], box[3] - box[1]) < 1


@settings(max_examples=60, deadline=None, derandomize=True)
@given(augments, st.sampled_from([0, 0.05]), seeds)
def test_masks_hold_only_ids_that_were_there_and_the_fill(augment, elastic, seed):
    masks = np.random.default_rng(seed).choice([0, 3, 17, 255], (5, STORE, STORE)).astype(np.uint8)
    shown, moves = moved(augment.but(elastic=elastic), seed)
    assert set(np.unique(moves.masks(masks[shown], FILL))) <= {0, 3, 17, 255, FILL}
    instances = masks.astype(np.uint16) * 1000 % 65521
    assert set(np.unique(moves.masks(instances[shown], 0))) <= set(np.unique(instances)) | {0}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(augments, st.sampled_from([0, 0.05]), seeds)
def test_pictures_and_masks_show_the_same(augment, elastic, seed):
    """Where a pixel's four neighbours agree, interpolation is none: picture and mask of the same values are equal."""
    coarse = np.random.default_rng(seed).integers(0, 200, (5, 4, 4), dtype=np.uint8)
    values = coarse.repeat(12, 1).repeat(12, 2)
    shown, moves = moved(augment.but(elastic=elastic), seed)
    picture = moves.pictures(values[shown][..., None], (FILL,))[..., 0].astype(int)
    mask = moves.masks(values[shown], FILL).astype(int)
    assert (picture == mask).mean() > 0.35
    reach = 4 if elastic else 2  # pixels between two of the original: elastic moves stretch a place here and there
    wide = np.pad(mask, ((0, 0), (reach, reach), (reach, reach)), mode="edge")
    views = [wide[:, y : y + SIZE, x : x + SIZE] for y in range(2 * reach + 1) for x in range(2 * reach + 1)]
    low, high = np.min(views, 0), np.max(views, 0)
    if not augment.mosaic:  # at a mosaic's seams the neighbours on the canvas are not those in the picture
        assert ((picture >= low - 1) & (picture <= high + 1))[:, reach:-reach, reach:-reach].all()


def test_copying_and_sampling_agree(monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (5, STORE, STORE, 3), dtype=np.uint8)
    for augment in (Augment(flip=True), Augment(flip_vertical=True, shift=0.3), Augment(flip=True, shift=0.5)):
        shown, moves = moved(augment, 4, 5)
        copied = moves.pictures(pixels[shown], (1, 2, 3)), moves.masks(pixels[shown][..., 0], 9)
        assert moves._copies
        monkeypatch.setattr(Moves, "_copies", False)
        sampled = moves.pictures(pixels[shown], (1, 2, 3)), moves.masks(pixels[shown][..., 0], 9)
        monkeypatch.undo()
        assert np.array_equal(copied[0], sampled[0]) and np.array_equal(copied[1], sampled[1])


@pytest.mark.parametrize("border", [None, (0,)])
def test_sampling_agrees_with_scikit_image(border):
    coarse = np.random.default_rng(0).integers(0, 256, (6, 6)).astype(float)
    smooth = warp(coarse, AffineTransform(scale=5 / (STORE - 1)), output_shape=(STORE, STORE), order=1, mode="edge")
    turn = AffineTransform(scale=0.8, rotation=0.4, translation=(9, -5))  # canvas → stored, from corners
    moves = Moves.whole(turn.params[None, :2], SIZE)
    ours = moves.pictures(smooth.round().astype(np.uint8)[None, ..., None], border)[0, ..., 0]
    centred = AffineTransform(translation=(0.5, 0.5)) + turn + AffineTransform(translation=(-0.5, -0.5))
    how = {"mode": "edge"} if border is None else {"mode": "constant", "cval": 0}
    theirs = warp(smooth.round(), centred, output_shape=(SIZE, SIZE), order=1, **how)
    assert np.abs(ours - theirs).max() <= 1


def test_a_bent_grid_moves_as_u_net_says():
    """Nine displacements, bicubically in between: normal, of the deviation asked for, and smooth."""
    augment = Augment(elastic=0.1)
    bend = np.concatenate([moved(augment, seed, 5)[1].bend for seed in range(40)])
    assert bend.shape == (200, 2, SIZE, SIZE)
    corner = bend[:, :, 0, 0].ravel()
    assert abs(corner.std() - 0.1 * STORE) < 0.05 * STORE and abs(corner.mean()) < 0.03 * STORE
    assert np.abs(np.diff(bend, axis=3)).max() < 6 * 0.1 * STORE / (SIZE / 2) * 2
    with pytest.raises(UsageError, match="elastic"):
        moved(augment, 0)[1].objects([Objects.none()] * 3, [HERE] * 3)


def test_visible_parts_by_hand():
    """A square turned by 45 degrees around the corner of the canvas: a quarter of it is visible, a small triangle."""
    root = np.sqrt(0.5)
    turn = np.array([[root, -root, 0], [root, root, 0]])
    whole, visible = moved_boxes(np.array([[-1, -1, 1, 1]]), turn, (0, 0, 10, 10))
    assert np.allclose(whole, [[-np.sqrt(2), -np.sqrt(2), np.sqrt(2), np.sqrt(2)]])
    assert np.allclose(visible, [[0, 0, np.sqrt(2), np.sqrt(2)]])
    _, seen = moved_boxes(np.array([[-50, -50, 50, 50], [100, 100, 101, 101]]), turn, (0, 0, 10, 10))
    assert np.allclose(seen[0], [0, 0, 10, 10]) and np.allclose(seen[1], 0)


def test_objects_leave_by_the_stated_rule_and_take_everything_with_them():
    crowd = Objects([[0, 0, 10, 10], [0, 0, 10, 10]], [1, 2], crowd=[True, False], difficult=[False, True])
    for shift, stays in ((8.9, True), (9.1, False)):  # 11 % and 9 % remain
        look = np.array([[[1.0, 0, shift], [0, 1, 0]]])
        (found,) = Moves.whole(look, SIZE).objects([crowd], [HERE])
        assert found["labels"].tolist() == ([1, 2] if stays else [])
        assert found["crowd"].tolist() == ([True, False] if stays else [])
        assert found["difficult"].tolist() == ([False, True] if stays else [])
        assert found["boxes"].dtype == np.float32 and found["boxes"].shape == (2 * stays, 4)


def test_regions_are_drawn_in_their_new_place_and_tighten_boxes():
    triangle = Polygons(([0, 0, 20, 0, 0, 20],))
    one = Objects([[0, 0, 20, 20]], [0], (triangle,))
    look = np.array([[[1.0, 0, 10], [0, 1, 0]]])  # ten columns leave on the left: what remains is ten high
    (found,) = Moves.whole(look, SIZE).objects([one], [HERE], draw=True)
    assert np.abs(found["boxes"] - [[0, 0, 10, 10]]).max() <= 1
    assert abs(int(found["masks"].sum()) - 50) <= 10 and found["masks"].shape == (1, SIZE, SIZE)
    runs = Objects([[0, 0, 20, 20]], [0], (RunLengths.of(triangle.draw((STORE, STORE))),))
    (same,) = Moves.whole(look, SIZE).objects([runs], [HERE], draw=True)
    assert (same["masks"] != found["masks"]).sum() <= 20
    with pytest.raises(UsageError, match="no region"):
        Moves.whole(look, SIZE).objects([Objects([[10, 0, 20, 20]], [0])], [HERE], draw=True)


def test_a_mosaic_covers_its_canvas_with_four_pictures():
    values = np.arange(1, 6, dtype=np.uint8)[:, None, None] * np.ones((1, STORE, STORE), np.uint8)
    shown, moves = moved(Augment(mosaic=1.0), 3)
    assert len(shown) == 3 + 9 and list(shown[:3]) == [0, 1, 2]
    covered = np.zeros((3, SIZE, SIZE), int)
    for canvas, (left, top, right, bottom) in zip(moves.canvas, moves.area, strict=True):
        covered[canvas, top:bottom, left:right] += 1
    assert (covered == 1).all()
    ids = moves.masks(values[shown], FILL)
    for canvas in range(3):
        expected = set(values[shown[moves.source[moves.canvas == canvas]]][:, 0, 0].tolist())
        assert canvas + 1 in expected and set(np.unique(ids[canvas])) - {FILL} <= expected
