"""The command line as a person meets it: exit codes, where output goes, what errors say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from anmok.cli import run
from tests.verbs.photographs import write_photographs


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("cli") / "photos", each=8)


@pytest.fixture(scope="module")
def trained(photographs: Path) -> Path:
    project = photographs.parent / "runs"
    assert run(["train", str(photographs), "--epochs", "2", "--imgsz", "32", "--project", str(project), "--quiet"]) == 0
    return project / "classify" / "photos"


def test_train_says_where_the_run_is(trained: Path) -> None:
    assert (trained / "report.html").exists()


def test_check_finds_nothing_wrong(photographs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(photographs), "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["classes"] == ["cat", "rocket", "커피"]
    assert found["accounts"]["files"] == {"seen": 24, "used": 24, "quarantined": 0, "skipped": 0}


def test_check_exits_1_on_findings_and_names_them(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    bad = photographs / "cat" / "bad.jpg"
    bad.write_text("<html></html>")
    try:
        assert run(["check", str(photographs)]) == 1
        told = capsys.readouterr().out
        assert "bad.jpg" in told and "written: runs/check/photos.html" in told
        assert "bad.jpg" in (tmp_path / "runs" / "check" / "photos.html").read_text()
        monkeypatch.chdir(photographs)
        assert run(["check", "."]) == 1 and not (photographs / "runs").exists()
    finally:
        bad.unlink()


def test_predict_prints_json_lines_and_exits_1_on_bad_files(
    trained: Path, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = str(next((photographs / "cat").glob("*.jpg")))
    assert run(["predict", str(trained), good, "--json", "--top", "2"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["id"] == good and {"label", "score"} <= row.keys()
    (tmp_path / "empty.jpg").touch()
    assert run(["predict", str(trained), good, str(tmp_path / "empty.jpg")]) == 1
    assert "empty.jpg" in capsys.readouterr().out


def test_eval_prints_every_class(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eval", str(trained)]) == 0
    text = capsys.readouterr().out
    assert "accuracy" in text and "커피" in text


def test_explain_writes_a_png(trained: Path, photographs: Path, tmp_path: Path) -> None:
    picture = str(next((photographs / "rocket").glob("*.png")))
    assert run(["explain", str(trained), picture, "--out", str(tmp_path / "why.png"), "--no-verdict"]) == 0
    assert (tmp_path / "why.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["train", "photos", "--epoch", "3"], 2, "--epochs"),
        (["trian"], 2, "train"),
        (["train", "photos", "--epochs", "0"], 2, "epochs"),
        (["train"], 2, "nothing to train on"),
        (["train", "/no/such/folder"], 1, "nothing is there"),
        (["predict", "/no/such/run", "x.jpg"], 2, "no run"),
    ],
)
def test_errors_say_what_to_do(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == code
    printed = capsys.readouterr()
    assert words in printed.err and "Traceback" not in printed.err and not printed.out
    assert not list(tmp_path.iterdir())


def test_ctrl_c_is_answered(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("anmok.verbs.inspect.inspect", interrupted)
    assert run(["inspect", "alexnet"]) == 130
    assert capsys.readouterr().err == "anmok: stopped\n"


def test_settings_come_from_a_file_and_flags_win(photographs: Path, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(f"data: {photographs}\nepochs: 3\nimgsz: 32\nproject: {tmp_path / 'runs'}\n", encoding="utf-8")
    assert run(["train", "--settings", str(file), "--epochs", "1", "--quiet"]) == 0
    rows = (tmp_path / "runs/classify/photos/results.csv").read_text().splitlines()
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epoch: 3", "epochs"),
        ("epochs: !!python/object/apply:os.system ['true']", "plain"),
        ("a: &a [1]\nepochs: *a", "alias"),
        ("- 1", "name: value"),
    ],
)
def test_settings_files_are_read_strictly(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    assert run(["train", "samples", "--settings", str(file)]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(("command", "code"), [("inspect efficientnet_lite0", 0), ("check samples --quiet", 1)])
def test_a_process_ends_without_complaints(command: str, code: int) -> None:
    """Nothing is said by libraries that are taken down: they are left as they stand, or in order."""
    told = subprocess.run(
        [sys.executable, "-m", "anmok", *command.split()], capture_output=True, text=True, timeout=300
    )
    assert told.stderr == "" and told.stdout and told.returncode == code


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no disk that is always full")
@pytest.mark.parametrize("command", ["--version", "inspect textbook_cnn"], ids=["at the end", "on the way"])
def test_words_that_cannot_be_written_are_missed(command: str) -> None:
    with open("/dev/full", "w") as full:
        told = subprocess.run(
            [sys.executable, "-m", "anmok", *command.split()], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert told.returncode == 1 and told.stderr == "anmok: writing failed: No space left on device\n"


def test_a_reader_who_has_gone_is_no_failure() -> None:
    """`anmok … | head -0`: the command ends as if it had been heard."""
    asked = subprocess.Popen(
        [sys.executable, "-m", "anmok", "inspect", "textbook_cnn"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert asked.stdout is not None and asked.stderr is not None
    asked.stdout.close()
    assert (asked.stderr.read(), asked.wait(timeout=60)) == (b"", 0)


@pytest.mark.parametrize("command", ["inspect textbook_cnn", "predict no_such_file.anmok pictures"])
def test_what_asked_to_be_told_of_the_end_is_told(command: str, tmp_path) -> None:
    """Threads end, then `atexit` is heard, though the process does not take its objects down."""
    program = (
        "import atexit, sys, threading, time, anmok.cli\n"
        "atexit.register(print, 'the end')\n"
        "main_thread = threading.main_thread()\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), main_thread.join(), print('a thread'))).start()\n"
        f"sys.argv[1:] = {command.split()!r}\n"
        "anmok.cli.main()"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert told.stdout.splitlines()[-2:] == ["a thread", "the end"], told.stderr
    assert told.returncode == (0 if command.startswith("inspect") else 1)


def test_numpys_threads_do_not_wait_by_turning_round_and_round() -> None:
    """The variable is read when NumPy is imported, so it must be set before."""
    program = (
        "import os, sys, anmok.cli\n"
        "assert 'numpy' not in sys.modules\n"
        "try: anmok.cli.main(['--version'])\n"
        "except SystemExit: print(os.environ['OPENBLAS_THREAD_TIMEOUT'])"
    )
    plain = {name: value for name, value in os.environ.items() if name != "OPENBLAS_THREAD_TIMEOUT"}
    for given, wanted in ({}, "4"), ({"OPENBLAS_THREAD_TIMEOUT": "20"}, "20"):
        told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=plain | given)
        assert told.stdout.split()[-1] == wanted, told.stderr
