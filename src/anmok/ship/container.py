"""The file of a shipped model: a sealed archive, of which every byte is judged before any part of it is used.

It is a ZIP whose members are stored as they are, so that any tool can look inside. Its comment is the seal: the SHA-256
of all bytes before it. Nothing else is accepted: no compression (no bombs), no other member (no pickles under any
name), no byte before, behind or between that the seal does not cover.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import IO

from anmok.core.errors import ArtefactError
from anmok.core.files import write_atomic
from anmok.core.magic import HEAD, describe

SUFFIX = ".anmok"
MANIFEST, CARD = "manifest.json", "README.md"
ONNX_GRAPH, IR_GRAPH, IR_WEIGHTS = "model.onnx", "model.xml", "model.bin"

_LARGEST = {MANIFEST: 16 << 20, CARD: 1 << 20, ONNX_GRAPH: 2 << 30, IR_GRAPH: 64 << 20, IR_WEIGHTS: 8 << 30}  # bytes
_SEAL = b"anmok sha256 "
_DIGEST = 64
_END = struct.Struct("<4s4H2LH")  # the end record of a ZIP
_TAIL = _END.size + len(_SEAL) + _DIGEST
_WHEN = (1980, 1, 1, 0, 0, 0)  # the same content is the same bytes
_EXPORT_AGAIN = "copy it again from where it was made, or export the run again"


def seal(path: Path, members: Mapping[str, bytes]) -> str:
    """Write members (among those named above) to `path`, whole or not at all, and return the SHA-256 of the seal.

    Raises:
        UnwrittenError: the disk refused.
    """
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = _SEAL + bytes(_DIGEST)
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _WHEN), content)
    body = buffer.getbuffer()[:-_DIGEST]
    digest = hashlib.sha256(body).hexdigest()
    write_atomic(path, [body, digest.encode()])
    return digest


def unseal(path: Path) -> tuple[dict[str, bytes], str]:
    """The members of a sealed file, all bytes checked, and its SHA-256.

    Raises:
        ArtefactError: no such file, another kind of file, a damaged one, or one that holds what is not allowed.
    """
    try:
        with path.open("rb") as file:
            _check_tail(file.read(HEAD), _tail(file), path)
            file.seek(0)
            content = file.read()
    except OSError as error:
        raise ArtefactError(f"the model cannot be read: {error.strerror}", path=path, fix="check its name") from error
    digest = hashlib.sha256(memoryview(content)[:-_DIGEST]).hexdigest()
    if content[-_DIGEST:] != digest.encode():
        raise ArtefactError("the model is damaged: its bytes are not those that were sealed", path=path,
                            got=f"SHA-256 {digest}", fix=_EXPORT_AGAIN)  # fmt: skip
    try:
        return _members(content, path), digest
    except (zipfile.BadZipFile, struct.error, ValueError, EOFError, NotImplementedError) as error:
        raise ArtefactError(f"the model's archive is malformed: {error}", path=path, fix=_EXPORT_AGAIN) from error


def _tail(file: IO[bytes]) -> bytes:
    size = file.seek(0, 2)
    file.seek(max(0, size - _TAIL))
    return file.read()


def _check_tail(head: bytes, tail: bytes, path: Path) -> None:
    """Before anything large is read: this is a sealed file, and its directory is as small as that of one."""
    if not head.startswith(b"PK\x03\x04") or len(tail) < _TAIL or tail[_END.size :][: len(_SEAL)] != _SEAL:
        raise ArtefactError(
            "this is no shipped model", path=path, got=_kind(head), allowed=f"a {SUFFIX} file that anmok export wrote",
            fix="a file cut off while it was copied looks like this too: copy it again",
        )  # fmt: skip
    signature, disk, start, here, members, directory, _, comment = _END.unpack(tail[: _END.size])
    if signature != b"PK\x05\x06" or disk or start or here != members or comment != len(_SEAL) + _DIGEST:
        raise ArtefactError("the model's archive is malformed", path=path, fix=_EXPORT_AGAIN)
    if members > len(_LARGEST) or directory > 4096:
        raise ArtefactError("the model's header is too large", path=path, got=f"{members} members, {directory} bytes",
                            allowed=f"{len(_LARGEST)} members, 4096 bytes")  # fmt: skip


def _kind(head: bytes) -> str:
    if head.startswith(b"PK\x03\x04"):
        return "a ZIP archive without anmok's seal (torch and Keras files are such, and may hold pickles)"
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return "a pickle, which could run code"
    if head[:1] == b"\x08" and head[2:3] in b"\x12\x1a":
        return "a bare ONNX graph, without classes, preparation and seal"
    return describe(head) if head else "an empty file"


def _members(content: bytes, path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(BytesIO(content)) as archive:
        for info in archive.infolist():
            name = info.filename
            plain = info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1
            if name not in _LARGEST or name in found or not plain or info.file_size != info.compress_size:
                raise ArtefactError("the model holds what no shipped model may hold", path=path, got=repr(name),
                                    allowed=f"{', '.join(_LARGEST)}, once each, stored plainly")  # fmt: skip
            if info.file_size > _LARGEST[name]:
                raise ArtefactError(f"{name} in the model is too large", path=path, got=f"{info.file_size:,} bytes",
                                    allowed=f"{_LARGEST[name]:,} bytes")  # fmt: skip
            found[name] = archive.read(info)
    return found
