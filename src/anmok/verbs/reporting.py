"""From a finished run to the plain data that `anmok.report` draws."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from anmok.anatomy.dissect import anatomy
from anmok.engine.loop import Outcome
from anmok.engine.runfolder import RunFolder
from anmok.explain.class_activation import class_activation
from anmok.explain.overlay import overlay
from anmok.metrics.calibration import apply_temperature, reliability_bins
from anmok.report import content
from anmok.report.page import write_report
from anmok.tasks.classify import Classify
from anmok.verbs.evaluate import Measured
from anmok.verbs.planning import TrainingPlan

SHOWN_PER_CLASS, SHOWN_PER_CELL, WORST = 6, 12, 12  # pictures
HEADLINES = ("accuracy", "top5_accuracy", "macro_f1", "expected_calibration_error")


def write_training_report(
    folder: RunFolder,
    card: Mapping[str, Any],
    plan: TrainingPlan,
    task: Classify,
    outcome: Outcome,
    measured: Mapping[str, Measured],
) -> None:
    """`report.html` of a training run, judged on its test split where it has one, else on validation."""
    found = measured.get("test") or measured.get("val")
    parts = content.ReportContent(
        title=f"{folder.path.name}: {card['network']['name']} on {len(plan.dataset.classes)} classes",
        summary=_summary(card, plan, outcome, found),
        created=str(card.get("finished", "")),
        figures=_headlines(found),
        data=_data(plan),
        training=_training(card, plan, outcome),
        settings={**plan.recipe.to_json(), **{f"set {k}": v for k, v in _asked(plan).items()}},
        curves=_curves(outcome.history, outcome.best),
        confusion=_confusion(found, plan) if found else None,
        classes=[_class_line(row) for row in found.summary.classes] if found else (),
        calibration=_calibration(found, float(card.get("temperature", 1.0))) if found else None,
        mistakes=_worst(found, plan, task) if found else (),
        doubtful=_doubtful(found, plan) if found else (),
        network=_network(card, plan, task),
        repeat=_repeat(card, plan),
    )
    write_report(folder.report, parts)


def _summary(card: Mapping[str, Any], plan: TrainingPlan, outcome: Outcome, found: Measured | None) -> str:
    ending = {"done": "to the end of its schedule", "patience": "until validation gained no more"}.get(
        outcome.stopped, "until its time was up"
    )
    text = (
        f"{card['network']['name']} was trained on {plan.dataset.splits.get('train', 0):,} pictures for "
        f"{_minutes(outcome.seconds)}, {ending}."
    )
    if found is None:
        return text
    accuracy = found.summary.figures["accuracy"]
    return (
        f"{text} On {accuracy.n:,} {found.split} pictures it never learned from, {accuracy.value:.1%} of its answers "
        f"are right (95 % interval {accuracy.low:.1%} to {accuracy.high:.1%})."
    )


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.1f} minutes"


def _headlines(found: Measured | None) -> list[content.Figure]:
    if found is None:
        return []
    figures = [(name, found.summary.figures[name]) for name in HEADLINES if name in found.summary.figures]
    return [
        content.Figure(name.replace("_", " "), f.value, f.low, f.high, note=f"{f.n:,} {found.split} pictures")
        for name, f in figures
    ]


def _data(plan: TrainingPlan) -> content.Data:
    dataset, loader = plan.dataset, plan.decoded.loader("train", 1)
    counts: dict[str, dict[str, int]] = {name: {} for name in dataset.classes}
    for entry in dataset.entries:
        row = counts[dataset.classes[entry.target]]
        row[entry.split or ""] = row.get(entry.split or "", 0) + 1
    samples = {}
    for index, name in enumerate(dataset.classes):
        rows = loader.rows[loader.targets == index][:SHOWN_PER_CLASS]
        samples[name] = list(plan.decoded.source.gather(rows)) if len(rows) else []
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
    return content.Data(counts, {k: v for k, v in facts.items() if v}, aside, dataset.warnings, samples)


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
        "mirroring": plan.symmetry.verdict if plan.symmetry else "",
    }


def _asked(plan: TrainingPlan) -> dict[str, Any]:
    return plan.settings.model_dump(mode="json", exclude_unset=True)


def _curves(history: Sequence[Mapping[str, Any]], best: Mapping[str, Any] | None) -> list[content.Chart]:
    if not history:
        return []
    mark = (float(best["epoch"]), "best") if best is not None and len(history) > 1 else None
    epochs = [float(row["epoch"]) for row in history]

    def series(names: Mapping[str, str]) -> list[content.Series]:
        return [
            content.Series(label, epochs, [float(row.get(name, float("nan"))) for row in history])
            for name, label in names.items()
            if any(name in row for row in history)
        ]

    charts = [
        content.Chart("Loss", series({"loss": "training (augmented)", "val_loss": "validation"}), mark=mark),
        content.Chart("Accuracy", series({"val_accuracy": "validation"}), kind="share", mark=mark),
        content.Chart("Learning rate", series({name: name for name in history[0] if name.startswith("lr")})),
    ]
    return [chart for chart in charts if chart.series]


def _confusion(found: Measured, plan: TrainingPlan) -> content.Confusion:
    scores, answers = found.scores, found.logits.argmax(1)
    cells: dict[tuple[int, int], list[content.Shown]] = {}
    for i in np.argsort(-scores.max(1), kind="stable"):
        cell = (int(found.targets[i]), int(answers[i]))
        if cell[0] != cell[1] and len(cells.setdefault(cell, [])) < SHOWN_PER_CELL:
            cells[cell].append(_shown(found, plan, int(i)))
    return content.Confusion(plan.dataset.classes, found.summary.confusion, cells)


def _shown(found: Measured, plan: TrainingPlan, i: int, heat: np.ndarray | None = None) -> content.Shown:
    picture = plan.decoded.source.gather(found.rows[i : i + 1])[0]
    classes, answer = plan.dataset.classes, int(found.logits[i].argmax())
    return content.Shown(
        picture,
        found.ids[i],
        classes[answer],
        float(found.scores[i, answer]),
        classes[int(found.targets[i])],
        None if heat is None else overlay(picture, heat),
    )


def _worst(found: Measured, plan: TrainingPlan, task: Classify) -> list[content.Shown]:
    """The surest wrong answers, each with what the network looked at."""
    answers, scores = found.logits.argmax(1), found.scores.max(1)
    wrong = np.flatnonzero(answers != found.targets)
    chosen = wrong[np.argsort(-scores[wrong], kind="stable")][:WORST]
    return [_shown(found, plan, int(i), _heat(plan, task, int(found.rows[i]))) for i in chosen]


def _heat(plan: TrainingPlan, task: Classify, row: int) -> np.ndarray | None:
    size, store = plan.preparation.size, plan.preparation.store
    pixels = plan.decoded.source.gather(np.array([row]))
    edge = (store - size) // 2
    picture = torch.from_numpy(pixels[:, edge : edge + size, edge : edge + size].copy()).permute(0, 3, 1, 2)
    try:
        heat = class_activation(task.network, task.normalise(picture)[0]).heat
    except Exception:  # a network of the person's own may have no maps to weigh; the report does without
        return None
    padded = np.zeros((store, store), np.float32)
    padded[edge : edge + size, edge : edge + size] = heat
    return padded


def _doubtful(found: Measured, plan: TrainingPlan) -> list[content.Shown]:
    """Pictures between two answers: the smallest lead of the first over the second."""
    if found.scores.shape[1] < 2:
        return []
    ordered = np.sort(found.scores, axis=1)
    chosen = np.argsort(ordered[:, -1] - ordered[:, -2], kind="stable")[:WORST]
    return [_shown(found, plan, int(i)) for i in chosen]


def _class_line(row: Any) -> content.ClassLine:
    figures = ((f.value, f.low, f.high) for f in (row.precision, row.recall, row.f1))
    return content.ClassLine(row.name, row.pictures, *figures)


def _calibration(found: Measured, temperature: float) -> content.Calibration:
    before = reliability_bins(found.targets, found.scores)
    after = reliability_bins(found.targets, apply_temperature(found.logits, temperature))
    values = {f.name: getattr(after, f.name) for f in dataclasses.fields(after)}
    return content.Calibration(
        list(values["confidence"]), list(values["accuracy"]), list(values["count"]), after.error, temperature,
        before.error,
    )  # fmt: skip


def _network(card: Mapping[str, Any], plan: TrainingPlan, task: Classify) -> content.Network:
    shape = (plan.preparation.channels, plan.preparation.size, plan.preparation.size)
    try:
        found = anatomy(task.network, shape)
    except Exception as error:  # the report is worth more without this table than not at all
        return content.Network(str(card["network"]["name"]), facts={"anatomy": f"could not be taken: {error}"})
    facts = {"parameters": f"{found.parameters:,}", "multiply-adds": f"{found.macs:,} a picture"}
    return content.Network(str(card["network"]["name"]), found.table(), facts)


def _repeat(card: Mapping[str, Any], plan: TrainingPlan) -> content.Repeat:
    flags = " ".join(
        f"--{name.replace('_', '-')}" if value is True else f"--no-{name}" if value is False
        else f"--{name.replace('_', '-')} {value}" for name, value in _asked(plan).items() if name != "resume"
    )  # fmt: skip
    facts = {"seed": str(card["seed"]), "fingerprint": plan.fingerprint.digest}
    return content.Repeat(f"anmok train {plan.data} {flags}".strip(), facts | dict(card["versions"]))
