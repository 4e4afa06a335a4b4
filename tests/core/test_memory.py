"""What a process does with memory that was given back."""

import ctypes
import os
import subprocess
import sys

import pytest

LINUX = sys.platform.startswith("linux")
pytestmark = pytest.mark.skipif(not (LINUX and hasattr(ctypes.CDLL(None), "mallopt")), reason="another C library")

# Six blocks, given back together, are more than GNU's C library keeps by itself.
ROUNDS = """
import resource, sys
import numpy as np
from anmok.core.memory import keep_memory
if "keep" in sys.argv:
    keep_memory()
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [np.ones(20 << 20, np.uint8) for _ in range(6)]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*arguments: str, **chosen: str) -> int:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")} | chosen
    command = [sys.executable, "-c", ROUNDS, *arguments]
    return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def test_the_next_round_finds_the_memory_of_the_last() -> None:
    assert faults("keep") < 100
    assert faults() > 500


def test_what_the_person_chose_stays() -> None:
    assert faults("keep", MALLOC_TRIM_THRESHOLD_="131072") > 500
