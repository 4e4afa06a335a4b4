"""What every format must do: give back what was written, account for everything, and survive damage."""

import hashlib
import os
import re
import shutil
import stat
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anmok.core.errors import DataError, UsageError
from anmok.data.load import load_data
from anmok.data.source import FORMATS, Source
from anmok.data.walk import readable

from .format_writers import UNLABELLED, WRITERS, items
from .object_writers import OBJECT_WRITERS


def tree_hash(root):
    """Names, kinds, contents and times of everything below `root`."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(os.fsencode(root)):
        folders.sort()
        for name in sorted(folders + files):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            digest.update(path + b"\0" + str((status.st_mode, status.st_mtime_ns, status.st_size)).encode())
            if stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    digest.update(file.read())
    return digest.hexdigest()


def count_files(root):
    return sum(
        len(files) + sum(os.path.islink(os.path.join(at, d)) for d in folders) for at, folders, files in os.walk(root)
    )


def test_every_format_has_a_writer():
    assert set(FORMATS) == set(WRITERS) | set(OBJECT_WRITERS) | {"masks", "pairs", "unpaired"}


@pytest.mark.parametrize("splits", [False, True])
@pytest.mark.parametrize("name", sorted(WRITERS))
def test_round_trip(name, splits, tmp_path):
    if splits and name in UNLABELLED:
        pytest.skip("no labels, no splits")
    data = items(splits)
    path = WRITERS[name](tmp_path / "data", data)
    before = tree_hash(path)
    dataset = load_data(path)
    assert dataset.format == name and dataset.why
    found = Counter(
        (
            dataset.pictures.read(e.locator).tobytes(),
            None if e.target is None else dataset.classes[e.target],
            e.split,
        )
        for e in dataset.entries
    )
    labelled = name not in UNLABELLED
    assert found == Counter((i.pixels.tobytes(), i.label if labelled else None, i.split) for i in data)
    accounts = dataset.accounts()
    assert accounts["files"]["seen"] == count_files(path)
    assert accounts[dataset.unit]["used"] == len(data)
    assert not dataset.quarantined and not dataset.warnings
    assert len({e.id for e in dataset.entries}) == len(data)
    assert tree_hash(path) == before


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_reading_twice_gives_the_same(name, tmp_path):
    path = WRITERS[name](tmp_path / "data", items(False))
    first, second = load_data(path), load_data(path)
    assert list(first.entries) == list(second.entries) and first.classes == second.classes


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_one_folder_around_everything_changes_nothing(name, tmp_path):
    WRITERS[name](tmp_path / "around" / "data", items(False))
    (tmp_path / "around" / "__MACOSX").mkdir()
    (tmp_path / "around" / "__MACOSX" / "._x.png").write_bytes(b"x")
    dataset = load_data(tmp_path / "around")
    assert dataset.format == name and len(dataset) == 12
    assert dataset.accounts()["files"]["seen"] == count_files(tmp_path / "around")


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_recognising_never_raises(name, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "zero.csv").write_bytes(b"")
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)) * 9)
    for path in tmp_path.iterdir():
        answer = FORMATS[name]().recognise(Source(path))
        assert 0 <= answer.sure < 0.5 and answer.why


# What may happen to a folder between the day it was made and the day it is read.
DAMAGES = st.lists(
    st.tuples(
        st.sampled_from(
            ["flip", "cut", "grow", "delete", "copy", "rename", "line", "cell", "stray", "fifo", "link", "empty"]
        ),
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.sampled_from(
            [b"", b"\x00", b'"', b"\xff\xfe", b",,", b"\n", b"\r", b"../..", b"\xea\xb3\xa0", b"-1", b"NaN", b";", b" "]
        ),
    ),
    max_size=4,
)


def damage(root, kind, where, at, junk):
    files = sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink())
    if not files:
        return
    file = files[where % len(files)]
    content = file.read_bytes()
    at = at % (len(content) + 1)
    if kind == "flip" and content:
        file.write_bytes(content[:at] + (junk or b"\x7f") + content[at + 1 :])
    elif kind == "cut":
        file.write_bytes(content[:at])
    elif kind == "grow":
        file.write_bytes(content + junk * 3)
    elif kind == "delete":
        file.unlink()
    elif kind == "copy":
        shutil.copy(file, file.with_name(f"copy of {file.name}"))
    elif kind == "rename":
        os.rename(
            file,
            os.path.join(
                os.fsencode(file.parent), junk.replace(b"\0", b"").replace(b"/", b"") + os.fsencode(file.name)
            ),
        )
    elif kind in ("line", "cell"):
        lines = content.split(b"\n")
        line = lines[at % len(lines)]
        cells = line.split(b",")
        cells[at % len(cells)] = junk
        lines[at % len(lines)] = b",".join(cells)
        file.write_bytes(b"\n".join(lines if kind == "cell" else [*lines, line, line + junk]))
    elif kind == "stray":
        (file.parent / "notes.txt").write_bytes(junk)
        (file.parent / ".hidden.png").write_bytes(content)
    elif kind == "fifo":
        os.mkfifo(file.with_name(f"{at}.png"))
    elif kind == "link":
        os.symlink(
            ["/etc/hostname", file.name, "loop.png", ".", "/"][at % 5],
            file.with_name(["loop.png", f"{at}.jpg"][at % 2]),
        )
    elif kind == "empty":
        (file.parent / f"class {at}").mkdir()


@pytest.mark.parametrize("name", sorted(WRITERS))
@settings(max_examples=120, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(damages=DAMAGES, splits=st.booleans())
def test_damage_is_refused_or_accounted_for(name, damages, splits, tmp_path):
    root = tmp_path / "data"
    shutil.rmtree(root, ignore_errors=True)
    WRITERS[name](root, items(splits))
    for one in damages:
        try:
            damage(root, *one)
        except (FileExistsError, FileNotFoundError):
            continue
    before, files = tree_hash(root), count_files(root)
    try:
        dataset = load_data(root)
    except (DataError, UsageError) as error:
        assert str(root) in str(error)
        return
    finally:
        assert tree_hash(root) == before
    accounts = dataset.accounts()
    assert accounts["files"]["seen"] == files
    ids = [entry.id for entry in dataset.entries]
    assert len(set(ids)) == len(ids) and all(i.isprintable() for i in ids)
    lines = {(item.path, item.line) for item in dataset.quarantined}
    for item in dataset.quarantined:
        assert item.path and item.reason and item.fix
        assert item.line is not None or dataset.unit == "files"
    if dataset.unit == "rows":
        assert len(lines) == len(dataset.quarantined), "a row was set aside twice"
    if dataset.format in ("csv", "csv_pixels"):
        assert accounts["rows"]["seen"] in expected_rows(dataset, root)


def expected_rows(dataset, root):
    """Lines of the tables read, with and without their headers, counted without the reader."""
    names = {e.origin or e.id for e in dataset.entries}
    tables = (
        {name.rpartition(":")[0] for name in names}
        | {q.path for q in dataset.quarantined}
        | {s.path for s in dataset.skipped}
    )
    by_name = {readable(path.name): path for path in root.iterdir()}
    total = 0
    for table in tables:
        content = by_name[table].read_bytes()
        if b'"' in content or b"\0" in content or content.startswith((b"\xff\xfe", b"\xfe\xff")):
            return range(10**6)  # quoted line breaks: the table itself must say
        ends = re.findall(rb"\r\n|\r|\n" if dataset.format == "csv" else rb"\n", content)
        total += len(ends) + (not content.endswith((b"\n", b"\r")) and bool(content))
    return range(total - len(tables), total + 1)
