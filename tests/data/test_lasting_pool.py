"""Workers wait for the next question of the same kind, and for no other, and not for ever."""

import time

import numpy as np
import pytest
from PIL import Image

from anmok.core.pictures import load_picture
from anmok.core.preparation import Preparation
from anmok.core.seen import Seen
from anmok.data import lasting_pool as room
from anmok.data.lasting_pool import lasting_pool
from anmok.data.stores import ArrayPictures, PathPictures

SEEN = Seen(Preparation(8, 8))


@pytest.fixture(autouse=True)
def nothing_waits_before_or_after():
    room._WAITING.end()
    yield
    room._WAITING.end()


@pytest.fixture
def picture(tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (12, 9, 3), np.uint8)).save(tmp_path / "a.png")
    return str(tmp_path / "a.png")


def asked(picture, seen=SEEN):
    """The pool that was used, and the pixels it gave."""
    with lasting_pool(PathPictures(), seen) as pool:
        (found,) = pool.map([picture])
    return pool, found.pixels


def alive(pool):
    return sum(worker._process is not None and worker._process.poll() is None for worker in pool._workers)


def test_the_same_workers_answer_the_next_question(picture):
    first, pixels = asked(picture)
    assert alive(first) == 1, "one picture needs one worker"
    second, again = asked(picture)
    assert second is first and alive(first) == 1
    assert (pixels == load_picture(picture, SEEN.preparation).pixels).all() and (again == pixels).all()


def test_a_file_that_changed_is_read_anew(picture):
    _, before = asked(picture)
    Image.new("RGB", (12, 9), "white").save(picture)
    _, after = asked(picture)
    assert (after[4] == 255).all() and not (before[4] == 255).all()


def test_another_preparation_takes_another_pool_and_the_former_ends(picture):
    first, _ = asked(picture)
    second, pixels = asked(picture, Seen(Preparation(6, 6)))
    assert second is not first and pixels.shape == (6, 6, 3)
    assert not first._workers and alive(second) == 1


def test_two_at_once_have_a_pool_each(picture):
    with lasting_pool(PathPictures(), SEEN) as one, lasting_pool(PathPictures(), SEEN) as other:
        assert one is not other
        assert len(list(one.map([picture]))) == len(list(other.map([picture]))) == 1


def test_workers_end_where_the_reader_left(picture):
    with pytest.raises(KeyboardInterrupt), lasting_pool(PathPictures(), SEEN) as pool:
        next(pool.map([picture] * 40))
        raise KeyboardInterrupt
    assert not pool._workers and room._WAITING.take(b"") is None


def test_workers_do_not_wait_for_ever(picture, monkeypatch):
    monkeypatch.setattr(room, "IDLE", 0.05)
    pool, _ = asked(picture)
    end = time.monotonic() + 30
    while pool._workers and time.monotonic() < end:
        time.sleep(0.01)
    assert not pool._workers
    assert asked(picture)[0] is not pool


def test_arrays_are_not_compared():
    pixels = np.zeros((2, 8, 8, 3), np.uint8)
    with lasting_pool(ArrayPictures(pixels, "two"), SEEN) as pool:
        assert len(list(pool.map([0, 1]))) == 2
    with lasting_pool(ArrayPictures(pixels, "two"), SEEN) as other:
        assert other is not pool
