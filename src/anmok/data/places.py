"""Where this machine keeps what can be made again: extracted archives and data sets fetched by name."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder(room: str) -> Path:
    """The user's cache folder for `room`, not created. `ANMOK_CACHE` moves it elsewhere."""
    if chosen := os.environ.get("ANMOK_CACHE"):
        return Path(chosen) / room
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "anmok" / room
