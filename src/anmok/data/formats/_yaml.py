"""Small YAML files of plain values: no tags, and no aliases, a few of which can stand for gigabytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from anmok.core.errors import DataError

LARGEST = 1 << 20  # bytes; a data.yaml has some hundred


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not read")
        return super().compose_node(parent, index)


def read_yaml(path: Path) -> Any:
    """The value of a file.

    Raises:
        DataError: it cannot be read, is too large, or is no YAML of plain values.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise DataError("the file is too large for a description", path=path, allowed=f"{LARGEST:,} bytes")
        return yaml.load(path.read_text(encoding="utf-8-sig"), _Loader)
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise DataError(
            "the YAML cannot be read",
            path=path,
            line=mark.line + 1 if mark else None,
            got=" ".join(str(getattr(error, "problem", None) or error).split())[:200],
            fix="plain `name: value` lines",
        ) from None
