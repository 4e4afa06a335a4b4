"""Which network for these pictures and this time, in words, with the reasons."""

from __future__ import annotations

from collections.abc import Sequence

from anmok.verbs.knife import Knife
from anmok.verbs.settings import CompareSettings

EPOCHS_FROM_SCRATCH, EPOCHS_FINE_TUNING = 30, 5
FEW = 5_000  # pictures below which a network that starts from nothing rarely learns what a pretrained one knows
SMALL = 64  # pixels below which ImageNet's first layers throw away what there is


def advise(knives: Sequence[Knife], asked: CompareSettings) -> str:
    """A recommendation for `asked.pictures` pictures of `asked.imgsz` pixels within `asked.time` seconds."""
    costs = [knife for knife in knives if knife.cost is not None]
    if not costs:
        return "Without measuring (--measure) there is no advice: what a network costs depends on the machine."
    pretrained = asked.pictures < FEW and asked.imgsz > SMALL and any(knife.top1 for knife in costs)
    epochs = EPOCHS_FINE_TUNING if pretrained else EPOCHS_FROM_SCRATCH
    budget = asked.time or 3600.0
    seconds = {knife.name: _training_seconds(knife, asked.pictures, epochs) for knife in costs}
    fitting = [knife for knife in costs if seconds[knife.name] <= budget and (knife.top1 or not pretrained)]
    start = "published weights, fine-tuned" if pretrained else "random weights"
    why = [
        f"{asked.pictures:,} pictures of {asked.imgsz} pixels and {_spoken(budget)}: {start}, about {epochs} epochs",
        "few pictures teach little that ImageNet's million has not taught already"
        if pretrained
        else "these pictures are too small for ImageNet's first layers"
        if asked.imgsz <= SMALL
        else "there are enough pictures to learn from nothing",
    ]
    if not fitting:
        least = min(costs, key=lambda knife: seconds[knife.name])
        return (
            f"None of these fits: {'; '.join(why)}. The cheapest, {least.name}, would train about "
            f"{_spoken(seconds[least.name])}. Try a smaller network (small_resnet), smaller pictures, or more time."
        )
    best = max(fitting, key=lambda knife: _worth(knife, pretrained))
    assert best.cost is not None
    reasons = [
        f"it trains in about {_spoken(seconds[best.name])} here",
        f"answers one picture in {best.cost.one_s * 1e3:.0f} ms",
    ]
    if best.top1 is not None:
        reasons.append(f"scored {best.top1:.1f} % top-1 on ImageNet ({best.source})")
    dropped = [f"{k.name} ({_spoken(seconds[k.name])})" for k in costs if seconds[k.name] > budget]
    rest = f" Too slow for the time: {', '.join(dropped)}." if dropped else ""
    return f"Take {best.name}: {', '.join(reasons)}. Reckoned with {'; '.join(why)}.{rest}"


def _training_seconds(knife: Knife, pictures: int, epochs: int) -> float:
    assert knife.cost is not None
    return pictures * epochs * knife.cost.train_s / knife.cost.batch


def _worth(knife: Knife, pretrained: bool) -> tuple[float, float]:
    """Published accuracy first; where none counts, the newer design, then the smaller one."""
    if pretrained or knife.top1 is not None:
        return (knife.top1 or 0.0, -knife.parameters)
    return (float(knife.year) / 100, -knife.parameters)


def _spoken(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
