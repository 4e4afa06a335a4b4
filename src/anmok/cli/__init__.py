"""The command line. Commands and their flags are in `commands`, imported only when one of them is asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

import anmok

COMMANDS = {
    "demo": "the whole journey on bundled pictures, offline",
    "check": "what is this data, and what is wrong with it",
    "train": "learn from a folder of pictures",
    "eval": "measure a run, every figure with its interval",
    "predict": "answer for pictures",
    "explain": "why this answer, drawn over the picture",
    "inspect": "what a network is, layer by layer and as a drawing",
    "compare": "which network: structure, accuracy, cost on this machine",
}

app = App(
    name="anmok",
    help="From a folder of pictures to a trained, measured, explained network, and a look inside it.",
    version=anmok.__version__,
    help_format="plaintext",
)
for _name, _help in COMMANDS.items():
    app.command(f"anmok.cli.commands:{_name}_command", name=_name, help=_help)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point. Exit codes: 0 done, 1 findings or failure, 2 usage."""
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; errors are printed, not raised."""
    from anmok.core.errors import AnmokError, UsageError

    try:
        result = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        return result if isinstance(result, int) else 0
    except CycloptsError as error:
        return _complain(f"{_plain(error)} See: anmok {' '.join(arguments[:1])} --help", 2)
    except UsageError as error:
        return _complain(str(error), 2)
    except AnmokError as error:
        return _complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _complain("stopped", 130)
    except BrokenPipeError:  # the reader of our output went away, e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _plain(error: CycloptsError) -> str:
    """What a flag's settings model found wrong, else the parser's own sentence."""
    from pydantic import ValidationError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ValidationError):
            from anmok.verbs.settings import usage_error

            return str(usage_error(None, cause))
        cause = cause.__cause__
    return str(error)


def _complain(text: str, code: int) -> int:
    print(f"anmok: {text}", file=sys.stderr)
    return code
