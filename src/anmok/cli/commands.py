"""One function a command: its flags are the verb's settings, its body prints what the verb returns.

Results go to standard output, everything else to standard error. Verbs are imported inside, so that `--help` answers
without waiting for torch.
"""

from __future__ import annotations

import dataclasses
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import BaseModel

from anmok.cli import settled, show, show_contest
from anmok.cli.ahead import decode_meanwhile
from anmok.verbs.generate_settings import GenerateSettings
from anmok.verbs.settings import (
    CheckSettings,
    CompareSettings,
    DemoSettings,
    EvalSettings,
    ExplainSettings,
    ExportSettings,
    InspectSettings,
    PredictSettings,
)
from anmok.verbs.train_settings import TrainSettings

Flags = Parameter(name="*")
Json = Annotated[bool, Parameter(negative=(), help="Print the result as JSON.")]
Quiet = Annotated[bool, Parameter(negative=(), help="Print nothing but the result.")]


def demo_command(
    *, settings: Annotated[DemoSettings | None, Flags] = None, json: Json = False, quiet: Quiet = False
) -> int:
    """The whole journey on bundled pictures, offline, in about a minute."""
    run = _verb("demo")(quiet=quiet or json, **_given(settings))
    return show.print_run(run, not json)


def check_command(
    data: str, /, *, settings: Annotated[CheckSettings | None, Flags] = None, json: Json = False, quiet: Quiet = False
) -> int:
    """What is this data, which task fits, what is wrong with it. Exit code 1 where that would spoil training.

    Pictures or labels lost, copies or groups on both sides of a split, copies with different labels, a class alone,
    of one picture, spelt in two ways or without training pictures spoil it; the rest is worth a look.

    Parameters
    ----------
    data
        A folder, a CSV, IDX files, an archive of these, or the name of a known data set such as fashion-mnist.
    """
    given = _given(settings)
    if not json and "html" not in given:
        given["html"] = _verb("check", "default_page")(data)
    found = _verb("check")(data, quiet=quiet or json, **given)
    print(show.as_json(found.to_json()) if json else show.check_text(found))
    return 1 if found.spoils else 0


def train_command(
    data: str | None = None,
    /,
    *,
    settings: Annotated[TrainSettings | None, Flags] = None,
    settings_file: Annotated[Path | None, Parameter(name="--settings", help="YAML of settings; flags win.")] = None,
    seeds: Annotated[
        int | None, Parameter(help="Train so many times, with seeds in sequence; mean and spread.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Learn from pictures: the run folder holds weights, card, curves and report.

    Parameters
    ----------
    data
        A folder of class folders, a CSV, IDX files, an archive of these, or the name of a known data set.
    """
    given = _given(settings)
    if settings_file is not None:
        from_file = _verb("settings_file", "read_settings_file")(settings_file)
        data = data or from_file.pop("data", None)
        from_file.pop("data", None)
        given = {**from_file, **given}
    decode_meanwhile(data, given)
    if seeds is not None:
        found = _verb("seeds", "train_seeds")(data, seeds=seeds, quiet=quiet or json, **given)
        print(show.as_json(found.to_json()) if json else show.seeds_text(found))
        return 0
    run = _verb("train")(data, quiet=quiet or json, **given)
    return show.print_run(run, not json)


def eval_command(
    run: str,
    other: str | None = None,
    data: str | None = None,
    /,
    *,
    settings: Annotated[EvalSettings | None, Flags] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Measure a run on its test split, or on other data: RUN, RUN DATA. Compare two: RUN RUN2, RUN RUN2 DATA.

    Parameters
    ----------
    run
        A run's folder, such as runs/classify/demo; with DATA also a network with published weights.
    other
        Another run to compare with, or labelled pictures; left out: the run's own.
    data
        Labelled pictures for both runs; left out: their own, which must be the same.
    """
    given = _given(settings)
    opened = _subject(run, given)
    if other is not None and (data is not None or _is_run(other)):
        found = _verb("duel")(opened, _subject(other, given), data, quiet=quiet or json, **given)
        print(show.as_json(found.to_json()) if json else show.duel_text(found))
        return 0
    data = other
    report = _verb("evaluate")(opened, data, quiet=quiet or json, **given)
    if json:
        print(show.as_json({"figures": report.figures, "tables": report.tables}))
    else:
        show.print_report(report)
    return 0


def predict_command(
    subject: str,
    pictures: Annotated[list[str], Parameter(consume_multiple=True)],
    /,
    *,
    settings: Annotated[PredictSettings | None, Flags] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Answer for pictures: files, folders, globs. Exit code 1 where some could not be read.

    Parameters
    ----------
    subject
        A run's folder, or a network with published weights: efficientnet_lite0, resnet50, timm:convnext_tiny.
    pictures
        Files, folders and globs.
    """
    given = _given(settings)
    answers = _verb("predict")(subject, pictures, quiet=quiet or json, ahead=True, **given)
    if json:
        for row in show.answer_rows(answers, given.get("top", 1)):
            print(show.as_json(row, indent=None))
    elif "to" not in given:
        show.print_answers(answers, given.get("top", 1))
    unsure = sum(answer.sure is False for answer in answers)
    if unsure and not quiet:
        print(f'"I don\'t know" for {unsure} of {len(answers)}: the run is too unsure', file=sys.stderr)
    failed = sum(answer.error is not None for answer in answers)
    if failed and not quiet:
        print(f"{failed} of {len(answers)} could not be answered", file=sys.stderr)
    return 1 if failed else 0


def explain_command(
    subject: str,
    picture: Path,
    /,
    *,
    settings: Annotated[ExplainSettings | None, Flags] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Why this answer: a heat map over the picture, and whether to trust it.

    Parameters
    ----------
    subject
        A run's folder, or a network with published weights: efficientnet_lite0, resnet50, timm:convnext_tiny.
    picture
        A picture file.
    """
    found = _verb("explain")(subject, picture, quiet=quiet or json, **_given(settings))
    if json:
        verdict = None if found.verdict is None else dataclasses.asdict(found.verdict)
        print(show.as_json({"answer": found.answer, "score": found.score, "png": str(found.png), "verdict": verdict}))
    else:
        print(f"{found.picture}: {found.answer} ({found.score:.0%}); {found.png}")
        if found.verdict is not None and not quiet:
            print(found.verdict.sentence)
    return 0


def inspect_command(
    subject: str, /, *, settings: Annotated[InspectSettings | None, Flags] = None, json: Json = False,
    quiet: Quiet = False,
) -> int:  # fmt: skip
    """What a network is: layers, parameters, multiply-adds, what each layer sees; its drawing, filters and maps.

    Parameters
    ----------
    subject
        A network's name (resnet18, timm:convnext_tiny) or a run's folder.
    """
    found = _verb("inspect")(subject, **_given(settings))
    if json:
        print(show.as_json({"anatomy": found.anatomy.to_json(), "pictures": [str(path) for path in found.pictures]}))
        return 0
    print(found.text)
    for path in found.pictures if not quiet else ():
        print(path)
    return 0


def compare_command(
    nets: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    /,
    *,
    settings: Annotated[CompareSettings | None, Flags] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Which network: structure, published accuracy, speed and memory measured on this machine, and advice.

    Parameters
    ----------
    nets
        Names, e.g. alexnet vgg16 resnet18 densenet121 timm:convnext_tiny. With --task: pictures first, if not
        --data, then networks to train on them, or runs; none: the task's own, e.g. R-CNN to today's detector.
    """
    found = _verb("compare")(*(nets or []), quiet=quiet or json, **_given(settings))
    if hasattr(found, "contestants"):
        print(show.as_json(found.to_json())) if json else show_contest.print_contest(found)
    elif json:
        rows = [knife.as_row() for knife in found.knives]
        keys = ("imgsz", "machine", "take", "advice", "png")
        print(show.as_json({"networks": rows, **{key: getattr(found, key) for key in keys}}))
    else:
        show.print_comparison(found)
    return 0


def generate_command(
    subject: str, /, *, settings: Annotated[GenerateSettings | None, Flags] = None, json: Json = False,
    quiet: Quiet = False,
) -> int:  # fmt: skip
    """Draw pictures from seeds. A seed names a picture: the same one gives the same bits, alone or among others.

    Parameters
    ----------
    subject
        The folder of a run that generates, such as runs/generate/samples, or a shipped generator's file.
    """
    found = _verb("generate")(subject, quiet=quiet or json, **_given(settings))
    print(show.as_json(found.to_json()) if json else found.sheet)
    return 0


def export_command(
    subject: str, /, *, settings: Annotated[ExportSettings | None, Flags] = None, json: Json = False,
    quiet: Quiet = False,
) -> int:  # fmt: skip
    """One file that answers without torch: anmok predict FILE. Refused where its answers are not the run's.

    Parameters
    ----------
    subject
        A run's folder, or a network with published weights: efficientnet_lite0, resnet50, timm:convnext_tiny.
    """
    found = _verb("export")(subject, quiet=quiet or json, **_given(settings))
    print(show.as_json(found.to_json()) if json else found.path)
    return 0


def _verb(name: str, function: str | None = None) -> Any:
    module = import_module(f"anmok.verbs.{name}")
    settled()
    return getattr(module, function or name)


def _subject(name: str, given: dict[str, Any]) -> Any:
    return _verb("opened", "subject_of")(name, given.pop("weights", None), device=given.get("device", "auto"))


def _is_run(place: str) -> bool:
    return (Path(place) / "card.json").is_file()


def _given(settings: BaseModel | None) -> dict[str, Any]:
    """Only what the person set: the verb knows its own defaults."""
    return {} if settings is None else {name: getattr(settings, name) for name in settings.model_fields_set}
