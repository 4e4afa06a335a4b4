"""Settings from a YAML file: plain values only, no tags, no aliases, no surprises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from anmok.core.errors import UsageError
from anmok.verbs.train_settings import TrainSettings

LARGEST = 1 << 20  # bytes; a settings file has a few hundred


class _Loader(yaml.SafeLoader):
    """YAML without aliases: a few of them can stand for gigabytes (RELIABILITY item 53)."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed")
        return super().compose_node(parent, index)


def read_settings_file(path: Path) -> dict[str, Any]:
    """The settings in a YAML file, checked; `data` may be among them.

    Raises:
        UsageError: no such file, no YAML of plain values, an unknown setting or a value that does not fit.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError("this is too large for settings", path=path, allowed=f"{LARGEST} bytes")
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            "these settings cannot be read", path=path, got=reason, fix="plain `name: value` lines"
        ) from None
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise UsageError("settings are `name: value` lines", path=path, got=type(values).__name__)
    data = values.pop("data", None)
    chosen = TrainSettings.of(**values)
    found = {name: getattr(chosen, name) for name in chosen.model_fields_set}
    return found if data is None else {"data": str(data), **found}
