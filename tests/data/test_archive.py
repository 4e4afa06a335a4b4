import gzip
import io
import re
import shutil
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anmok.core.errors import DataError
from anmok.data import _archive_members, archive
from anmok.data.archive import extracted, is_archive
from anmok.data.load import load_data


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "archives"


def png(value=0):
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


GOOD = {f"{label}/{i}.png": png(i) for label in ("cat", "고양이") for i in range(3)}


def make_tar(path, members=(), mode="w:gz", files=GOOD):
    """A tar of good files with `members` (TarInfo, bytes or None) in their midst."""
    with tarfile.open(path, mode) as tar:
        for at, (name, content) in enumerate(files.items()):
            if at == 2:
                for info, extra in members:
                    tar.addfile(info, None if extra is None else io.BytesIO(extra))
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1_500_000_000
            tar.addfile(info, io.BytesIO(content))
    return path


def make_zip(path, members=(), files=GOOD):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [*files.items(), *members]:
            archive.writestr(name, content)
    return path


def info(name, kind=tarfile.REGTYPE, link="", size=0):
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, link, size
    return member


def zip_entry(name, mode):
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, mode << 16
    return entry


def files_below(root):
    return sorted(str(path) for path in root.rglob("*") if not path.is_dir())


def names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar", "xztar", "bztar"])
def test_every_kind_is_read_as_the_folder_it_holds(kind, tmp_path, cache):
    for name, content in GOOD.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
    path = Path(shutil.make_archive(str(tmp_path / "out" / "pictures"), kind, tmp_path / "in"))
    dataset = load_data(path)
    assert dataset.classes == ("cat", "고양이") and len(dataset) == 6
    assert {dataset.pictures.read(e.locator).tobytes() for e in dataset.entries} == {bytes([i]) * 16 for i in range(3)}
    assert dataset.accounts() == {"files": {"seen": 6, "used": 6, "quarantined": 0, "skipped": 0}}
    assert "archive pictures" in dataset.why
    assert names(tmp_path / "out") == [path.name], "nothing may be written beside the archive"
    assert load_data(path).root == dataset.root and len(names(cache)) == 1


def test_a_second_extraction_looks_like_the_first(tmp_path, cache):
    path = make_tar(tmp_path / "a.tgz")
    first = {e.id: load_data(path).pictures.identity(e.locator) for e in load_data(path).entries}
    shutil.rmtree(cache)
    assert {e.id: load_data(path).pictures.identity(e.locator) for e in load_data(path).entries} == first


def test_changed_content_is_extracted_anew(tmp_path, cache):
    path = make_zip(tmp_path / "a.zip")
    before = load_data(path).root
    make_zip(path, [("cat/9.png", png(9))])
    assert load_data(path).root != before and len(load_data(path)) == 7


TAR_ATTACKS = {
    "dots": [(info("../evil.png", size=1), b"x")],
    "dots inside": [(info("cat/../../evil.png", size=1), b"x")],
    "backslash dots": [(info("..\\evil.png", size=1), b"x")],
    "absolute": [(info("/tmp/evil.png", size=1), b"x")],
    "drive": [(info("C:\\evil.png", size=1), b"x")],
    "drive relative": [(info("C:evil.png", size=1), b"x")],
    "share": [(info("\\\\host\\share\\evil.png", size=1), b"x")],
    "link out": [(info("cat/link", tarfile.SYMTYPE, "../../../etc/passwd"), None)],
    "link absolute": [(info("cat/link", tarfile.SYMTYPE, "/etc/passwd"), None)],
    "link to folder, then through it": [
        (info("cat/link", tarfile.SYMTYPE, "/tmp"), None),
        (info("cat/link/evil.png", size=1), b"x"),
    ],
    "link chain": [
        (info("a", tarfile.SYMTYPE, "b/.."), None),
        (info("b", tarfile.SYMTYPE, "a/.."), None),
    ],
    "link to itself": [(info("cat/link", tarfile.SYMTYPE, "link"), None)],
    "link to nothing": [(info("cat/link", tarfile.SYMTYPE, "nothing.png"), None)],
    "hard link out": [(info("cat/link", tarfile.LNKTYPE, "../../etc/passwd"), None)],
    "hard link absolute": [(info("cat/link", tarfile.LNKTYPE, "/etc/passwd"), None)],
    "device": [(info("cat/null", tarfile.CHRTYPE), None)],
    "block device": [(info("cat/disk", tarfile.BLKTYPE), None)],
    "fifo": [(info("cat/pipe", tarfile.FIFOTYPE), None)],
    "reserved": [(info("cat/CON.png", size=1), b"x")],
    "reserved folder": [(info("aux/1.png", size=1), b"x")],
    "reserved with spaces": [(info("cat/nul .png", size=1), b"x")],
    "stream name": [(info("cat/1.png:hidden", size=1), b"x")],
    "twice": [(info("cat/0.png", size=1), b"x")],
    "case clash": [(info("cat/0.PNG", size=1), b"x")],
    "folder case clash": [(info("CAT/7.png", size=1), b"x")],
    "composed clash": [(info("\u00e9.png", size=1), b"x"), (info("e\u0301.png", size=1), b"x")],
    "trailing dot clash": [(info("cat/0.png.", size=1), b"x")],
    "file below a file": [(info("cat/0.png/x.png", size=1), b"x")],
    "file over a folder": [(info("cat", size=1), b"x")],
    "no name": [(info("./", size=1), b"x")],
    "name too long": [(info("x" * 300 + ".png", size=1), b"x")],
}


@pytest.mark.parametrize("attack", TAR_ATTACKS)
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_hostile_tar_is_refused_and_nothing_is_left(attack, mode, tmp_path, cache):
    path = make_tar(tmp_path / "a.tar", TAR_ATTACKS[attack], mode)
    before = files_below(tmp_path)
    with pytest.raises(DataError, match=r"a\.tar"):
        load_data(path)
    assert files_below(tmp_path) == before and not names(cache)


ZIP_ATTACKS = {
    "dots": ("../evil.png", b"x"),
    "backslash dots": ("..\\..\\evil.png", b"x"),
    "absolute": ("/tmp/evil.png", b"x"),
    "drive": ("C:/evil.png", b"x"),
    "reserved": ("cat/com1.png", b"x"),
    "case clash": ("Cat/0.png", b"x"),
    "link out": (zip_entry("cat/link", stat.S_IFLNK | 0o777), b"../../etc/passwd"),
    "device": (zip_entry("cat/null", stat.S_IFCHR | 0o666), b""),
}


@pytest.mark.parametrize("attack", ZIP_ATTACKS)
def test_hostile_zip_is_refused_and_nothing_is_left(attack, tmp_path, cache):
    path = make_zip(tmp_path / "a.zip", [ZIP_ATTACKS[attack]])
    before = files_below(tmp_path)
    with pytest.raises(DataError, match=r"a\.zip"):
        load_data(path)
    assert files_below(tmp_path) == before and not names(cache)


def test_encrypted_zip_is_refused(tmp_path, cache):
    path = make_zip(tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + offset] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="encrypted"):
        load_data(path)
    assert not names(cache)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.xz", "a.tar.bz2"])
def test_torn_archives_are_refused_wherever_they_are_cut(name, tmp_path, cache):
    whole = tmp_path / name
    noise = np.random.default_rng(0).integers(0, 256, 3000, np.uint8).tobytes()
    files = {**GOOD, "cat/noise.bin": noise}
    if name.endswith("zip"):
        make_zip(whole, files=files)
    else:
        make_tar(whole, mode=f"w:{name.split('.')[2] if name.count('.') > 1 else ''}", files=files)
    content = whole.read_bytes()
    end = len(content) if name != "a.tar" else max(at for at in range(len(content)) if content[at]) + 512
    for cut in [
        *range(0, end - 1, max(1, end // 25)),
        *(at for at in range(512, end, 512) if name == "a.tar"),
        end - 1,
    ]:
        whole.write_bytes(content[:cut])
        with pytest.raises(DataError):
            extracted(whole)
        assert not names(cache), cut


def test_flipped_bytes_never_escape_as_another_error(tmp_path, cache):
    rng = np.random.default_rng(1)
    for path in (make_zip(tmp_path / "a.zip"), make_tar(tmp_path / "b.tgz"), make_tar(tmp_path / "c.tar", mode="w")):
        content = path.read_bytes()
        for _ in range(60):
            broken = bytearray(content)
            for at in rng.integers(0, len(content), 3):
                broken[at] = rng.integers(0, 256)
            path.write_bytes(broken)
            try:
                extracted(path)
            except DataError:
                continue
    assert not [name for name in names(cache) if name.startswith("partial")]


def test_bombs_are_refused_before_they_grow(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(archive, "_HARMLESS", 10**6)
    zeros = bytes(20 * 10**6)
    for path in (
        make_zip(tmp_path / "a.zip", [("cat/zeros.png", zeros)]),
        make_tar(tmp_path / "a.tgz", [(info("cat/zeros.png", size=len(zeros)), zeros)]),
    ):
        with pytest.raises(DataError, match="beyond all proportion"):
            extracted(path)
        assert not names(cache)


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path, cache):
    path = make_zip(tmp_path / "a.zip", [("cat/zeros.png", bytes(10**6))])
    content = path.read_bytes().replace(struct.pack("<I", 10**6), struct.pack("<I", 10))
    path.write_bytes(content)
    with pytest.raises(DataError):
        extracted(path)
    assert not names(cache)


def test_too_many_entries_are_refused(tmp_path, cache, monkeypatch):
    path, tar = make_zip(tmp_path / "a.zip"), make_tar(tmp_path / "a.tgz")
    for module in (archive, _archive_members):
        monkeypatch.setattr(module, "MOST_MEMBERS", 5)
    for one in (path, tar):
        with pytest.raises(DataError, match="too many entries"):
            extracted(one)
    assert not names(cache)


def test_a_zip_that_states_a_million_entries_is_refused_at_once(tmp_path):
    path = make_zip(tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    end = content.rindex(b"PK\x05\x06")
    struct.pack_into("<I", content, end + 12, 2**31)
    path.write_bytes(content)
    with pytest.raises(DataError, match="too many entries"):
        extracted(path)


def test_a_header_that_asks_for_gigabytes_is_refused(tmp_path):
    """A pax header states 8 GiB of extended attributes; tarfile would read them all into memory."""
    header = info("pax", tarfile.XHDTYPE, size=8 * 2**30).tobuf(tarfile.GNU_FORMAT)
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(header + bytes(2**20)))
    with pytest.raises(DataError, match="torn"):
        extracted(path)


def test_links_inside_become_files(tmp_path):
    members = [
        (info("cat/again.png", tarfile.SYMTYPE, "0.png"), None),
        (info("cat/later.png", tarfile.SYMTYPE, "../고양이/2.png"), None),
        (info("cat/hard.png", tarfile.LNKTYPE, "cat/1.png"), None),
    ]
    root = extracted(make_tar(tmp_path / "a.tgz", members))
    assert (root / "cat/again.png").read_bytes() == png(0)
    assert (root / "cat/later.png").read_bytes() == png(2)
    assert (root / "cat/hard.png").read_bytes() == png(1)
    assert not any(path.is_symlink() for path in root.rglob("*"))


@pytest.mark.parametrize("encoding", ["utf-8", "euc_kr"])
def test_korean_names_in_zips_without_the_utf8_flag(encoding, tmp_path):
    """As macOS (UTF-8) and Korean Windows (EUC-KR) write them."""
    path = tmp_path / "a.zip"
    stand_in = "고양이".encode(encoding)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x" * len(stand_in) + "/0.png", png())
    path.write_bytes(path.read_bytes().replace(b"x" * len(stand_in), stand_in))
    assert (extracted(path) / "고양이" / "0.png").is_file()


def test_windows_slashes_are_folders(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("cat/0.png", png())
    path.write_bytes(path.read_bytes().replace(b"cat/0.png", b"cat\\0.png"))
    assert (extracted(path) / "cat" / "0.png").is_file()


def test_a_full_disk_leaves_nothing(tmp_path, cache, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "_write", full)
    with pytest.raises(DataError, match="No space left"):
        extracted(make_zip(tmp_path / "a.zip"))
    assert not names(cache)


def test_what_is_no_archive(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "labels.gz").write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x01\0"))
    assert not is_archive(tmp_path / "a.png") and not is_archive(tmp_path / "labels.gz")
    for name in ("a.zip", "a.tar", "a.7z", "a.rar"):
        (tmp_path / name).write_bytes(b"no archive")
        with pytest.raises(DataError):
            load_data(tmp_path / name)


def test_a_fault_inside_is_told_by_the_archives_name(tmp_path, cache):
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("train-images-idx3-ubyte", b"\0\0\x08\x03 and no more")
    with pytest.raises(DataError, match=re.escape(f"{path}, train-images-idx3-ubyte")):
        load_data(path, format="idx")
