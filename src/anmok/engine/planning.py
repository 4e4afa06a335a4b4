"""How many steps a stage takes: as many as its epochs have, or as many as the time allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from anmok.core.task import Stage
from anmok.core.types import Batch
from anmok.engine.callbacks import spoken
from anmok.engine.forecast import Forecast, forecast
from anmok.engine.session import Session

_MARGIN = 0.93  # of the time budget is planned: machines are not equally fast all the time


def plan_stage(stage: Stage, session: Session, trial: Callable[[Batch, int], None]) -> Forecast | None:
    """Set the position's `total` unless a checkpoint brought it, and return the forecast if one was measured.

    The total is saved with every checkpoint: a resumed run keeps the plan, and with it its schedules. Of a time budget,
    each of the remaining stages gets a share by its weight; what one leaves over goes to the next.

    Args:
        stage: the stage about to begin or to go on.
        session: the session whose position is set.
        trial: trains on one batch at a step's number, to be measured.
    """
    position, options = session.position, session.options
    batches = len(stage.batches)
    if position.total and position.batches != batches:
        _replan(session, batches)
    if position.total:
        return None
    position.batches, position.total = batches, stage.epochs * batches
    if not options.forecast and options.time_s is None:
        return None
    session.watch.lap("own")
    with session.signals.interruptible():
        measured = forecast(
            stage,
            session.task,
            trial,
            device=session.devices.device,
            steps=position.total,
            evaluate=options.time_s is not None,
            fixed=session.devices.world > 1,
        )
    session.watch.lap("forecast")
    if options.time_s is not None:
        weights = [plan.weight for plan in session.task.stages()[position.plan :]]
        seconds = (options.time_s - session.seconds) * _MARGIN * weights[0] / sum(weights)
        position.total = session.devices.agree(planned_steps(measured, seconds, batches, stage.epochs))
        measured = replace(measured, seconds_total=measured.seconds_of(position.total, batches))
    if session.leading:
        session.message(_told(measured, position.total, stage))
    return measured


def _told(measured: Forecast, steps: int, stage: Stage) -> str:
    """The forecast in a sentence, before the first step."""
    memory = f", at most about {measured.bytes_peak / 2**20:,.0f} MiB of memory" if measured.bytes_peak else ""
    epochs = steps / len(stage.batches)
    return f"forecast: {spoken(measured.seconds_total)} for {steps:,} steps ({epochs:.3g} epochs){memory}"


def _replan(session: Session, batches: int) -> None:
    """The batch size changed (after memory ran out, say): begin the current epoch again."""
    position = session.position
    position.total = max(1, round(position.total * batches / position.batches))
    position.step, position.batch, position.sums, position.batches = position.epoch * batches, 0, {}, batches
    session.message(
        f"The run was saved with other batches; epoch {position.epoch + 1} begins again. "
        "The result will not equal that of an uninterrupted run."
    )


def planned_steps(forecast: Forecast, seconds: float, batches: int, epochs: int) -> int:
    """Steps that fit into `seconds` together with an evaluation an epoch, at least 1 and at most `epochs` epochs."""
    step, evaluate = forecast.seconds_per_step, forecast.seconds_evaluate or 0.0
    per_epoch = batches * step + evaluate
    whole = int(seconds // per_epoch) if per_epoch > 0 else epochs
    rest = seconds - whole * per_epoch - evaluate
    steps = whole * batches + (int(rest / step) if rest > 0 and step > 0 else 0)
    return max(1, min(steps, batches * epochs))
