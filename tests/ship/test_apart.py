"""An engine in a process of its own answers as one in this process does, and its end costs nobody else anything."""

import gc
import io
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from anmok.core import child
from anmok.core.errors import UsageError
from anmok.ship.apart import Apart, EngineLostError, Room, _receive, _send, start_engine_ahead
from anmok.ship.artefact import INPUT
from anmok.ship.careful import Careful
from anmok.ship.engines import onnxruntime_engine

MAKER = "anmok.ship.engines:onnxruntime_engine"


def share_from(size, monkeypatch):
    """Outputs of so many bytes come back in shared memory: here and in processes started from now on."""
    monkeypatch.setattr("anmok.ship.apart._LARGE", size)
    there = f"; import anmok.ship.apart as apart; apart._LARGE = {size}; import_module("
    monkeypatch.setattr("anmok.core.child._BOOT", child._BOOT.replace("; import_module(", there))


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), dtype=np.uint8)


def test_it_answers_as_here_and_ends_with_its_object(artefact, pixels):
    here, apart = onnxruntime_engine(artefact.graph), Apart(MAKER, artefact.graph, "float32")
    assert apart.label == here.label
    for part in (pixels, pixels[:1], pixels[::2]):  # the last is not contiguous
        assert np.array_equal(apart.run({INPUT: part})["logits"], here.run({INPUT: part})["logits"])
    process = apart._process
    del apart
    gc.collect()
    assert process.poll() is not None


@pytest.mark.parametrize("first", ["anmok.ship.engines:installed", "no.such.module:function"])
def test_a_process_started_ahead_is_the_one_that_computes(artefact, pixels, first):
    start_engine_ahead(first)
    (waiting,) = child._ahead["anmok.ship.apart"]
    engine = Apart(MAKER, artefact.graph, "float32")
    assert engine._process is waiting
    here = onnxruntime_engine(artefact.graph)
    assert np.array_equal(engine.run({INPUT: pixels})["logits"], here.run({INPUT: pixels})["logits"])


@pytest.mark.parametrize("large", [0, 1 << 40], ids=["in shared memory", "by pipe"])
def test_several_threads_ask_and_each_has_its_own_answer(artefact, pixels, monkeypatch, large):
    share_from(large, monkeypatch)
    here, apart = onnxruntime_engine(artefact.graph), Apart(MAKER, artefact.graph, "float32")
    asked = [pixels[start : start + many] for start in range(6) for many in (1, 2, 3)] * 10
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda part: apart.run({INPUT: part})["logits"], asked))
    for part, logits in zip(asked, found, strict=True):
        assert np.array_equal(logits, here.run({INPUT: part})["logits"])


def test_two_questions_are_under_way_and_a_third_waits(artefact, pixels):
    apart = Apart(MAKER, artefact.graph, "float32")
    os.kill(apart._process.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(3) as threads:
        found = [threads.submit(apart.run, {INPUT: pixels[:1]}) for _ in range(3)]
        end = time.monotonic() + 20
        while apart._under_way._value and time.monotonic() < end:
            time.sleep(0.01)
        assert not any(answer.done() for answer in found)
        os.kill(apart._process.pid, signal.SIGCONT)
        assert len({answer.result(timeout=20)["logits"].tobytes() for answer in found}) == 1


def test_whoever_waits_when_the_process_ends_is_told(artefact, pixels):
    apart = Apart(MAKER, artefact.graph, "float32")
    os.kill(apart._process.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(3) as threads:
        found = [threads.submit(apart.run, {INPUT: pixels[:1]}) for _ in range(3)]
        time.sleep(0.2)
        apart._process.kill()
        for answer in found:
            with pytest.raises(EngineLostError):
                answer.result(timeout=20)


@pytest.mark.parametrize("large", [0, 1 << 40], ids=["in shared memory", "by pipe"])
def test_outputs_come_back_either_way_and_stay(artefact, pixels, monkeypatch, large):
    """An answer is not overwritten by the next one, which may be larger or smaller."""
    share_from(large, monkeypatch)
    here, apart = onnxruntime_engine(artefact.graph), Apart(MAKER, artefact.graph, "float32")
    parts = (pixels[:1], pixels, pixels[3:5])
    found = [apart.run({INPUT: part})["logits"] for part in parts]
    for part, logits in zip(parts, found, strict=True):
        assert np.array_equal(logits, here.run({INPUT: part})["logits"])
    shared = [len(room._seen) > 1 for room in apart._rooms if room is not None]
    assert not shared or set(shared) == {large == 0}


def test_arrays_of_several_kinds_share_the_room():
    room = Room.new()
    if room is None:
        pytest.skip("this system has no files in memory")
    arrays = {"a": np.arange(7, dtype=np.float32), "b": np.zeros((0, 4), np.int64), "c": np.arange(300_000.0)}
    pipe = io.BytesIO()
    _send(pipe, {"said": 1}, arrays, room)
    assert len(pipe.getvalue()) < 1000
    pipe.seek(0)
    there = Room.of(os.getpid(), room.number)  # as another process finds it
    assert there is not None
    note, found = _receive(pipe, there)
    assert note == {"said": 1} and list(found) == list(arrays)
    for name, values in arrays.items():
        assert found[name].dtype == values.dtype and np.array_equal(found[name], values)
    os.close(there.number)
    os.close(room.number)
    assert Room.of(os.getpid(), room.number) is None and Room.of(os.getpid(), None) is None


def test_it_outlives_the_thread_that_started_it(artefact, pixels):
    with ThreadPoolExecutor(1) as threads:
        engine = threads.submit(Apart, MAKER, artefact.graph, "float32").result()
    assert np.array_equal(
        engine.run({INPUT: pixels})["logits"], onnxruntime_engine(artefact.graph).run({INPUT: pixels})["logits"]
    )


def test_the_answer_to_an_interrupted_question_is_nobody_elses(artefact, pixels, monkeypatch):
    apart = Apart(MAKER, artefact.graph, "float32")

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("anmok.ship.apart._receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            apart.run({INPUT: pixels[:1]})
    with pytest.raises(EngineLostError):
        apart.run({INPUT: pixels[1:3]})


def test_an_answer_that_does_not_come_is_not_waited_for(artefact, pixels, monkeypatch):
    engine = Apart(MAKER, artefact.graph, "float32")
    monkeypatch.setattr("anmok.ship.apart._PATIENCE", 0.2)
    os.kill(engine._process.pid, signal.SIGSTOP)
    with pytest.raises(EngineLostError, match="-9"):
        engine.run({INPUT: pixels})


def test_what_it_refuses_there_is_refused_here(artefact):
    with pytest.raises(UsageError, match="computes in float32"):
        Apart(MAKER, artefact.graph, "bf16")


def test_the_exact_engine_goes_on_where_the_fast_one_is_lost(artefact, pixels):
    exact, apart = onnxruntime_engine(artefact.graph), Apart(MAKER, artefact.graph, "float32")
    careful = Careful(apart, exact, lambda outputs: np.zeros(len(outputs["logits"]), bool))
    expected = careful.run({INPUT: pixels})["logits"]
    os.kill(apart._process.pid, signal.SIGKILL)
    for _ in range(2):
        assert np.array_equal(careful.run({INPUT: pixels})["logits"], expected)
    with pytest.raises(EngineLostError, match="-9"):
        apart.run({INPUT: pixels})


SIGNALS = """
import gc, os, signal, sys, time
import numpy as np, torch
from torch.utils.data import DataLoader
from anmok.ship.artefact import read_artefact
from anmok.ship.engines import openvino_engine
graph = read_artefact(sys.argv[1]).graph
engines = [openvino_engine(graph, "float32")]
try:
    engines.append(openvino_engine(graph, "bf16"))
except Exception as error:
    print("no bf16:", error)
for engine in engines:
    engine.run({"pictures": np.zeros((9, 32, 32, 3), np.uint8)})
handled = []
signal.signal(signal.SIGUSR1, lambda *_: handled.append(1))
for _ in range(4):
    os.kill(os.getpid(), signal.SIGUSR1)
    for _ in DataLoader(list(range(64)), batch_size=4, num_workers=2):
        pass
    gc.collect()
print("handled", len(handled))
"""


@pytest.mark.slow
def test_signals_are_survived_after_bf16(shipped):
    """Computed in this very process, bf16 ended it with a segmentation fault about here, on a processor with AMX."""
    pytest.importorskip("openvino")
    found = subprocess.run([sys.executable, "-c", SIGNALS, str(shipped)], capture_output=True, text=True)
    assert found.returncode == 0 and "handled 4" in found.stdout, found.stderr
