"""From a finished run to the plain data that `anmok.report` draws."""

from __future__ import annotations

import io
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from anmok.anatomy.dissect import anatomy
from anmok.anatomy.drawing import draw
from anmok.anatomy.structure import Anatomy
from anmok.core.errors import sentence
from anmok.engine.loop import Outcome
from anmok.engine.runfolder import RunFolder
from anmok.report import content
from anmok.report.page import write_report
from anmok.tasks._kind import Measured, Model, to_inspect
from anmok.verbs.findings import bill, findings, told
from anmok.verbs.planning import TrainingPlan
from anmok.verbs.terminal import is_share

LARGEST_DRAWING = 1_500_000  # characters


def write_training_report(
    folder: RunFolder,
    card: Mapping[str, Any],
    plan: TrainingPlan,
    model: Model,
    outcome: Outcome,
    measured: Mapping[str, Measured],
) -> None:
    """`report.html` of a training run, judged on its test split where it has one, else on validation."""
    name, classes = card["network"]["name"], len(model.classes)
    page = content.ReportContent(
        title=f"{folder.path.name}: {name}" + (f" on {classes} classes" if classes else ""),
        summary=_summary(card, plan, outcome),
        created=str(card.get("finished", "")),
        data=_data(plan),
        training=_training(card, plan, outcome),
        settings={**plan.recipe.to_json(), **{f"set {k}": v for k, v in _asked(plan).items()}},
        sheet=_sheet(folder),
        curves=_curves(plan, outcome.history, outcome.best),
        network=_network(card, plan, model),
        repeat=_repeat(card, plan),
    )
    found = measured.get("test") or measured.get("val")
    page = replace(page, warnings=_warnings(plan, found))
    if found is not None:
        page = plan.kind.page(page, model, plan.plan.decoded, found, card)
    write_report(folder.report, page)


def _summary(card: Mapping[str, Any], plan: TrainingPlan, outcome: Outcome) -> str:
    ending = {"done": "to the end of its schedule", "patience": "until validation gained no more"}.get(
        outcome.stopped, "until its time was up"
    )
    return (
        f"{card['network']['name']} was trained on {plan.dataset.splits.get('train', 0):,} pictures for "
        f"{_minutes(outcome.seconds)}, {ending}."
    )


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.1f} minutes"


def _data(plan: TrainingPlan) -> content.Data:
    dataset = plan.dataset
    counts, samples = plan.kind.sorts(plan.plan.decoded)
    sums = [
        f"{a['seen']:,} {unit} seen = {a['used']:,} used + {a['quarantined']:,} quarantined + {a['skipped']:,} skipped"
        for unit, a in dataset.accounts().items()
    ]
    facts = {
        "format": dataset.format,
        "recognised by": dataset.why,
        "place": str(dataset.root),
        "account": "; ".join(sums),
        "fingerprint": plan.fingerprint.digest,
    }
    aside = [content.SetAside(item.path, item.reason, item.fix, item.line) for item in dataset.quarantined]
    if plan.copies.limit:
        facts["not looked for"] = plan.copies.limit
    fresh = [found for found in findings(plan.copies) if not found.spoils and found.sentence not in dataset.warnings]
    warnings = [*dataset.warnings, *map(told, fresh)]
    return content.Data(counts, {k: v for k, v in facts.items() if v}, aside, warnings, samples)


def _warnings(plan: TrainingPlan, found: Measured | None) -> list[str]:
    """What the reader must know before the figures: what spoils them, and what they owe to that."""
    spoiling = [problem for problem in findings(plan.copies) if problem.spoils]
    owed = bill(plan.kind, plan.plan.decoded, found, plan.copies)
    if owed:  # which says what the leak does, and more
        fixes = [sentence(problem.fix) for problem in spoiling if problem.kind == "leak"]
        owed = [" ".join([*map(sentence, owed), *fixes])]
        spoiling = [problem for problem in spoiling if problem.kind != "leak"]
    return [*owed, *map(told, spoiling)]


def _training(card: Mapping[str, Any], plan: TrainingPlan, outcome: Outcome) -> dict[str, str]:
    parts = {name: seconds for name, seconds in outcome.parts.items() if seconds >= 0.05}
    machine = card["machine"]
    return {
        "network": str(card["network"]["name"]),
        "picture size": f"{plan.preparation.size} × {plan.preparation.size}, {plan.preparation.channels} channel(s)",
        "time": _minutes(outcome.seconds),
        "spent on": ", ".join(f"{name} {seconds:.1f} s" for name, seconds in parts.items()),
        "steps": f"{outcome.steps:,}",
        "ended": outcome.stopped,
        "computed on": f"{machine['cpu']}, {machine['cores']} cores, {machine['device']} in {machine['precision']}",
        **plan.plan.notes,
    }


def _asked(plan: TrainingPlan) -> dict[str, Any]:
    return plan.settings.model_dump(mode="json", exclude_unset=True)


def _curves(
    plan: TrainingPlan, history: Sequence[Mapping[str, Any]], best: Mapping[str, Any] | None
) -> list[content.Chart]:
    history = [row for row in history if row["epoch"]]  # what is solved at once has no epochs
    if not history:
        return []
    mark = (float(best["epoch"]), "best") if best is not None and best["epoch"] and len(history) > 1 else None
    epochs = [float(row["epoch"]) for row in history]

    def series(names: Mapping[str, str]) -> list[content.Series]:
        return [
            content.Series(label, epochs, [float(row.get(name, float("nan"))) for row in history])
            for name, label in names.items()
            if any(name in row for row in history)
        ]

    def figures(title: str, lines: Mapping[str, str]) -> content.Chart:
        found = series(lines)
        shares = all(is_share(value, one.name) for one in found for value in one.y)
        return content.Chart(title, found, kind="share" if shares else "number", mark=mark)

    drawn = {name for lines in plan.kind.curves.values() for name in lines}
    losses = [name for name in history[0] if name.startswith(("train_", "val_")) and name not in drawn]
    named = {"train_loss": "training (augmented)", "val_loss": "validation"}
    charts = [
        content.Chart("Loss", series({name: named.get(name, _plain(name)) for name in losses}), mark=mark),
        *(figures(title, lines) for title, lines in plan.kind.curves.items()),
        content.Chart("Learning rate", series({name: name for name in history[0] if name.startswith("lr")})),
    ]
    return [chart for chart in charts if chart.series]


def _plain(column: str) -> str:
    """A column of results.csv in words: `val_cross_entropy` is the validation's cross entropy."""
    split, _, figure = column.partition("_")
    return f"{ {'train': 'training', 'val': 'validation'}[split] }, {figure.replace('_', ' ')}"


def _network(card: Mapping[str, Any], plan: TrainingPlan, model: Model) -> content.Network:
    try:
        found = anatomy(*to_inspect(model))
        drawing = _drawing(found, str(card["network"]["name"]))
    except Exception as error:  # the report is worth more without this table than not at all
        return content.Network(str(card["network"]["name"]), facts={"anatomy": f"could not be taken: {error}"})
    facts = {"parameters": f"{found.parameters:,}", "multiply-adds": f"{found.macs:,} a picture"}
    return content.Network(str(card["network"]["name"]), [_layer(row) for row in found.table()], facts, drawing)


def _layer(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader wants to know of a layer; `anmok inspect --json` has everything."""
    fields = [field for field in row["receptive_field"] if field]
    seen = "all" if fields and all(field["whole"] for field in fields) else [field["size"] for field in fields]
    told = {name: row[name] for name in ("name", "kind", "output", "kernel", "stride", "padding", "parameters")}
    return {**told, "multiply-adds": row["macs"], "sees": seen or None}


def _sheet(folder: RunFolder) -> bytes | None:
    """The augmentation sheet as a JPEG: a report is sent by mail."""
    path = folder.path / "augmentation.png"
    if not path.exists():
        return None
    stream = io.BytesIO()
    with Image.open(path) as opened:
        opened.convert("RGB").save(stream, "JPEG", quality=82)
    return stream.getvalue()


def _drawing(found: Anatomy, title: str) -> str | None:
    """The network drawn to size as an SVG's text; None where it would make the page too heavy to send."""
    text = draw(found, title=title).svg()
    return text if len(text) <= LARGEST_DRAWING else None


def _repeat(card: Mapping[str, Any], plan: TrainingPlan) -> content.Repeat:
    asked = {name: value for name, value in _asked(plan).items() if name != "resume" and value is not None}
    command = ["anmok", "train", plan.data, *(word for name, value in asked.items() for word in _flag(name, value))]
    facts = {
        "seed": str(card["seed"]),
        "fingerprint": plan.fingerprint.digest,
        "system": str(card["machine"]["system"]),
    }
    return content.Repeat(shlex.join(command), facts | dict(card["versions"]))


def _flag(name: str, value: Any) -> list[str]:
    """A setting as the command line takes it."""
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    values = value if isinstance(value, list) else [value]
    return [f"--{flag}", *map(str, values)]
