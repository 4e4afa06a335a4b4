"""The parser of all commands, which derives flags from the verbs' settings."""

from __future__ import annotations

from cyclopts import App, CycloptsError

import anmok
from anmok.cli import COMMANDS, complain

app = App(
    name="anmok",
    help="From a folder of pictures to a trained, measured, explained network, and a look inside it.",
    version=anmok.__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,  # `anmok.cli.run` says that it was stopped; cyclopts would end without a word
)
for _name, _help in COMMANDS.items():
    app.command(f"anmok.cli.commands:{_name}_command", name=_name, help=_help)


def parse_and_run(arguments: list[str]) -> int:
    """Run one command line and return its exit code. Raises `AnmokError` for what is no matter of its spelling."""
    try:
        result = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return complain(f"{_plain(error)} See: anmok {' '.join(arguments[:1])} --help", 2)
    return result if isinstance(result, int) else 0


def _plain(error: CycloptsError) -> str:
    """What a flag's settings model found wrong, else the parser's own sentence."""
    from pydantic import ValidationError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ValidationError):
            from anmok.verbs.setting import usage_error

            return str(usage_error(None, cause))
        cause = cause.__cause__
    return str(error)
