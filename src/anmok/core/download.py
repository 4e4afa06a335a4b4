"""One file over HTTP, whole or not at all: resumed where it broke, checked by hash, moved into place in one step."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from anmok.core.errors import AnmokError, CheckpointError, UsageError
from anmok.core.files import fsync_folder, sha256_of

try:
    import fcntl
except ImportError:  # Windows has no flock: two downloads of one file at a time then end in a hash error, never worse
    fcntl = None  # type: ignore[assignment]

Progress = Callable[[int, "int | None"], None]

_CHUNK = 1 << 20
_ATTEMPTS = 3
_TIMEOUT = 30.0  # seconds of silence


def download(url: str, path: str | Path, sha256_prefix: str, *, progress: Progress | None = None) -> Path:
    """Fetch `url` into `path`, which appears only when the whole file is there and its SHA-256 is right.

    What has arrived stays beside it as `<name>.part`, and the next call goes on from there. Of several processes that
    want the same file one downloads and the others wait.

    Args:
        url: http or https.
        path: the file to make; its folder is made too.
        sha256_prefix: the digest, or its first digits.
        progress: called with (bytes so far, bytes in all or None).

    Returns:
        `path`.

    Raises:
        CheckpointError: where what arrived has another digest; it is removed.
        AnmokError: where the server cannot be reached, refuses, or the connection keeps breaking.
    """
    path = Path(path)
    if urlsplit(url).scheme not in ("http", "https"):
        raise UsageError("only web addresses are fetched", got=url, allowed="http://… or https://…")
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            if not path.exists():
                _receive_checked(url, part, path, sha256_prefix, progress)
    except OSError as error:
        raise AnmokError(f"cannot keep the downloaded file: {error}", path=path) from error
    return path


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.with_name(path.name + ".lock").open("w") as lock:
        if fcntl:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _receive_checked(url: str, part: Path, path: Path, sha256_prefix: str, progress: Progress | None) -> None:
    resumed = part.exists()
    if not (resumed and sha256_of(part).startswith(sha256_prefix)):
        _receive(url, part, path, progress)
    if resumed and not sha256_of(part).startswith(sha256_prefix):
        part.unlink()  # what lay there was of another file: once more, from the start
        _receive(url, part, path, progress)
    digest = sha256_of(part)
    if not digest.startswith(sha256_prefix):
        part.unlink()
        raise CheckpointError(
            f"what {url} gave is not the published file, and was removed",
            path=path,
            got=f"SHA-256 {digest}",
            allowed=f"SHA-256 {sha256_prefix}…",
            fix="again on another network: a proxy or a login page may have answered instead",
        )
    part.replace(path)
    fsync_folder(path.parent)


def _receive(url: str, part: Path, path: Path, progress: Progress | None) -> None:
    """Append to `part` until it is complete; a connection that breaks is taken up again a few times."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            done, total = _receive_once(url, part, progress)
        except urllib.error.HTTPError as error:
            raise _refused(url, path, f"{error.code} {error.reason}") from error
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = getattr(error, "reason", None) or error
            if attempt == _ATTEMPTS or not part.exists():
                raise _unreachable(url, path, reason) from error
            continue
        if total is None or done == total:
            return
    raise AnmokError(
        f"the connection to {urlsplit(url).netloc} keeps breaking",
        path=path,
        got=f"{done} of {total} bytes",
        fix="the same command again: it goes on where this one stopped",
    )


def _receive_once(url: str, part: Path, progress: Progress | None) -> tuple[int, int | None]:
    """One connection. Returns the bytes in `part` and the bytes the whole file has, as far as the server says."""
    start = part.stat().st_size if part.exists() else 0
    try:
        answer = _open(url, start)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not start:
            raise
        answer, start = _open(url, 0), 0  # the part is as long as the file, or longer: only the hash could tell
    with answer:
        start, total = _position(answer, start)
        with part.open("ab" if start else "wb") as file:
            done = start
            with contextlib.suppress(http.client.IncompleteRead):  # told from the sizes instead
                while chunk := answer.read(_CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    if progress:
                        progress(done, total)
            file.flush()
            os.fsync(file.fileno())
    return done, total


def _open(url: str, start: int) -> Any:
    headers = {"User-Agent": "anmok", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)


def _position(answer: Any, start: int) -> tuple[int, int | None]:
    """Where the answer's bytes belong and how long the whole file is; a server may ignore the wish to resume."""
    length = answer.headers.get("Content-Length")
    partial = re.match(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
    if answer.status == 206 and partial and int(partial[1]) == start:
        return start, None if partial[2] == "*" else int(partial[2])
    return 0, None if length is None else int(length)


def _refused(url: str, path: Path, reason: str) -> AnmokError:
    return AnmokError(f"the server does not give {url}", got=reason, fix=f"put the file at {path} by hand")


def _unreachable(url: str, path: Path, reason: object) -> AnmokError:
    return AnmokError(
        f"cannot reach {url}, which was asked for by name (anmok fetches nothing unasked)",
        got=reason,
        fix=f"again with a network, or fetch that address elsewhere and put the file at {path}",
    )
