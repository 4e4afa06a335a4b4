"""The small distribution: what it packs is enough to answer, and nothing in it asks for more than NumPy and Pillow."""

import ast
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tomllib
from PIL import Image

import anmok
from anmok.ship.runtime import load_model
from anmok.verbs.shipped import ask_shipped
from tests.ship.conftest import artefact, network, shipped  # noqa: F401 - fixtures

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "packages" / "runtime"
ALLOWED = {"anmok", "numpy", "PIL", "onnxruntime", "openvino", "pyarrow", "cv2", "cykooz_resizer"} | set(
    sys.stdlib_module_names
)


@pytest.fixture(scope="module")
def packed() -> list[str]:
    spec = importlib.util.spec_from_file_location("hatch_build", PACKAGE / "hatch_build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.packed_files(REPOSITORY / "src")


def test_nothing_packed_asks_for_more(packed: list[str]) -> None:
    assert "anmok/cli/light.py" in packed and not any("parser" in name for name in packed)
    for name in packed:
        for node in ast.walk(ast.parse((REPOSITORY / "src" / name).read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            foreign = {name.split(".")[0] for name in names} - ALLOWED
            assert foreign <= {"torch", "cyclopts"} and not (foreign and _unguarded(name)), f"{name} imports {foreign}"


def _unguarded(name: str) -> bool:
    """Torch may be named for type checkers alone."""
    return "TYPE_CHECKING" not in (REPOSITORY / "src" / name).read_text(encoding="utf-8")


_ALONE = """
import sys
from pathlib import Path
sys.path[:] = [part for part in sys.path if not (Path(part) / "anmok").exists()] + [sys.argv.pop(1)]
for name in ("torch", "torchvision", "pydantic", "cyclopts", "rich", "scipy", "pyarrow", "timm", "safetensors", "yaml",
             "cykooz_resizer"):
    sys.modules[name] = None
import anmok_runtime
assert "_packed" in __import__("anmok").__file__
anmok_runtime.main()
"""


@pytest.fixture(scope="module")
def installed(packed: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The distribution's files as its wheel lays them out."""
    place = tmp_path_factory.mktemp("site")
    shutil.copytree(PACKAGE / "anmok_runtime", place / "anmok_runtime", ignore=shutil.ignore_patterns("__pycache__"))
    for name in packed:
        target = place / "anmok_runtime" / "_packed" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / "src" / name, target)
    return place


def run(installed: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _ALONE, str(installed), *map(str, arguments)], capture_output=True, text=True
    )


def test_it_answers_alone(installed: Path, shipped: Path, tmp_path: Path) -> None:  # noqa: F811
    rng = np.random.default_rng(0)
    for number in range(3):
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    (tmp_path / "no_picture.jpg").write_text("<html>")
    result = run(installed, "predict", shipped, tmp_path, "--json")
    assert result.returncode == 1, result.stderr  # one could not be read
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    expected = list(ask_shipped(load_model(shipped), tmp_path))
    assert [(row["id"], row["label"]) for row in rows] == [(a.id, a.labels and a.labels[0]) for a in expected]
    assert sum(row["error"] is not None for row in rows) == 1 and "1 of 4 could not be answered" in result.stderr
    table = run(installed, "predict", shipped, tmp_path / "0.png", "--top", 2)
    assert table.returncode == 0 and expected[0].labels[1] in table.stdout
    written = run(installed, "predict", shipped, tmp_path, "--to", tmp_path / "out.csv")
    assert written.returncode == 1 and len((tmp_path / "out.csv").read_text().splitlines()) == 5


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["train", "photos"], 2, "pip install anmok"),
        (["predict", "no.anmok", "a.png"], 1, "no.anmok"),
        (["predict", "run", "a.png"], 2, "shipped models only"),
        (["predict", "no.anmok"], 2, "pictures"),
        (["predict", "no.anmok", "a.png", "--top", "0"], 2, "whole number"),
        (["predict", "no.anmok", "a.png", "--frobnicate"], 2, "frobnicate"),
        (["--help"], 0, "anmok predict MODEL.anmok"),
        (["--version"], 0, anmok.__version__),
        (["predict", "--help"], 0, "--reject-below"),
    ],
)
def test_what_it_says(installed: Path, arguments: list[str], code: int, words: str) -> None:
    result = run(installed, *arguments)
    assert result.returncode == code and words in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_one_version() -> None:
    for place in (REPOSITORY, PACKAGE):
        assert tomllib.loads((place / "pyproject.toml").read_text())["project"]["version"] == anmok.__version__
