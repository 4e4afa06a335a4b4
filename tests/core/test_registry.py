"""Registries find what is tagged in a room's files, and import no more of it than they are asked for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from anmok.core.errors import UsageError
from anmok.core.registry import Registry

ENTRY = "from anmok.core.registry import register\n@register('thing')\ndef {name}(): return '{file}'\n"


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A room of three files: `apple`, `pears` with an entry `pear`, and a helper."""
    place = tmp_path / "orchard_of_tests"
    place.mkdir()
    (place / "__init__.py").touch()
    (place / "apple.py").write_text(ENTRY.format(name="apple", file="apple"))
    (place / "pears.py").write_text(ENTRY.format(name="pear", file="pears"))
    (place / "_helper.py").write_text("raise RuntimeError('helpers are not scanned')")
    monkeypatch.syspath_prepend(tmp_path)
    yield place.name
    for name in [name for name in sys.modules if name.split(".")[0] == place.name]:
        del sys.modules[name]


def test_an_entry_in_a_file_of_its_name_is_found_alone(room: str) -> None:
    things = Registry(room, "thing")
    assert "apple" in things and things["apple"]() == "apple"
    assert f"{room}.pears" not in sys.modules


def test_other_entries_are_found_wherever_they_are(room: str) -> None:
    things = Registry(room, "thing")
    assert "pear" in things and things["pear"]() == "pears"
    assert list(things) == ["apple", "pear"] and len(things) == 2


def test_what_is_not_there_is_refused_with_what_is(room: str) -> None:
    things = Registry(room, "thing")
    assert "pears" not in things and "_helper" not in things and 7 not in things
    with pytest.raises(UsageError, match="pear"):
        things["peer"]


def test_other_kinds_are_not_found(room: str) -> None:
    assert "apple" not in Registry(room, "person")


def test_two_of_one_name_are_an_error(room: str, tmp_path: Path) -> None:
    (tmp_path / room / "plum.py").write_text(ENTRY.format(name="apple", file="plum"))
    with pytest.raises(RuntimeError, match="two things are called 'apple'"):
        list(Registry(room, "thing"))
