import os
import socket
import unicodedata

import pytest

from anmok.core.errors import DataError
from anmok.data import walk as walk_module
from anmok.data.walk import readable, walk


def reasons(items):
    return {item.path: item.reason for item in items}


def test_hidden_and_system_files_are_passed_over_and_counted(tmp_path):
    for name in (
        ".DS_Store",
        "._x.jpg",
        "Thumbs.db",
        "desktop.ini",
        ".ipynb_checkpoints/a.jpg",
        "__MACOSX/cat/._1.jpg",
        ".git/objects/aa",
        "cat/1.jpg",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    tree = walk(tmp_path)
    assert tree.files == ("cat/1.jpg",) and tree.folders == ("cat",)
    assert len(tree.skipped) == 7 and tree.seen == 8
    assert all("hidden or system" in item.reason for item in tree.skipped)


def test_what_is_no_plain_file_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "pipe link.jpg").symlink_to("pipe.jpg")
    (tmp_path / "null.jpg").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.jpg"))
        tree = walk(tmp_path)
    assert tree.files == () and not tree.quarantined
    assert set(reasons(tree.skipped)) == {"pipe.jpg", "pipe link.jpg", "null.jpg", "s.jpg"}


def test_links(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "1.jpg").write_bytes(b"x")
    root = tmp_path / "root"
    (root / "cat").mkdir(parents=True)
    (root / "cat/1.jpg").write_bytes(b"x")
    (root / "inside.jpg").symlink_to("cat/1.jpg")
    (root / "self").symlink_to("self")
    (root / "up").symlink_to("..")
    (root / "again").symlink_to("cat")
    (root / "cat/loop").symlink_to("..")
    (root / "gone.jpg").symlink_to("nothing.jpg")
    (root / "out.jpg").symlink_to(outside / "1.jpg")
    (root / "out").symlink_to(outside)
    tree = walk(root)
    assert tree.files == ("cat/1.jpg", "inside.jpg")
    assert set(reasons(tree.skipped)) == {"self", "again", "cat/loop"}
    assert set(reasons(tree.quarantined)) == {"gone.jpg", "out.jpg", "out", "up"}
    assert tree.seen == 9

    followed = walk(root, follow_links=True)
    assert {"out.jpg", "out/1.jpg", "up/outside/1.jpg"} & set(followed.files) >= {"out.jpg"}
    assert len({p for p in followed.files if p.endswith("outside/1.jpg") or p == "out/1.jpg"}) == 1, "read once"


def test_a_root_that_is_a_link_is_read(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/1.jpg").write_bytes(b"x")
    (tmp_path / "real/2.jpg").symlink_to("1.jpg")
    (tmp_path / "link").symlink_to("real")
    assert walk(tmp_path / "link").files == ("1.jpg", "2.jpg")


def test_odd_names_are_kept_and_made_readable(tmp_path):
    names = [
        b"a\xff.jpg",
        b"a\\xff.jpg",
        b"new\nline.jpg",
        b"Case.jpg",
        b"case.jpg",
        "한글.jpg".encode(),
        b" space .jpg",
    ]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb"):
            pass
    files = walk(tmp_path).files
    assert sorted(map(os.fsencode, files)) == sorted(names)
    shown = [readable(path) for path in files]
    assert len(set(shown)) == len(names) and all(name.isprintable() and name.encode() for name in shown)


def test_readable_never_makes_two_names_one():
    names = ["\udcff", "\\xff", "\\xff\n", "\udcff\n", "\\n", "\n", "\\\n", "\\\\n", "\u200b", "\\u200b", "\U000e0001"]
    assert len({readable(name) for name in names}) == len(names)


def test_the_order_is_the_same_however_letters_are_composed(tmp_path):
    composed = ["가.jpg", "각.jpg", "나.jpg", "é.jpg", "f.jpg"]
    for form in ("NFC", "NFD"):
        (tmp_path / form).mkdir()
        for name in composed:
            (tmp_path / form / unicodedata.normalize(form, name)).write_bytes(b"x")
    orders = [[unicodedata.normalize("NFC", path) for path in walk(tmp_path / form).files] for form in ("NFC", "NFD")]
    assert orders[0] == orders[1] == sorted(composed)


def test_an_unreadable_folder_is_set_aside(tmp_path, monkeypatch):
    for name in ("cat", "locked"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(b"x")
    true = os.scandir

    def scandir(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return true(path)

    monkeypatch.setattr(walk_module.os, "scandir", scandir)
    tree = walk(tmp_path)
    assert tree.files == ("cat/1.jpg",) and tree.seen == 2
    assert "Permission denied" in reasons(tree.quarantined)["locked"]


def test_a_root_that_cannot_be_listed_is_an_error(tmp_path):
    with pytest.raises(DataError, match="cannot be listed"):
        walk(tmp_path / "nothing")
