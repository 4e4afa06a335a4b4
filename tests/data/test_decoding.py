import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hostile_pictures import Hostile, Unpicklable
from PIL import Image
from skimage import data

from anmok.core.errors import AnmokError, PictureError
from anmok.core.pictures import load_picture
from anmok.core.preparation import Preparation
from anmok.data.decoding import DecodingPool, decode_many
from anmok.data.stores import ArrayPictures, FilePictures

SMALL = Preparation(8, 8)
LIMIT = 60  # seconds: far above what any of these takes


def gone(pid):
    """Whether a process has ended; a zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until(condition):
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def folder(tmp_path):
    photo = data.astronaut()
    for number in range(30):
        Image.fromarray(np.roll(photo, 16 * number, axis=1)[:200, :300]).save(tmp_path / f"{number}.jpg")
    (tmp_path / "7.jpg").write_bytes(b"<html>")
    (tmp_path / "8.jpg").write_bytes((tmp_path / "9.jpg").read_bytes()[:-2])
    return tmp_path


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_in_order_and_as_the_one_decode_path_gives_them(folder, workers):
    locators = [f"{number}.jpg" for number in range(29, -1, -1)] + ["gone.jpg", "../out.jpg"]
    answers = list(decode_many(FilePictures(folder), locators, Preparation(32, 40), workers=workers))
    assert [answer.position for answer in answers] == list(range(32))
    for answer, locator in zip(answers, locators, strict=True):
        if locator in ("7.jpg", "gone.jpg", "../out.jpg"):
            assert isinstance(answer.pixels, PictureError) and answer.pixels.fix
        else:
            assert (answer.pixels == load_picture(folder / locator, Preparation(32, 40)).pixels).all()
            assert bool(answer.notes) == (locator == "8.jpg")


def test_without_preparation_pictures_keep_their_size(folder):
    with DecodingPool(FilePictures(folder), None, workers=1) as pool:
        (found,) = pool.map(["3.jpg"])
    assert found.pixels.shape == (200, 300, 3) and found.original_size == (200, 300)


def test_arrays_need_no_workers():
    array = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    with DecodingPool(ArrayPictures(array, "x"), SMALL, workers=4) as pool:
        assert not pool._workers
        assert all((found.pixels == array[row]).all() for found, row in zip(pool.map([4, 2]), [4, 2], strict=True))


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("workers", [1, 2])
def test_crashes_cost_the_picture_and_no_more(workers):
    locators = ["ok", "crash", "fine", "refuse", "good", "abort", "exit", "bug", "print", "last"] + ["many"] * 100
    found = [answer.pixels for answer in decode_many(Hostile(), locators, SMALL, workers=workers)]
    assert len(found) == len(locators)
    for position, word in ((1, "SIGSEGV"), (5, "SIGABRT"), (6, "exit code 7"), (7, "KeyError"), (3, "it is bad")):
        assert isinstance(found[position], PictureError) and word in str(found[position])
        assert found[position].path and found[position].fix
    assert (found[3].got, found[3].allowed, found[3].path) == ("this", "that", "bad.jpg")
    for position in {*range(len(locators))} - {1, 3, 5, 6, 7}:
        assert (found[position] == len(locators[position])).all()


def test_a_stalled_decoder_is_given_up():
    started = time.monotonic()
    locators = ["ok", "hang", "fine", *["many"] * 20]
    found = [answer.pixels for answer in decode_many(Hostile(), locators, SMALL, workers=2, timeout=0.5)]
    assert time.monotonic() - started < LIMIT / 2
    assert "longer than 0.5 s" in str(found[1])
    assert not any(isinstance(pixels, PictureError) for pixels in found[:1] + found[2:])


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_worker_killed_from_outside_costs_nothing(tmp_path):
    locators = ["ok", f"kill-once {tmp_path / 'mark'}", "fine"]
    found = [answer.pixels for answer in decode_many(Hostile(), locators, SMALL, workers=1)]
    assert (tmp_path / "mark").exists()
    assert not any(isinstance(pixels, PictureError) for pixels in found)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("ending", ["close", "kill"])
def test_no_worker_outlives_the_parent(tmp_path, ending):
    note = tmp_path / "pid"
    code = f"""
import signal, sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start without it
from hostile_pictures import Hostile
from anmok.data.decoding import decode_many
from anmok.core.preparation import Preparation
next(decode_many(Hostile(), ["pid {note}"], Preparation(8, 8), workers=1, timeout=50))
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    wait_until(lambda: note.exists() and note.read_text())
    worker = int(note.read_text())
    parent.send_signal(signal.SIGKILL if ending == "kill" else signal.SIGINT)
    parent.wait(LIMIT)
    wait_until(lambda: gone(worker))


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_leaving_early_ends_the_workers():
    answers = decode_many(Hostile(), ["ok"] * 1000, SMALL, workers=2)
    next(answers)
    pool = answers.gi_frame.f_locals["pool"]
    running = [worker._process.pid for worker in pool._workers if worker._process]
    assert running
    answers.close()
    assert all(gone(pid) for pid in running)


def test_decoding_stays_a_bounded_number_ahead():
    asked = []

    class Counted(list):
        def __getitem__(self, part):
            asked.append(part.stop)
            return list(self)[part]

    with DecodingPool(Hostile(), Preparation(256, 256), workers=2) as pool:
        answers = pool.map(Counted(["ok"] * 2000))
        for _ in range(50):
            next(answers)
        assert max(asked) < 300
        answers.close()


def test_a_store_that_workers_cannot_have_is_one_clear_error():
    with pytest.raises(AnmokError, match="no such store here"):
        list(decode_many(Unpicklable(), ["ok"], SMALL, workers=1))


def test_workers_that_cannot_start_are_one_clear_error(monkeypatch):
    monkeypatch.setattr("anmok.core.child._BOOT", "raise SystemExit(3)")
    with pytest.raises(AnmokError, match=r"do not start.*exit code 3"):
        list(decode_many(Hostile(), ["ok"], SMALL, workers=1))


def test_workers_import_neither_torch_nor_the_callers_script(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]
print("imported")
from hostile_pictures import Hostile
from anmok.data.decoding import decode_many
from anmok.core.preparation import Preparation
print(len(list(decode_many(Hostile(), ["ok"] * 3, Preparation(8, 8), workers=2))))
"""
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=LIMIT, check=True)
    assert done.stdout.split() == ["imported", "3"]
    import torch  # noqa: F401  the parent has it

    (answer,) = decode_many(Hostile(), ["torch"], SMALL, workers=1)
    assert not answer.pixels.any()
