"""Downloads against a server on this machine that resumes, refuses, breaks off, ignores or lies."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from anmok.core.download import download
from anmok.core.errors import AnmokError, CheckpointError, UsageError

CONTENT = bytes(range(256)) * 12_000  # 3 MB: more than one read
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT under every path; `mode` says how badly."""

    mode = "good"
    breaks = 0  # so many answers stop half way through what was asked
    daemon_threads = True

    def __init__(self) -> None:
        self.ranges: list[str | None] = []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, name: str = "file.bin") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        if self.path.startswith("/missing"):
            self.send_error(404)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and self.server.mode != "no ranges" else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        if self.server.mode != "no length":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.breaks > 0:
            self.server.breaks -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("mode", ["good", "no ranges", "no length"])
def test_whole_file(server: Server, tmp_path: Path, mode: str) -> None:
    server.mode = mode
    seen: list[tuple[int, int | None]] = []
    path = download(server.url(), tmp_path / "deep" / "file.bin", DIGEST[:8], progress=lambda *s: seen.append(s))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), None if mode == "no length" else len(CONTENT))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert not path.with_name("file.bin.part").exists()


def test_a_file_that_is_there_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(b"mine")
    assert download(server.url(), tmp_path / "file.bin", DIGEST).read_bytes() == b"mine"
    assert server.ranges == []


@pytest.mark.parametrize("kept", [1, 1_000_000, len(CONTENT) - 1])
def test_resumes_what_was_begun(server: Server, tmp_path: Path, kept: int) -> None:
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:kept])
    assert download(server.url(), tmp_path / "file.bin", DIGEST).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={kept}-"]


def test_resumes_with_a_server_that_cannot(server: Server, tmp_path: Path) -> None:
    server.mode = "no ranges"
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:1_000_000])
    assert download(server.url(), tmp_path / "file.bin", DIGEST).read_bytes() == CONTENT


@pytest.mark.parametrize("left", [CONTENT + b"more", b"of another file" * 100, b""])
def test_whatever_was_left_behind_ends_in_the_right_file(server: Server, tmp_path: Path, left: bytes) -> None:
    (tmp_path / "file.bin.part").write_bytes(left)
    assert download(server.url(), tmp_path / "file.bin", DIGEST).read_bytes() == CONTENT


def test_a_complete_part_is_only_moved(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    assert download(server.url(), tmp_path / "file.bin", DIGEST).read_bytes() == CONTENT
    assert server.ranges == []


def test_broken_connections_are_taken_up_again(server: Server, tmp_path: Path) -> None:
    server.breaks = 2
    assert download(server.url(), tmp_path / "file.bin", DIGEST).read_bytes() == CONTENT
    assert len(server.ranges) == 3
    assert server.ranges[1] == f"bytes={len(CONTENT) // 2}-"


def test_gives_up_and_goes_on_next_time(server: Server, tmp_path: Path) -> None:
    server.breaks = 3
    with pytest.raises(AnmokError, match="keeps breaking") as caught:
        download(server.url(), tmp_path / "file.bin", DIGEST)
    assert f"of {len(CONTENT)} bytes" in str(caught.value)
    assert not (tmp_path / "file.bin").exists()
    assert download(server.url(), tmp_path / "file.bin", DIGEST).read_bytes() == CONTENT


def test_wrong_content_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not the published file") as caught:
        download(server.url(), tmp_path / "file.bin", "00000000")
    assert DIGEST in str(caught.value)
    assert "00000000" in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} <= {"file.bin.lock"}


def test_missing_at_the_server(server: Server, tmp_path: Path) -> None:
    with pytest.raises(AnmokError, match="404") as caught:
        download(server.url("missing.bin"), tmp_path / "missing.bin", DIGEST)
    assert str(tmp_path / "missing.bin") in str(caught.value)
    assert server.url("missing.bin") in str(caught.value)


def test_offline_says_where_the_file_belongs(server: Server, tmp_path: Path) -> None:
    url = server.url()
    server.shutdown()
    server.server_close()
    with pytest.raises(AnmokError, match="cannot reach") as caught:
        download(url, tmp_path / "file.bin", DIGEST)
    for said in (url, str(tmp_path / "file.bin"), "fetches nothing unasked", "put the file at"):
        assert said in str(caught.value)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://example.org/x", "/tmp/x"])
def test_only_web_addresses(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="web addresses"):
        download(url, tmp_path / "x", DIGEST)


def test_a_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AnmokError, match="cannot keep"):
        download(server.url(), tmp_path / "file" / "x.bin", DIGEST)


def test_two_at_once_fetch_once(server: Server, tmp_path: Path) -> None:
    answers: list[bytes] = []
    ask = lambda: answers.append(download(server.url(), tmp_path / "file.bin", DIGEST).read_bytes())  # noqa: E731
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert answers == [CONTENT] * 4
    assert len(server.ranges) == 1
