"""Errors that answer four questions: where, what arrived, what is allowed, what to try."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

_LISTED = 60  # names that are all told; of more, those that are most alike


class AnmokError(Exception):
    """A failure the person at the keyboard can act on; the command line prints it without a traceback.

    Args:
        what: what went wrong, one sentence without its full stop.
        path: the file or folder concerned.
        line: line (or row) in `path`, counted from 1.
        got: what arrived.
        allowed: what would have been accepted.
        fix: what to try next.
    """

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        path: str | Path | None = None,
        line: int | None = None,
        got: object = None,
        allowed: object = None,
        fix: str | None = None,
    ) -> None:
        self.what, self.path, self.line = what, None if path is None else str(path), line
        self.got, self.allowed, self.fix = got, allowed, fix
        super().__init__(self._sentence())

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (decoding workers); keyword-only arguments need naming again.
        return _rebuild, (type(self), self.what, self.path, self.line, self.got, self.allowed, self.fix)

    @property
    def brief(self) -> str:
        """What went wrong and what to try, for a row that names the file already."""
        return f"{self.what}; try: {self.fix}" if self.fix else self.what

    def _sentence(self) -> str:
        where = "" if self.path is None else f"{self.path}{f', line {self.line}' if self.line else ''}: "
        parts = [f"{where}{ended(self.what)}"]
        if self.got is not None:
            parts.append(f"Got: {self.got}.")
        if self.allowed is not None:
            parts.append(f"Allowed: {self.allowed}.")
        if self.fix is not None:
            parts.append(f"Try: {ended(self.fix)}")
        # A file's name may hold bytes that are no text; an error about it must still be printable.
        return " ".join(parts).encode("utf-8", "backslashreplace").decode()


def ended(words: str) -> str:
    """Words with a full stop behind them, unless they end in a sign that does as well.

    >>> ended("look at them"), ended("can a person tell?")
    ('look at them.', 'can a person tell?')
    """
    return words if words.endswith((".", "?", "!", "…")) else f"{words}."


def sentence(words: str) -> str:
    """Words as a sentence: a capital letter, a full stop."""
    return ended(words[:1].upper() + words[1:])


def _rebuild(
    kind: type[AnmokError],
    what: str,
    path: str | None,
    line: int | None,
    got: object,
    allowed: object,
    fix: str | None,
) -> AnmokError:
    return kind(what, path=path, line=line, got=got, allowed=allowed, fix=fix)


class UsageError(AnmokError):
    """The request itself is wrong: an unknown name, an impossible combination, a value out of range."""

    exit_code = 2


class DataError(AnmokError):
    """The data set cannot be used at all (one bad picture is quarantined instead, see `PictureError`)."""


class PictureError(AnmokError):
    """One picture cannot be read; callers quarantine it and go on."""


class UnwrittenError(AnmokError):
    """A file or folder could not be written; what was there before is what it was."""


class CheckpointError(AnmokError):
    """A checkpoint or run folder is torn, foreign, newer than this version, or does not fit."""


class ArtefactError(AnmokError):
    """A shipped model is damaged, foreign, newer than this version, or holds what no shipped model may hold."""


class ParityError(AnmokError):
    """A shipped model does not answer as the run it was made from."""


class RunBusyError(AnmokError):
    """Another living process owns the run folder."""


class TrainingError(AnmokError):
    """Training cannot go on: NaN loss, memory exhausted, a worker lost."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None where nothing comes close.

    >>> nearest("resnet19", ["resnet18", "alexnet"])
    'resnet18'
    """
    close = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.5)
    return close[0] if close else None


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that is in no registry: says which were allowed and which was probably meant."""
    names = sorted(known)
    guess = nearest(name, names)
    listed = ", ".join(names)
    if len(names) > _LISTED:
        listed = ", ".join([*difflib.get_close_matches(name.lower(), names, n=8, cutoff=0.3), f"… ({len(names):,})"])
    return UsageError(
        f"there is no {kind} of this name",
        got=repr(name),
        allowed=listed or "none is registered",
        fix=f"{guess!r}" if guess else None,
    )
