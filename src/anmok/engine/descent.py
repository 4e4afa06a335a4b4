"""One stage of descent: epochs of steps over shared batches, each followed by an evaluation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import Any

from anmok.core.errors import DataError, UsageError
from anmok.core.modes import keeping_modes
from anmok.core.task import Stage
from anmok.core.types import Batch
from anmok.engine.average import Average
from anmok.engine.callbacks import Progress
from anmok.engine.forecast import Forecast
from anmok.engine.keeper import Keeper
from anmok.engine.meter import Meter
from anmok.engine.phase import PhaseRunner, runners
from anmok.engine.planning import plan_stage
from anmok.engine.randomness import rng_state
from anmok.engine.session import Session
from anmok.engine.signals import Interrupted

_SHOW_EVERY = 0.2  # seconds between two progress updates


class Descent:
    """Trains `stage` from wherever the session's position says it is."""

    def __init__(self, stage: Stage, session: Session, keeper: Keeper) -> None:
        if len(stage.batches) < 1 or stage.epochs < 1:
            raise DataError(
                f"stage {stage.name!r} has nothing to learn from",
                got=f"{len(stage.batches)} batches, {stage.epochs} epochs",
                fix="more pictures, a smaller batch or more epochs",
            )
        self.stage, self.session, self.keeper, self.position = stage, session, keeper, session.position
        for phase in stage.phases:
            for network in phase.networks.values():
                network.train()
        self.phases: list[PhaseRunner] = runners(stage, session)
        networks = [network for phase in stage.phases if phase.averaged for network in phase.networks.values()]
        self.average = None if stage.average is None else Average(networks, stage.average)
        self.meter = Meter(session.devices.device, session.folder.path)
        self.forecast: Forecast | None = None
        self._shown = session.watch.now
        self._begun = (session.watch.now, 0)  # when, and at which step, this process began

    # What the checkpoint holds of a stage

    def state(self) -> dict[str, Any]:
        """Optimizers by phase, and the average."""
        return {
            "optimizers": {phase.name: phase.optimizer.state_dict() for phase in self.phases},
            "average": None if self.average is None else self.average.state(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        for phase in self.phases:
            phase.load_state(state["optimizers"])
        if self.average is not None and state["average"] is not None:
            self.average.load_state(state["average"])

    # Before the first step

    def plan(self) -> None:
        """Fix how many steps the stage will take, from a measured forecast where one is wanted."""
        self.forecast = plan_stage(self.stage, self.session, self._trial)

    def _trial(self, batch: Batch, number: int) -> None:
        batch = self.session.devices.move(batch)
        for phase in self.phases:
            if number % phase.every == 0:
                phase.backward(phase.forward(batch, 0.0))
                phase.step()

    # Epochs

    def run(self) -> None:
        """Train to the stage's end; the best weights are then in the networks."""
        position = self.position
        self._begun = (self.session.watch.now, position.step)
        while position.step < position.total or position.batch:  # an epoch was saved before its evaluation
            self.meter.sums = position.sums
            if position.batch < position.batches and position.step < position.total:
                self._epoch()
            self._end_epoch()
        self._finish()

    def _epoch(self) -> None:
        position, watch, signals = self.position, self.session.watch, self.session.signals
        batches = self.stage.batches.epoch(position.epoch, position.batch)
        try:
            while position.batch < position.batches and position.step < position.total:
                batch = self._next(batches)
                watch.lap("data")
                self._step(batch)
                position.batch, position.step, position.steps = (
                    position.batch + 1,
                    position.step + 1,
                    position.steps + 1,
                )
                if signals.pending is not None or self._due():
                    self.save()
                    signals.check()
                if watch.now - self._shown > _SHOW_EVERY:
                    self._show()
                if self._late():
                    position.total, position.stopped = position.step, "time"
        finally:
            getattr(batches, "close", lambda: None)()

    def _next(self, batches: Iterator[Batch]) -> Batch:
        try:
            with self.session.signals.interruptible():
                return next(batches)
        except StopIteration:
            raise DataError(
                f"the batches of epoch {self.position.epoch + 1} ended early",
                got=f"{self.position.batch} batches",
                allowed=self.position.batches,
            ) from None
        except Interrupted:
            self.save()
            raise

    def _step(self, batch: Batch) -> None:
        position, watch = self.position, self.session.watch
        self.keeper.log(self.stage.name, position.epoch, position.batch, batch)
        batch = self.session.devices.move(batch)
        progress = position.step / position.total
        for phase in self.phases:
            if position.step % phase.every:
                continue
            watch.lap("own")
            losses = phase.forward(batch, progress)
            self.meter.add(phase.prefix, losses, batch, f"stage {self.stage.name!r}, epoch {position.epoch + 1}")
            phase.backward(losses)
            watch.lap("compute")
            phase.step()
            watch.lap("optimizer")
        if self.average is not None:
            self.average.update()
            watch.lap("average")

    def _due(self) -> bool:
        options, position = self.session.options, self.position
        if options.checkpoint_steps and position.steps % options.checkpoint_steps == 0:
            return True
        return self.session.watch.now - self.keeper.saved_at > options.checkpoint_seconds

    def save(self, rng: Mapping[str, Any] | None = None) -> None:
        """Save a checkpoint here, between two steps; `rng`: with these generators' states instead of the present."""
        self.meter.flush()
        self.keeper.save(self.state(), rng)

    def _late(self) -> bool:
        """Whether the time budget is used up. Several processes ask the first one, now and then."""
        session = self.session
        if session.options.time_s is None or (session.devices.world > 1 and self.position.step % 10):
            return False
        evaluate = (self.forecast and self.forecast.seconds_evaluate) or 0.0
        return bool(session.devices.agree(session.seconds + evaluate > session.options.time_s))

    def _show(self) -> None:
        position = self.position
        self.meter.flush()
        now, (begun, first) = self.session.watch.now, self._begun
        self._shown = now
        done = position.step - first
        self.session.progress(
            Progress(
                stage=self.stage.name,
                number=position.plan + 1,
                stages=len(self.session.task.stages()),
                epoch=position.epoch + 1,
                epochs=math.ceil(position.total / position.batches),
                step=position.step,
                steps=position.total,
                figures=self.meter.means(),
                seconds_left=(now - begun) / done * (position.total - position.step) if done else None,
            )
        )

    # Between epochs

    def _end_epoch(self) -> None:
        position, session, watch = self.position, self.session, self.session.watch
        self.meter.flush()
        figures = {f"train_{name}": mean for name, mean in self.meter.means().items()} | self._rates()
        watch.lap("own")
        figures |= self._evaluate()
        watch.lap("evaluate")
        better = self._judge(figures)
        position.epoch, position.batch, position.sums = position.epoch + 1, 0, {}
        row = {"stage": self.stage.name, "epoch": position.epoch, "step": position.step}
        row |= {"seconds": round(session.seconds, 3)} | figures
        position.history.append(row)
        if better:
            position.best, position.waiting = len(position.history) - 1, 0
        else:
            position.waiting += 1
        if self.stage.patience is not None and position.waiting >= max(1, self.stage.patience):
            position.total, position.stopped = position.step, "patience"
        ended = position.step >= position.total
        spent = watch.parts.get("checkpoint", 0.0)
        saving = not ended and (self._due() or spent <= session.options.checkpoint_share * session.seconds)
        with self._averaged():
            if better:
                self.keeper.note_best(write=saving)
            if saving or ended:
                self.keeper.write_last()
        watch.lap("checkpoint")
        if saving or session.signals.pending is not None:
            self.save()
        for callback in session.callbacks:
            callback.on_epoch(row)
        session.signals.check()

    def _rates(self) -> dict[str, float]:
        return {f"{phase.prefix}lr": float(phase.optimizer.param_groups[0]["lr"]) for phase in self.phases}

    def _evaluate(self) -> dict[str, float]:
        if self.stage.evaluate is None:
            return {}
        rng = rng_state()
        networks = self.session.task.networks().values()
        try:
            with keeping_modes(*networks), self._averaged(), self.session.signals.interruptible():
                figures = self.stage.evaluate()
        except Interrupted:
            self.save(rng)
            raise
        figures = self.session.devices.agree({name: float(value) for name, value in figures.items()})
        if self.stage.monitor is not None and self.stage.monitor not in figures:
            raise UsageError(
                f"stage {self.stage.name!r} cannot tell which epoch is best",
                got=f"monitor {self.stage.monitor!r}",
                allowed=", ".join(figures),
            )
        return dict(figures)

    def _averaged(self) -> Any:
        return nullcontext() if self.average is None else self.average.in_place()

    def _judge(self, figures: Mapping[str, float]) -> bool:
        """Whether this epoch is the stage's best so far; NaN never is."""
        if self.stage.evaluate is None or self.stage.monitor is None:
            return True
        value, best = figures[self.stage.monitor], self.position.monitored
        if not math.isfinite(value):
            return False
        better = best is None or (value > best if self.stage.mode == "max" else value < best)
        if better:
            self.position.monitored = value
        return better

    def _finish(self) -> None:
        """Leave the stage's best weights in the networks and on disk."""
        for phase in self.phases:
            phase.release()
        judged = self.stage.evaluate is not None and self.stage.monitor is not None
        known = self.position.monitored is not None or not judged
        if known and self.keeper.take_best():
            return
        if not known:
            self.session.message(
                f"{self.stage.monitor!r} was never finite in stage {self.stage.name!r}: the last weights are used."
            )
        with self._averaged():
            self.keeper.note_best(write=True)
        self.position.best = len(self.position.history) - 1
        self.keeper.take_best()
