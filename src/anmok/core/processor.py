"""The processor that all this runs on."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from functools import cache

_MOST = 16  # each worker or piece holds pictures


def processors() -> int:
    """As many as this process may use, at most 16: so many workers, or pieces side by side, pay."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, _MOST)


def has_amx() -> bool:
    """Whether there are units for products of matrices (Linux on x86-64 tells)."""
    return "amx_tile" in processor_fact("flags").split()


def processor_name() -> str:
    """What the processor is called, as far as the system tells."""
    return processor_fact("model name") or platform.processor() or platform.machine()


@cache
def processor_fact(name: str) -> str:
    """What Linux tells of the first processor under "flags" or "model name"; empty where it does not."""
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
        for line in lines:
            if line.startswith(name):
                return line.partition(":")[2].strip()
    return ""
