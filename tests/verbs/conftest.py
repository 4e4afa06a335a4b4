"""One folder of photographs and one short run for all tests of verbs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import anmok
from tests.verbs.photographs import write_photographs


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setenv("ANMOK_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("data") / "photos")


@pytest.fixture(scope="session")
def run(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> "anmok.Run":
    torch.set_num_threads(1)
    return anmok.train(
        photographs, project=tmp_path_factory.mktemp("runs"), epochs=12, batch=4, imgsz=32, val=0.2, test=0.2
    )
