"""The one loop: a task's stages in order, from wherever the run stands to its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from signal import SIGTERM
from typing import Any

import torch

from anmok.core.eagerly import without_compiler
from anmok.core.errors import TrainingError
from anmok.core.memory import keep_memory
from anmok.core.task import Solve, Stage, Task
from anmok.engine.callbacks import Callback
from anmok.engine.descent import Descent
from anmok.engine.devices import choose
from anmok.engine.forecast import Forecast
from anmok.engine.keeper import Keeper
from anmok.engine.runfolder import RunFolder
from anmok.engine.session import Options, Outcome, Session
from anmok.engine.signals import Interrupted, Signals

__all__ = ["Options", "Outcome", "run"]


def run(task: Task, folder: RunFolder, options: Options | None = None, callbacks: Sequence[Callback] = ()) -> Outcome:
    """Run a task's stages to their end, or what is left of them with `options.resume`.

    A resumed run ends with the same bits as one that was never interrupted, on the CPU, if the task is built as before.
    At the end the networks hold the best weights.

    Raises:
        TrainingError: a loss or weight is no longer finite, or memory ran out; the last good checkpoint is intact.
        UnwrittenError: the disk refused; the last good checkpoint is intact.
        CheckpointError: what was saved does not fit, or holds what cannot be saved.
        RunBusyError: another process owns the folder.
        SystemExit: 143, after saving, when the process was asked to terminate.
        KeyboardInterrupt: after saving, when the person pressed Ctrl-C.
    """
    options = options or Options()
    devices = options.devices or choose(**((options.resume and folder.devices()) or {}))
    devices.launch()
    keep_memory()
    lock = folder.lock() if devices.rank == 0 else nullcontext()
    with lock, Signals() as signals, without_compiler():
        session = Session(task, folder, options, devices, signals, tuple(callbacks))
        outcome = None
        try:
            with _explained(session):
                outcome = _run(session)
                return outcome
        finally:
            for callback in session.callbacks:
                callback.on_end(outcome)


def _run(session: Session) -> Outcome:
    task, position, watch = session.task, session.position, session.watch
    keeper = Keeper(session)
    if session.leading:
        session.folder.write_json("state/devices.json", dict(session.devices.record()))
    _place(session)
    saved = keeper.restore() if session.options.resume else None
    if saved is None:
        keeper.begin()
    plans = task.stages()
    first: Forecast | None = None
    while position.plan < len(plans):
        plan = plans[position.plan]
        for callback in session.callbacks:
            callback.on_stage(plan.name, position.plan + 1, len(plans))
        watch.lap("own")
        with session.signals.interruptible():
            stage = plan.build()
        _place(session)
        watch.lap("build")
        if isinstance(stage, Solve):
            _solve(stage, session, keeper)
        else:
            descent = _descend(stage, session, keeper, saved if position.started else None)
            first = first or descent.forecast
        saved = None
        position.next_stage()
        keeper.save()
    watch.lap("own")
    best = None if position.best is None else position.history[position.best]
    return Outcome(
        session.folder, position.stopped, position.steps, position.history, best, session.seconds, watch.parts, first
    )


def _descend(stage: Stage, session: Session, keeper: Keeper, saved: dict[str, Any] | None) -> Descent:
    descent = Descent(stage, session, keeper)
    if saved is not None:
        keeper.restore_networks(saved)
        descent.load_state(saved["stage"])
        keeper.restore_rng(saved)  # building the stage may have drawn from the generators
    planned = session.position.total
    with session.devices.quickened(session.task.networks().values()):
        descent.plan()
        session.position.started = True
        if session.options.time_s is not None and not planned:
            descent.save()  # measured again, the plan would be another one
        descent.run()
    return descent


def _solve(stage: Solve, session: Session, keeper: Keeper) -> None:
    with session.signals.interruptible():
        figures = {name: float(value) for name, value in stage.solve().items()}
    session.watch.lap("solve")
    row = {"stage": stage.name, "epoch": 0, "step": 0, "seconds": round(session.seconds, 3)} | figures
    session.position.history.append(row)
    session.position.best = len(session.position.history) - 1
    keeper.note_best(write=True)
    keeper.write_last()
    for callback in session.callbacks:
        callback.on_epoch(row)


def _place(session: Session) -> None:
    for network in session.task.networks().values():
        session.devices.place(network)


@contextmanager
def _explained(session: Session) -> Iterator[None]:
    """Turn signals into exits and exhausted memory into advice."""
    resume = f"resume with: anmok train --resume {session.folder.path}"
    try:
        yield
    except Interrupted as interrupted:
        session.message(f"Stopped by {interrupted}; everything up to here is saved. To go on, {resume}")
        if interrupted.number == SIGTERM:
            raise SystemExit(128 + SIGTERM) from None
        raise KeyboardInterrupt from None
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        raise TrainingError(
            "memory ran out; the last good state is kept",
            path=session.folder.path,
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            fix=f"a smaller batch (--batch, half of it) or smaller pictures (--imgsz); {resume}",
        ) from error


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return any(phrase in text for phrase in ("out of memory", "can't allocate memory", "not enough memory"))
