"""The house rules that a linter does not hold: sizes, light imports, no pickle, no star imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def test_no_file_is_longer_than_300_lines() -> None:
    long = {str(path.relative_to(ROOT)): n for path in SOURCES if (n := len(path.read_text().splitlines())) > 300}
    assert not long


def test_few_functions_are_longer_than_40_lines_and_none_than_80() -> None:
    lengths = {
        f"{path.relative_to(ROOT)}:{node.name}": node.end_lineno - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno
    }
    assert not {name for name, length in lengths.items() if length > 80}
    assert sum(length > 40 for length in lengths.values()) <= 0.03 * len(lengths)


def test_no_star_imports_and_no_pickle() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert all(alias.name != "*" for alias in node.names), path
                assert node.module not in {"pickle", "dill", "joblib", "cloudpickle"}, path


def modules_after(code: str) -> set[str]:
    program = f"import sys; {code}; print(*sorted(sys.modules))"
    return set(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )


@pytest.mark.parametrize(
    "code",
    [
        "import anmok",
        "import anmok.verbs.settings",
        "from anmok.cli import run; run(['--help'])",
        "from anmok.cli import run; run(['train', '--help'])",
        "import anmok.core.pictures",
    ],
)
def test_what_must_be_light_imports_no_torch(code: str) -> None:
    assert not {"torch", "torchvision", "matplotlib", "sklearn"} & modules_after(code)


def test_training_on_one_processor_imports_no_fabric() -> None:
    heavy = {"lightning_fabric", "torchmetrics", "torchvision", "timm"}
    assert not heavy & modules_after("import anmok.verbs.train, anmok.networks; anmok.networks.small_resnet")
