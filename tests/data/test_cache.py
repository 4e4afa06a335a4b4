import errno
import json
import os
import pickle
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hostile_pictures import Hostile
from PIL import Image
from skimage import data

from anmok.core.errors import DataError
from anmok.core.pictures import load_picture
from anmok.core.preparation import Preparation
from anmok.core.types import Dataset, Entry
from anmok.data import cache_folder, pixel_sources
from anmok.data.cache import build, fingerprint
from anmok.data.cache_folder import PixelCache
from anmok.data.decoding import DecodingPool
from anmok.data.stores import ArrayPictures, FilePictures

PREPARATION = Preparation(28, 32)


def dataset_of(pictures, locators, root=Path(), unit="files", ids=None):
    entries = [Entry(name, locator) for name, locator in zip(ids or map(str, locators), locators, strict=True)]
    return Dataset(root, "test", "classify", (), entries, pictures, seen=len(entries), unit=unit)


@pytest.fixture
def dataset(tmp_path):
    root = tmp_path / "pictures"
    root.mkdir()
    photo = data.astronaut()
    for number in range(12):
        Image.fromarray(np.roll(photo, 40 * number, axis=1)[:60, :90]).save(root / f"{number}.png")
    Image.fromarray(photo[:60, :90, 0]).save(root / "3.png")
    (root / "5.png").write_bytes(b"<html>not found</html>")
    (root / "8.png").write_bytes((root / "9.png").read_bytes()[:500])
    return dataset_of(FilePictures(root), [f"{number}.png" for number in range(12)], root)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def tree(root):
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in root.rglob("*") if path.is_file()}


def assert_right(built, dataset):
    assert built.bad_ids == {"5.png", "8.png"} and len(built.quarantined) == 2
    assert {bad.path for bad in built.quarantined} == built.bad_ids
    assert all(bad.reason and bad.fix for bad in built.quarantined)
    cleaned = dataset.without(built.quarantined, built.bad_ids)
    cleaned.account()
    pixels = built.source.gather(built.rows[::-1])
    assert pixels.shape == (10, 32, 32, 3) and pixels.dtype == np.uint8 and len(built.source) == 12
    for entry, found in zip(reversed(cleaned.entries), pixels, strict=True):
        assert (found == load_picture(dataset.root / entry.locator, PREPARATION).pixels).all()
    assert any("mixed" in warning and "1 grey, 9 colour" in warning for warning in built.warnings)


def test_decoded_once_then_mapped(dataset, folder):
    before, steps = tree(dataset.root), []
    first = build(dataset, PREPARATION, directory=folder, on_progress=lambda *step: steps.append(step))
    assert_right(first, dataset)
    assert (first.kind, first.reused) == ("cache", False) and steps[-1] == (12, 12)
    assert tree(dataset.root) == before
    again = build(dataset, PREPARATION, directory=folder)
    assert_right(again, dataset)
    assert again.reused and again.warnings == first.warnings
    assert not list(folder.glob("*partial*"))


def test_the_key_follows_content_and_pixel_settings(dataset):
    base = fingerprint(dataset, PREPARATION)
    same = Preparation(20, 32, mean=(0.1, 0.2, 0.3))
    assert fingerprint(dataset, same) == base
    others = [
        Preparation(28, 30),
        Preparation(28, 32, fit="squash"),
        Preparation(28, 32, interpolation="bicubic"),
        Preparation(28, 32, 1, mean=(0.5,), std=(1,)),
        Preparation(28, 32, fit="pad"),
        Preparation(28, 32, fit="pad", mean=(0, 0, 0)),
    ]
    keys = {base, *(fingerprint(dataset, other) for other in others)}
    keys.add(fingerprint(replace(dataset, entries=dataset.entries[::-1]), PREPARATION))
    path = dataset.root / "1.png"
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    keys.add(fingerprint(dataset, PREPARATION))
    path.unlink()
    keys.add(fingerprint(dataset, PREPARATION))
    assert len(keys) == 10


def test_beyond_the_limit_pictures_stream_and_bad_ones_are_known_first(dataset, folder):
    first = build(dataset, PREPARATION, directory=folder, limit=1000, workers=1)
    assert_right(first, dataset)
    assert first.kind == "stream" and any("limit" in warning for warning in first.warnings)
    again = build(dataset, PREPARATION, directory=folder, limit=1000, workers=1)
    assert_right(again, dataset)
    assert again.kind == "stream" and again.reused
    raised = build(dataset, PREPARATION, directory=folder, limit=10**6)
    assert_right(raised, dataset)
    assert raised.kind == "cache" and not raised.reused


def test_sources_pickle_cheaply_and_give_the_same(dataset, folder):
    for limit in (None, 1000):
        source = build(dataset, PREPARATION, directory=folder, limit=limit, workers=1).source
        frozen = pickle.dumps(source)
        assert len(frozen) < 2000
        assert (pickle.loads(frozen).gather(np.array([0, 11])) == source.gather(np.array([0, 11]))).all()


def test_a_picture_that_vanishes_while_streaming_is_named(dataset, folder):
    source = build(dataset, PREPARATION, directory=folder, limit=0, workers=1).source
    (dataset.root / "2.png").unlink()
    with pytest.raises(DataError, match=r"2\.png.*no such file"):
        source.gather(np.array([1, 2]))


def test_arrays_of_the_right_size_are_used_as_they_are(folder):
    array = np.random.default_rng(0).integers(0, 256, (9, 28, 28, 1), dtype=np.uint8)
    preparation = Preparation(28, 28, 1, mean=(0.5,), std=(0.5,))
    built = build(dataset_of(ArrayPictures(array, "d"), [4, 0, 8]), preparation, directory=folder)
    assert built.kind == "array" and not folder.exists()
    assert (built.source.gather(np.array([2, 0])) == array[[8, 4]]).all()
    whole = build(dataset_of(ArrayPictures(array, "d"), list(range(9))), preparation, directory=folder)
    assert np.shares_memory(whole.source.array, array)
    resized = build(dataset_of(ArrayPictures(array, "d"), [4, 99]), PREPARATION, directory=folder)
    assert resized.kind == "cache" and resized.bad_ids == {"99"} and resized.rows.tolist() == [0]


def test_rows_are_quarantined_by_table_and_line(dataset, folder):
    table = dataset_of(dataset.pictures, ["1.png", "5.png"], dataset.root, "rows", ["a.csv:2", "a.csv:3"])
    (bad,) = build(table, PREPARATION, directory=folder).quarantined
    assert (bad.path, bad.line) == ("a.csv", 3) and "5.png" in bad.reason and "HTML" in bad.reason


def test_no_pictures_at_all(folder):
    built = build(dataset_of(FilePictures(folder), []), PREPARATION, directory=folder)
    assert len(built.source) == 0 and built.rows.size == 0


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_crashes_are_not_tried_again_and_mended_pictures_are(folder, monkeypatch):
    hostile = dataset_of(Hostile(), ["a", "crash", "refuse", "b"])
    first = build(hostile, PREPARATION, directory=folder, workers=1)
    assert first.bad_ids == {"crash", "refuse"} and (first.source.gather(np.array([3])) == 1).all()
    tried = []
    real = DecodingPool.map
    monkeypatch.setattr(DecodingPool, "map", lambda self, locators: tried.extend(locators) or real(self, locators))
    again = build(hostile, PREPARATION, directory=folder, workers=1)
    assert again.reused and tried == ["refuse"] and again.bad_ids == first.bad_ids
    # A picture that is readable now, though its identity is the same: everything is decoded anew.
    about = next(folder.glob("*/about.json"))
    known = json.loads(about.read_text())
    known["bad"].append({"row": 0, "reason": "r", "fix": "f", "lost": False})
    about.write_text(json.dumps(known))
    mended = build(hostile, PREPARATION, directory=folder, workers=1)
    assert not mended.reused and mended.bad_ids == first.bad_ids


@pytest.mark.parametrize("damage", ["shorter", "no about", "torn about", "foreign about"])
def test_damaged_caches_are_built_again(dataset, folder, damage):
    build(dataset, PREPARATION, directory=folder)
    pixels, about = next(folder.glob("*/pixels.u8")), next(folder.glob("*/about.json"))
    if damage == "shorter":
        os.truncate(pixels, 100)
    elif damage == "no about":
        about.unlink()
    else:
        about.write_text(
            '{"bad": ' if damage == "torn about" else '{"bad": [{"line": 3}], "notes": {}, "channels": {}}'
        )
    again = build(dataset, PREPARATION, directory=folder)
    assert_right(again, dataset)
    assert not again.reused and not list(folder.glob("*partial*"))


@pytest.mark.skipif(os.name == "nt", reason="setrlimit")
def test_a_full_disk_falls_back_to_streaming_and_leaves_nothing(dataset, folder):
    # The kernel refuses to write more than the limit: a real failed write in the middle of the file.
    code = f"""
import resource, signal, sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]
from test_cache import *
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))
root = Path({str(dataset.root)!r})
dataset = dataset_of(FilePictures(root), [f"{{n}}.png" for n in range(12)], root)
built = build(dataset, PREPARATION, directory=Path({str(folder)!r}), workers=1)
assert built.kind == "stream" and any("File too large" in text for text in built.warnings), built.warnings
assert_right(built, dataset)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert [path.suffix for path in folder.iterdir()] == [".lock"]


@pytest.mark.parametrize("call", ["fsync", "rename", "mkdir", "replace-open"])
def test_every_step_of_writing_may_fail(dataset, folder, monkeypatch, call):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    if call == "fsync":
        monkeypatch.setattr(cache_folder.os, "fsync", full)
    elif call == "replace-open":
        monkeypatch.setattr(cache_folder, "exclusive", full)
    else:
        monkeypatch.setattr(Path, call, full)
    built = build(dataset, PREPARATION, directory=folder, workers=1)
    monkeypatch.undo()
    assert_right(built, dataset)
    assert built.kind == "stream" and any("No space left" in text for text in built.warnings)
    assert not list(folder.glob("*/*")) if folder.exists() else True


def test_two_processes_build_the_same_cache_once(dataset, folder, tmp_path):
    code = f"""
import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]
from test_cache import *
root = Path({str(dataset.root)!r})
dataset = dataset_of(FilePictures(root), [f"{{n}}.png" for n in range(12)], root)
built = build(dataset, PREPARATION, directory=Path({str(folder)!r}), workers=1)
assert_right(built, dataset)
print(built.kind, built.reused)
"""
    command = [sys.executable, "-c", code]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert said == ["cache False", "cache True"]
    assert len(list(folder.glob("*/pixels.u8"))) == 1 and not list(folder.glob("*partial*"))


def test_a_build_that_stands_still_is_not_waited_for(dataset, folder, monkeypatch):
    monkeypatch.setattr(cache_folder, "_STALLED", 0.3)
    cache, key = PixelCache(folder), fingerprint(dataset, PREPARATION)
    waits = []
    with cache.building(key, lambda: None):
        built = build(dataset, PREPARATION, directory=folder, on_progress=lambda *step: waits.append(step))
    assert_right(built, dataset)
    assert built.kind == "cache" and waits[0] == (0, 12)


def test_leftovers_of_a_killed_build_are_removed(dataset, folder):
    key = fingerprint(dataset, PREPARATION)
    for name in (f"{key}.partial-1-aa", "0123.partial-2-bb"):
        (folder / name).mkdir(parents=True)
        (folder / name / "pixels.u8").write_bytes(b"half")
    assert_right(build(dataset, PREPARATION, directory=folder), dataset)
    assert not list(folder.glob("*partial*"))


def test_the_least_recently_used_goes_first_and_nothing_in_use(dataset, folder):
    kept = []
    for store in (32, 33, 34, 35):
        built = build(dataset, Preparation(28, store), directory=folder)
        kept.append(built.source if store == 33 else None)
        about = folder / fingerprint(dataset, Preparation(28, store)) / "about.json"
        os.utime(about, (store, store))
    del built
    build(dataset, Preparation(28, 32), directory=folder)  # used again: now the newest
    PixelCache(folder, total=12 * 3 * (35**2 + 34**2) + 5000).evict(keep="")
    left = {store for store in (32, 33, 34, 35) if (folder / fingerprint(dataset, Preparation(28, store))).exists()}
    assert left == ({32, 33} if os.name != "nt" else left)
    assert kept[1].gather(np.array([0])).shape == (1, 33, 33, 3)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs /proc")
def test_memory_does_not_grow_with_what_was_read(tmp_path):
    path, shape = tmp_path / "pixels.u8", (6000, 64, 64, 1)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    pixels.tofile(path)  # 24.6 MB
    source = pixel_sources.FiledPixels(path, shape)
    rows = np.random.default_rng(1).permutation(6000)
    for start in range(0, 6000, 100):
        assert (source.gather(rows[start : start + 100]) == pixels[rows[start : start + 100]]).all()
    assert str(path) not in Path("/proc/self/smaps").read_text()


def test_a_cache_that_was_cut_short_is_told(tmp_path):
    path = tmp_path / "pixels.u8"
    np.zeros((10, 8, 8, 1), np.uint8).tofile(path)
    source = pixel_sources.FiledPixels(path, (10, 8, 8, 1))
    os.truncate(path, 9 * 64 + 10)
    assert len(source.gather(np.arange(9))) == 9
    with pytest.raises(DataError, match="cut short"):
        source.gather(np.array([9]))


def test_gather_from_many_threads(dataset, folder):
    for limit in (None, 0):
        source = build(dataset, PREPARATION, directory=folder, limit=limit, workers=2).source
        expected, wrong = source.gather(np.array([0, 1, 2])), []

        def check(source=source, expected=expected, wrong=wrong):
            for _ in range(5):
                if not (source.gather(np.array([0, 1, 2])) == expected).all():
                    wrong.append(1)

        threads = [threading.Thread(target=check) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_gets_workers_of_its_own(dataset, folder):
    source = build(dataset, PREPARATION, directory=folder, limit=0, workers=1).source
    expected = source.gather(np.array([0, 1]))
    child = os.fork()
    if not child:
        os._exit(0 if (source.gather(np.array([0, 1])) == expected).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (source.gather(np.array([0, 1])) == expected).all()


def test_the_cache_folder_is_chosen_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "mine"))
    assert cache_folder.cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("ANMOK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder.cache_folder() == tmp_path / "anmok" / "pixels"


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path):
    """Peak memory of building and reading 100,000 against 10,000 tiny pictures."""
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    peaks = []
    for count in (10_000, 100_000):
        code = f"""
import resource, sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]
from test_cache import *
entries = dataset_of(FilePictures(Path({str(tmp_path)!r})), ["a.png"] * {count}, ids=map(str, range({count})))
built = build(entries, Preparation(32, 32), directory=Path({str(tmp_path / "cache")!r}))
for start in range(0, {count}, 500): built.source.gather(np.arange(start, start + 500))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
        started = time.monotonic()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600)
        peaks.append(int(done.stdout))
        print(count, peaks[-1], time.monotonic() - started)
    assert peaks[1] - peaks[0] < 200_000  # kB, of 307,200 kB of pixels: entries, rows, and what is mapped at a time
