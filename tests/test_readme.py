"""Every Python block of the READMEs runs, in order; the two READMEs hold the same code; commands shown exist."""

import re
import shutil
from pathlib import Path

import pytest

from anmok.cli import COMMANDS

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.ko.md")


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / name).read_text(encoding="utf-8"), re.M | re.S)


def test_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "examples" / "pictures", tmp_path / "examples" / "pictures")
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    found = blocks("README.md", "python")
    assert len(found) >= 2
    for code in found:
        exec(compile(code, "README.md", "exec"), scope)
    assert (tmp_path / "runs/classify/fashion_mnist/report.html").exists() or list(
        (tmp_path / "runs").rglob("report.html")
    )


@pytest.mark.parametrize("language", ["bash", "python", "console"])
def test_both_languages_show_the_same_code(language: str) -> None:
    def code(name: str) -> list[list[str]]:
        return [[line.split("#")[0].strip() for line in text.splitlines()] for text in blocks(name, language)]

    assert code("README.md") == code("README.ko.md") != []


@pytest.mark.parametrize("name", READMES)
def test_commands_shown_exist(name: str) -> None:
    shown = set(re.findall(r"^\$ anmok (\w+)", (ROOT / name).read_text(encoding="utf-8"), re.M))
    assert shown and shown <= set(COMMANDS)


def test_links_lead_somewhere() -> None:
    for name in READMES:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / name).read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{name}: {target}"
