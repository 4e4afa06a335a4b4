"""Memory that was given back is kept for what comes next, where GNU's C library decides that (most Linux systems).

Left alone it returns every few dozen megabytes to the system, which hands them out again page by page and empty: 200 to
500 pages for a decoded photograph, which was a quarter of decoding it; and for a step of training all that its maps
take, which was a tenth of training resnet18 at 224 pixels. Keeping them costs a twentieth more memory at the peak. (Two
cores, 17.1 and 15.5 s an epoch, n = 2; 1,457 and 1,527 MiB.)
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress

_LARGEST = 32 << 20  # bytes of a block that is kept
_SPARE, _SPARE_OF_CHILD = 1 << 30, 64 << 20  # and of unused memory that is
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1  # as <malloc.h> numbers them
_CHOSEN = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")

IN_CHILDREN = dict(zip(_CHOSEN, (str(_LARGEST), str(_SPARE_OF_CHILD)), strict=True))
"""The same for a process that is being started: variables of its environment."""


def keep_memory() -> None:
    """From now on, in this process. What the person chose by the C library's own variables stays."""
    if not sys.platform.startswith("linux") or any(name in os.environ for name in _CHOSEN):
        return
    with suppress(OSError, AttributeError):  # another C library
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGEST)
        library.mallopt(_M_TRIM_THRESHOLD, _SPARE)
