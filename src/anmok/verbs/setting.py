"""What settings are made of: durations, shares, fields that only some tasks have, errors in anmok's words.

This file imports no torch, so that `anmok train --help` answers at once.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from anmok.core.errors import UsageError, nearest
from anmok.core.files import unwritable

Share = Annotated[float, Field(ge=0, lt=1)]
Wish = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]

AUTO = "auto"
TaskName = Literal["classify", "multilabel", "segment", "detect", "reconstruct", "generate", "translate"]

WEIGHTS = "Of a network by its name: imagenet (downloads), random; default: published ones that are here already."

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str | float | None) -> float | None:
    """A duration such as `90`, `90s`, `5m` or `1.5h` in seconds."""
    if text is None or isinstance(text, (int, float)):
        return text
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", text.lower())
    if match is None or float(match[1]) == 0:
        raise ValueError("a duration is a number with s, m or h behind it, such as 90s, 5m or 1.5h")
    return float(match[1]) * _UNITS[match[2]]


def overlap(value: object) -> object:
    """An overlap above which one of two boxes goes, 0 to 1, or `soft`."""
    try:
        known = value is None or value == "soft" or 0 <= float(str(value)) <= 1
    except ValueError:
        known = False
    if not known:
        raise ValueError("an overlap from 0 to 1, such as 0.6, or soft")
    return value


def listed(value: object) -> object:
    """Numbers or names as one text, `3,7,20`, where Python gave a list, a range or a number."""
    if isinstance(value, (list, tuple, range)):
        return ",".join(map(str, value))
    return value if value is None else str(value)


def writable(place: Path) -> Path:
    """A file or folder that can be made."""
    if why := unwritable(place):
        raise ValueError(f"a place that can be written to, and {why}")
    return place


NewPlace = Annotated[Path, AfterValidator(writable)]


def plain_name(name: str | None) -> str | None:
    """A run's name, which is one folder's."""
    if name is not None and (not name.strip() or name in {".", ".."} or re.search(r'[/\\\0:*?"<>|]', name)):
        raise ValueError("a run's name is one folder name, such as 'flowers'")
    return name


def named_after(data: str) -> str:
    """A folder name from the data's own name."""
    stem = re.sub(r"\.(zip|tar|tgz|gz|bz2|xz|csv)", "", Path(data).expanduser().resolve().name) if data else ""
    return re.sub(r'[/\\\0:*?"<>|]', "_", stem).strip(". ") or "run"


class Settings(BaseModel):
    """What all verbs share: unknown names are refused, and the nearest known one is named."""

    model_config = ConfigDict(extra="forbid", validate_default=True)

    @classmethod
    def of(cls, **values: Any) -> Any:
        """Settings from keyword arguments; errors are `UsageError`s that say what is allowed."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise usage_error(cls, error) from None

    def refuse_foreign(self, task: str) -> None:
        """Refuse what was set and is no setting of this task (see `only`)."""
        for name in sorted(self.model_fields_set):
            value, tasks = getattr(self, name), self._tasks_of(name)
            if not self.concerns(name, task) and value != type(self).model_fields[name].default:
                raise UsageError(
                    f"--{name.replace('_', '-')} is no setting of this task", got=f"{value!r} for {task}",
                    allowed=f"for {' and '.join(tasks or ())}", fix="leave it out",
                )  # fmt: skip

    @classmethod
    def concerns(cls, name: str, task: str) -> bool:
        """Whether a task understands a setting."""
        tasks = cls._tasks_of(name)
        return tasks is None or task in tasks

    @classmethod
    def _tasks_of(cls, name: str) -> list[str] | None:
        """The tasks that understand a setting (see `only`); None: all."""
        extra = cls.model_fields[name].json_schema_extra
        tasks = extra.get("tasks") if isinstance(extra, dict) else None
        return list(map(str, tasks)) if isinstance(tasks, list) else None


def only(*tasks: str, default: Any, description: str) -> Any:
    """A field that only these tasks understand; `Settings.refuse_foreign` refuses it for all others."""
    return Field(default, description=f"{description} ({', '.join(tasks)})", json_schema_extra={"tasks": list(tasks)})


def usage_error(settings: type[BaseModel] | None, error: ValidationError) -> UsageError:
    """The first finding of pydantic, in anmok's words."""
    found = error.errors()[0]
    name = str(found["loc"][0]) if found["loc"] else "the settings"
    flag = "--" + name.replace("_", "-")
    if found["type"] == "extra_forbidden":
        known = settings.model_fields if settings else ()
        guess, allowed = nearest(name, known), ", ".join(sorted(known))
        return UsageError(f"there is no setting {name!r}", allowed=allowed, fix=guess and repr(guess))
    message = found["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    got = str(found["input"]) if isinstance(found["input"], Path) else found["input"]
    return UsageError(f"{flag} does not fit", got=repr(got), allowed=message)


GROUP_BY = (
    "Keep together what lies in one folder (folder), is numbered alike (prefix: video frames, bursts), or agrees in "
    "what this regular expression finds in the path; for a CSV's column see --group-column."
)


class DataSettings(Settings):
    """How to read a data set."""

    format: str | None = Field(None, description="Read DATA as this format instead of recognising it.")
    path_column: str | None = Field(None, description="CSV column that names the picture files.")
    label_column: str | None = Field(None, description="CSV column that holds the class.")
    split_column: str | None = Field(None, description="CSV column that names the split.")
    group_column: str | None = Field(None, description="CSV column of what must stay on one side of a split.")
    pictures: Path | None = Field(None, description="Folder that a CSV's paths start from; default: its own.")
    shape: tuple[int, int, int] | None = Field(None, description="Height, width, channels of pictures in a CSV.")
    follow_links: bool = Field(False, description="Also read what symbolic links outside the folder lead to.")

    @property
    def reading(self) -> dict[str, Any]:
        """The keyword arguments of `anmok.load_data`."""
        return {name: getattr(self, name) for name in DataSettings.model_fields}
