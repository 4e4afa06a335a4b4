"""The command line. What each command needs is imported only when it is asked for: `anmok.cli.light` where a shipped
model answers, `anmok.cli.commands` and its parser for everything else."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice

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

_DECODING = ("train", "eval", "check")  # commands that decode folders of pictures, once torch is imported
_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
_DEEP, _LOOKED_AT = 3, 50  # folders in each other, names in each

# Python looks for cycles after every 700 new objects, and now and then among all there are. PyTorch and a table of
# 70,000 pictures are a million objects that stay: looking through them took a second of a short run, and another at its
# end.
COLLECT_AFTER = 10_000  # objects


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point. Exit codes: 0 done, 1 findings or failure, 2 usage."""
    gc.set_threshold(COLLECT_AFTER)
    code = run(sys.argv[1:] if arguments is None else list(arguments))
    if "triton" not in sys.modules:  # its binding complains of every object of its own that is left
        gc.freeze()  # the process ends here: whatever is left goes back to the system at once
    sys.exit(code)


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


def complain(text: str, code: int) -> int:
    """Say what went wrong and return the exit code."""
    print(f"anmok: {text}", file=sys.stderr)
    return code


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["predict"] and not {"--help", "-h"} & set(arguments):
        from anmok.cli import light

        code = light.predict(arguments[1:])
        if code is not None:
            return code
    _expect_pictures(arguments)
    try:
        from anmok.cli.parser import parse_and_run
    except ModuleNotFoundError as error:  # the small distribution, `anmok-runtime`, has no other command
        from anmok.cli import light

        return light.explain(arguments, error)
    return parse_and_run(arguments)


def _expect_pictures(arguments: list[str]) -> None:
    """Start the workers that will decode where the command is likely to want them: importing torch takes seconds of one
    processor, starting workers a third of one on another."""
    if arguments[:1] and arguments[0] in _DECODING and any(map(_holds_pictures, arguments[1:])):
        from anmok.core.child import start_ahead
        from anmok.core.processor import processors

        if processors() > 1:
            start_ahead("anmok.data.decoding_worker", processors())


def _holds_pictures(word: str) -> bool:
    """Whether this is a folder with pictures, or with folders of pictures; a guess by the first names will do."""
    folder: str | None = word if not word.startswith("-") else None
    for _ in range(_DEEP):
        if folder is None or not os.path.isdir(folder):  # noqa: PTH112
            return False
        with suppress(OSError), os.scandir(folder) as items:
            folder = None
            for item in islice(items, _LOOKED_AT):
                if item.name.lower().endswith(_PICTURES):
                    return True
                folder = item.path if item.is_dir() else folder
    return False
