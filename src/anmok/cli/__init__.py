"""The command line. What each command needs is imported only when it is asked for: `anmok.cli.light` where a shipped
model answers, `anmok.cli.commands` and its parser for everything else."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys
import threading
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

SHIPPED = ".anmok"  # what the name of a shipped model ends with
COMMANDS = {
    "demo": "the whole journey on bundled pictures, offline",
    "check": "what is this data, and what is wrong with it",
    "train": "learn from a folder of pictures",
    "eval": "measure a run, every figure with its interval",
    "predict": "answer for pictures",
    "explain": "why this answer, drawn over the picture",
    "inspect": "what a network is, layer by layer and as a drawing",
    "compare": "which network: structure, accuracy, cost on this machine",
    "generate": "draw pictures from seeds: grids, walks, truncations, mixed styles",
    "export": "one file that answers without torch, written only if its answers equal the run's",
}

# Python looks for cycles after every 700 new objects, and now and then among all there are. PyTorch and a table of
# 70,000 pictures are a million objects that stay: looking through them took a second of a short run.
COLLECT_AFTER = 10_000  # objects

# NumPy's threads (OpenBLAS) wait for their next product by turning round and round, for 2^26 ticks of the processor's
# clock by default. That is nearly all the time between the small products of a search for copies: it cost three times
# its processor time, and whatever ran beside it waited (training on photographs took 11 in place of 10 s).
WAIT_FOR_PRODUCTS = 4  # 2^4 ticks: as good as not at all


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point. Exit codes: 0 done, 1 findings or failure, 2 usage.

    Args:
        arguments: None: those of this process, which ends with them.
    """
    gc.disable()  # see `settled`
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # what a command has to say it says itself, unless `--quiet`
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", str(WAIT_FOR_PRODUCTS))  # read when NumPy is imported
    code = run(sys.argv[1:] if arguments is None else list(arguments))
    if arguments is None:
        _leave(code)
    sys.exit(code)


def _leave(code: int) -> NoReturn:
    """End this process as Python does, threads first and then what asked to be told, but without taking down object
    after object: with PyTorch imported that takes half a second, and the system takes everything back at once."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads it any more
        pass
    except OSError as error:
        code = code or _unwritten(error)
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


def settled() -> None:
    """What this command needs is imported, and stays: from now on Python looks for cycles, and not among all that."""
    if not gc.isenabled():
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER)
        gc.enable()


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; errors are printed, not raised."""
    from anmok.core.errors import AnmokError

    try:
        return _run(arguments)
    except AnmokError as error:
        return complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        return complain("stopped", 130)
    except BrokenPipeError:  # the reader of our output went away, e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        return _unwritten(error)


def _unwritten(error: OSError) -> int:
    return complain(f"writing failed: {error.strerror}", 1)


def complain(text: str, code: int) -> int:
    """Say what went wrong and return the exit code."""
    print(f"anmok: {text}", file=sys.stderr)
    return code


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["predict"] and not {"--help", "-h"} & set(arguments):
        from anmok.cli import light

        settled()
        code = light.predict(arguments[1:])
        if code is not None:
            return code
    try:
        from anmok.cli.ahead import expect_pictures

        expect_pictures(arguments)
        from anmok.cli.parser import parse_and_run
    except ModuleNotFoundError as error:  # the small distribution, `anmok-runtime`, has no other command
        from anmok.cli import light

        return light.explain(arguments, error)
    return parse_and_run(arguments)
