"""Which network for these pictures and this time, in words, with the reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anmok.verbs.knife import Knife
from anmok.verbs.settings import CompareSettings

EPOCHS_FROM_SCRATCH, EPOCHS_FINE_TUNING = 30, 5
AN_HOUR = 3600.0  # where no time is given
SMALL = 64  # pixels up to which what ImageNet taught a network's first layers does not fit
MANY = 200_000  # pictures from which learning from nothing catches up with fine-tuning
COARSE = 3  # cells a side: with fewer, the last map hardly says where anything is
WEIGHTS_A_PICTURE = 500  # beyond this a network that starts from nothing rather memorises than learns


@dataclass(frozen=True)
class Advice:
    """The network to take (None: none of them) and the sentence that says why."""

    take: str | None
    text: str


def advise(knives: Sequence[Knife], asked: CompareSettings) -> Advice:
    """A recommendation for `asked.pictures` pictures of `asked.imgsz` pixels within `asked.time` seconds.

    Photographs with published weights are fine-tuned, anything else learns from nothing. What does not train in time
    is out; so is, if anything is left without it, what answers on too coarse a map or has too many weights for the
    pictures. Of the rest: fine-tuned, the best published accuracy; from nothing, the newest design. Where the networks
    were tried on the person's own pictures, that decides instead.
    """
    if all(knife.probe is not None for knife in knives):
        return _tried(knives)
    tuned = asked.imgsz > SMALL and asked.pictures < MANY and any(knife.pretrained for knife in knives)
    able = [knife for knife in knives if knife.pretrained or not tuned]
    epochs = EPOCHS_FINE_TUNING if tuned else EPOCHS_FROM_SCRATCH
    budget = asked.time or AN_HOUR
    seconds = {knife.name: training_seconds(knife, asked.pictures, epochs) for knife in knives}
    in_time = [knife for knife in able if (seconds[knife.name] or 0) <= budget]
    reckoned = f"Reckoned with {_circumstances(asked, tuned, epochs)}."
    if not in_time:
        least = min(able, key=lambda knife: seconds[knife.name] or 0)
        return Advice(None, f"None of these trains within {spoken(budget)}: the quickest, {least.name}, takes about "
                      f"{spoken(seconds[least.name] or 0)}. {reckoned} Try a smaller network such as small_resnet, "
                      "smaller pictures, or more time.")  # fmt: skip
    objections = {knife.name: _objections(knife, asked, tuned) for knife in in_time}
    fewest = min(map(len, objections.values()))
    best = max(
        (knife for knife in in_time if len(objections[knife.name]) == fewest), key=_worth_tuned if tuned else _worth
    )
    but = f" But {' and '.join(objections[best.name])}." if objections[best.name] else ""
    others = [f"{name}: {' and '.join(said)}" for name, said in objections.items() if said and name != best.name]
    others += [f"{k.name}: training takes {spoken(seconds[k.name] or 0)}" for k in able if k not in in_time]
    others += [f"{k.name}: no published weights" for k in knives if k not in able]
    not_taken = f" Not taken: {'; '.join(others)}." if others else ""
    return Advice(
        best.name, f"Take {best.name}: {_reasons(best, seconds[best.name], tuned)}.{but} {reckoned}{not_taken}"
    )


def by_cost(knives: Sequence[Knife], asked: CompareSettings) -> Advice:
    """Where no published figure compares the networks (they segment): the cheapest first, and a trial decides."""
    first = min(knives, key=lambda knife: knife.cost.train_s if knife.cost else float(knife.macs))
    of_cost = "takes the least time to train" if first.cost else "has the fewest multiply-adds"
    said = f"Begin with {first.name}: it {of_cost}. No published figure says which of these is right on your pictures"
    if len(knives) == 1:
        return Advice(first.name, said + ".")
    other = max(knives, key=lambda knife: knife.parameters).name
    return Advice(first.name, f"{said}: train it and another, {other} say, and let `anmok eval RUN RUN2` decide.")


def _tried(knives: Sequence[Knife]) -> Advice:
    """Of the networks whose difference to the best one on these pictures may be chance, the one that costs least."""
    probes = {knife.name: knife.probe for knife in knives if knife.probe is not None}
    best = max(probes, key=lambda name: probes[name].value)
    level = [knife for knife in knives if probes[knife.name].high >= probes[best].low]
    take = min(level, key=lambda knife: knife.cost.one_s if knife.cost else float(knife.macs))
    of_cost = f"answers one picture in {take.cost.one_s * 1e3:.0f} ms" if take.cost else "has the fewest multiply-adds"
    said = f"Take {take.name}: {100 * probes[take.name].value:.1f} % right on your pictures, and it {of_cost}"
    if take.name != best:
        said += f"; {best} was right on {100 * probes[best].value:.1f} %, which may be chance"
    weaker = [name for name in probes if probes[name].high < probes[best].low]
    return Advice(take.name, said + "." + (f" Weaker beyond chance: {', '.join(weaker)}." if weaker else ""))


def training_seconds(knife: Knife, pictures: int, epochs: int) -> float | None:
    """Steps alone, without decoding and evaluation; None where nothing was measured."""
    return None if knife.cost is None else pictures * epochs * knife.cost.train_s / knife.cost.batch


def _circumstances(asked: CompareSettings, tuned: bool, epochs: int) -> str:
    time = f"{spoken(asked.time)} to train" if asked.time else f"{spoken(AN_HOUR)} to train, since no --time was given"
    if tuned:
        start = f"published weights tuned for {epochs} epochs, because what a million photographs taught carries over"
    else:
        why = (
            f"pictures of up to {SMALL} pixels are too small for what ImageNet taught" if asked.imgsz <= SMALL
            else "so many pictures teach as much themselves" if asked.pictures >= MANY
            else "none of these has published weights"
        )  # fmt: skip
        start = f"{epochs} epochs from random weights, because {why}"
    return f"{asked.pictures:,} pictures of {asked.imgsz} pixels, {time}, and {start}"


def _objections(knife: Knife, asked: CompareSettings, tuned: bool) -> list[str]:
    said = []
    if knife.cells is not None and knife.cells < COARSE:
        said.append(f"its last map has {max(1, round(knife.cells))} cells a side for {asked.imgsz} pixels")
    if not tuned and knife.parameters > WEIGHTS_A_PICTURE * asked.pictures:
        said.append(f"{knife.parameters / asked.pictures:,.0f} weights a picture are more than they can teach")
    return said


def _worth_tuned(knife: Knife) -> tuple[float, ...]:
    return (knife.top1 or 0.0, -knife.parameters)


def _worth(knife: Knife) -> tuple[float, ...]:
    return (float(knife.year), knife.top1 or 0.0, -knife.parameters)


def _reasons(best: Knife, seconds: float | None, tuned: bool) -> str:
    reasons = []
    if tuned and best.top1 is not None:
        reasons.append(f"the best published accuracy of those that fit, {best.top1:.1f} % top-1 on ImageNet")
    elif not tuned:
        reasons.append(f"the newest design of those that fit ({best.year})")
    if best.cost is not None and seconds is not None:
        reasons.append(f"it trains in about {spoken(seconds)} here")
        reasons.append(f"answers one picture in {best.cost.one_s * 1e3:.0f} ms")
    else:
        reasons.append("time was not measured")
    return ", ".join(reasons)


def spoken(seconds: float) -> str:
    """A duration as people say it.

    >>> spoken(90), spoken(3600), spoken(9000)
    ('90 s', '60 minutes', '2.5 hours')
    """
    if seconds < 120:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
