import io
import pickle
import random
import struct
import subprocess
import sys
import zipfile

import pytest
import torch

from anmok.core.errors import ArtefactError
from anmok.ship.artefact import read_artefact
from anmok.ship.container import MANIFEST, ONNX_GRAPH, seal, unseal


def test_what_was_sealed_comes_back(tmp_path):
    members = {MANIFEST: b"{}", ONNX_GRAPH: bytes(range(256)) * 40}
    digest = seal(tmp_path / "a.anmok", members)
    assert unseal(tmp_path / "a.anmok") == (members, digest)
    seal(tmp_path / "b.anmok", members)
    assert (tmp_path / "a.anmok").read_bytes() == (tmp_path / "b.anmok").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.anmok") as archive:  # any tool can look inside
        assert archive.testzip() is None and archive.read(MANIFEST) == b"{}"


def test_every_flipped_bit_and_every_cut_is_found(tmp_path):
    path = tmp_path / "a.anmok"
    seal(path, {MANIFEST: b'{"format": 1}', ONNX_GRAPH: bytes(90)})
    whole, chance = path.read_bytes(), random.Random(0)
    for place in range(len(whole)):  # every byte of the file, one bit each
        damaged = bytearray(whole)
        damaged[place] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(ArtefactError):
            unseal(path)
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ArtefactError):
            unseal(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(ArtefactError):
        unseal(path)


class Canary:
    def __reduce__(self):
        return pytest.fail, ("a pickle was opened",)


@pytest.mark.parametrize("name", ["model.anmok", "model.onnx", "picture.jpg"])
def test_pickles_are_refused_under_any_name(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Canary()))
    with pytest.raises(ArtefactError, match="pickle"):
        read_artefact(path)
    torch.save({"weights": torch.zeros(3)}, path)
    with pytest.raises(ArtefactError, match="ZIP archive without anmok's seal"):
        read_artefact(path)


def test_a_sealed_pickle_is_refused_too(tmp_path):
    path = tmp_path / "model.anmok"
    for member in ("data.pkl", "../model.onnx", "/etc/model.onnx", "archive/data.pkl"):
        seal(path, {MANIFEST: b"{}", member: pickle.dumps(Canary())})
        with pytest.raises(ArtefactError, match="no shipped model may hold"):
            read_artefact(path)
    seal(path, {MANIFEST: b"{}", ONNX_GRAPH: pickle.dumps(Canary())})
    with pytest.raises(ArtefactError):
        read_artefact(path)


def resealed(archive_bytes: bytes) -> bytes:
    import hashlib

    return archive_bytes[:-64] + hashlib.sha256(archive_bytes[:-64]).hexdigest().encode()


def archive(members, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        file.comment = b"anmok sha256 " + bytes(64)
        for name, content in members:
            file.writestr(name, content)
    return resealed(buffer.getvalue())


def test_bombs_and_crowds_are_refused(tmp_path):
    path = tmp_path / "model.anmok"
    path.write_bytes(archive([(MANIFEST, bytes(1 << 20))], zipfile.ZIP_DEFLATED))
    with pytest.raises(ArtefactError, match="stored plainly"):
        unseal(path)
    path.write_bytes(archive([(f"{n}.txt", b"") for n in range(1000)]))
    with pytest.raises(ArtefactError, match="header is too large"):
        unseal(path)
    with pytest.warns(UserWarning, match="Duplicate"):
        path.write_bytes(archive([(MANIFEST, b"{}"), (MANIFEST, b"[]")]))
    with pytest.raises(ArtefactError, match="once each"):
        unseal(path)


def test_a_directory_that_claims_more_than_there_is(tmp_path):
    path = tmp_path / "model.anmok"
    whole = bytearray(archive([(MANIFEST, b"{}")]))
    place = whole.index(b"PK\x01\x02")
    whole[place + 20 : place + 28] = struct.pack("<LL", 0x7FFFFFFF, 0x7FFFFFFF)  # both sizes
    path.write_bytes(resealed(bytes(whole)))
    with pytest.raises(ArtefactError):
        unseal(path)


def test_a_huge_header_is_refused_in_little_memory(tmp_path):
    """1 GB of zeros behind a ZIP's first bytes, with and without a proper end: refused before it is read."""
    path = tmp_path / "model.anmok"
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(1 << 30)  # sparse
    code = """
import resource, sys
from anmok.core.errors import ArtefactError
from anmok.ship.container import unseal
from pathlib import Path
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    unseal(Path(sys.argv[1]))
except ArtefactError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    result = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert int(result.stdout) < 64 << 10  # kilobytes


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(ArtefactError, match=r"nothing\.anmok"):
        unseal(tmp_path / "nothing.anmok")
    with pytest.raises(ArtefactError):
        unseal(tmp_path)
    (tmp_path / "page.anmok").write_text("<!doctype html><p>404")
    with pytest.raises(ArtefactError, match="HTML"):
        unseal(tmp_path / "page.anmok")
    (tmp_path / "empty.anmok").write_bytes(b"")
    with pytest.raises(ArtefactError, match="empty"):
        unseal(tmp_path / "empty.anmok")
