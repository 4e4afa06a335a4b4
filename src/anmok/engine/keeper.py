"""What a run leaves on disk while it runs, and how it comes back from there."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from anmok.core.errors import CheckpointError, TrainingError, UsageError
from anmok.core.files import sha256_of, sweep, write_text
from anmok.core.types import Batch
from anmok.engine.checkpoint import Checkpoints
from anmok.engine.randomness import rng_state, set_rng_state
from anmok.engine.samples import SampleLog
from anmok.engine.session import Session
from anmok.engine.tensors import check_and_load, load_weights, weights_of, write_tensors, write_weights

_FIRST_COLUMNS = ("stage", "epoch", "step", "seconds")


class Keeper:
    """Saves checkpoints, weights, results and the sample log of one session; only the leading process writes."""

    def __init__(self, session: Session) -> None:
        self.session, self.folder = session, session.folder
        self.checkpoints = Checkpoints(self.folder.state, session.options.keep)
        self.samples = SampleLog(self.folder.state / "samples.log") if session.options.sample_log else None
        self.saved_at = session.watch.now
        self._best: dict[str, Tensor] | None = None  # better than the file's, written with the next checkpoint
        if session.leading:
            for place in (self.folder.path, self.folder.state, self.folder.best.parent):
                sweep(place)

    def log(self, stage: str, epoch: int, number: int, batch: Batch) -> None:
        """Note a batch in the ordered sample log."""
        if self.samples is not None and self.session.leading:
            self.samples.add(stage, epoch, number, batch.ids)

    def note_best(self, *, write: bool) -> None:
        """The networks hold the best weights so far: write them now, or remember them until the next save."""
        weights = weights_of(self.session.task.networks())
        if write and self.session.leading:
            self.session.position.best_sha256 = write_tensors(self.folder.best, weights)[1]
            self._best = None
        else:
            self._best = {name: tensor.detach().clone() for name, tensor in weights.items()}

    def _write_noted(self) -> None:
        if self._best is not None and self.session.leading:
            self.session.position.best_sha256 = write_tensors(self.folder.best, self._best)[1]
            self._best = None

    def take_best(self) -> bool:
        """Load this stage's best weights into the networks; False, with a message, if their file was damaged."""
        networks = self.session.task.networks()
        if self._best is not None:
            check_and_load(networks, self._best, self.folder.best)
            return True
        try:
            if sha256_of(self.folder.best) != self.session.position.best_sha256:
                raise CheckpointError("it is not what this run wrote", path=self.folder.best)
            load_weights(self.folder.best, networks)
        except (OSError, CheckpointError) as error:
            self.session.message(f"The best weights cannot be read back, the last ones are used instead. {error}")
            return False
        return True

    def write_last(self) -> None:
        """Publish the networks as they are as the last weights."""
        if self.session.leading:
            write_weights(self.folder.last, self.session.task.networks())

    def write_results(self) -> None:
        """Publish results.csv from the history, so that it always agrees with the newest checkpoint."""
        write_text(self.folder.results, results_csv(self.session.position.history))

    def save(self, stage: Mapping[str, Any] | None = None, rng: Mapping[str, Any] | None = None) -> None:
        """Save a checkpoint, with what the current stage adds to it, then results.csv.

        Raises:
            TrainingError: weights are not finite; nothing is saved.
            UnwrittenError: the disk refused; the last good checkpoint is intact.
        """
        session = self.session
        session.watch.lap("own")
        networks = session.task.networks()
        refuse_nonfinite(networks)
        session.position.seconds = session.seconds
        if session.leading:
            self._write_noted()
            samples = self.samples.sync() if self.samples is not None else 0
            self.checkpoints.save(
                {
                    "position": session.position.state(),
                    "networks": {name: _network_state(network) for name, network in networks.items()},
                    "task": dict(session.task.state()),
                    "stage": None if stage is None else dict(stage),
                    "rng": dict(rng or rng_state()),
                    "samples": samples,
                    "devices": dict(session.devices.record()),
                }
            )
            self.write_results()
        self.saved_at = session.watch.lap("checkpoint")

    def begin(self) -> None:
        """Save the state before the first step, so that even a run killed in its first minute can be resumed.

        Raises:
            UsageError: the folder already holds a run, which would be mixed with this one.
        """
        if self.checkpoints.numbers():
            raise UsageError(
                "this folder already holds a run", path=self.folder.path, fix="resume it, or take another folder"
            )
        self.save()

    def restore(self) -> dict[str, Any] | None:
        """Load the newest whole checkpoint: position, task and generators now, networks as far as they fit.

        Returns the checkpoint, for `restore_networks` once the stage is built; None if nothing was saved yet.
        """
        session = self.session
        state = self.checkpoints.load()
        if state is None:
            return None
        try:
            session.position.load_state(state["position"])
            session.before = session.position.seconds
            session.task.load_state(state["task"])
            before, now = state["devices"], dict(session.devices.record())
        except KeyError as error:
            raise CheckpointError("this checkpoint lacks a part", path=self.folder.state, got=error) from error
        if before != now:
            changed = ", ".join(f"{key} {before.get(key)} → {now[key]}" for key in now if before.get(key) != now[key])
            session.message(f"Resumed on other ground ({changed}): the same samples, but not the same bits.")
        if session.leading:
            self.write_results()  # the process may have died just before it wrote them
            if self.samples is not None:
                self.samples.truncate(state["samples"])
        self.restore_networks(state, strict=not session.position.started)
        self.restore_rng(state)
        return state

    def restore_rng(self, state: Mapping[str, Any]) -> None:
        """Set the global random generators as the checkpoint found them."""
        set_rng_state(state["rng"])

    def restore_networks(self, state: Mapping[str, Any], *, strict: bool = True) -> None:
        """Load the networks' weights; where not `strict`, those that a stage has yet to build may still be missing."""
        networks = self.session.task.networks()
        if strict and networks.keys() != state["networks"].keys():
            raise CheckpointError(
                "the checkpoint is of other networks",
                path=self.folder.state,
                got=", ".join(state["networks"]),
                allowed=", ".join(networks),
            )
        for name in networks.keys() & state["networks"].keys():
            try:
                _load_network(name, networks[name], state["networks"][name], self.folder.state)
            except CheckpointError:
                if strict:
                    raise


def _network_state(network: nn.Module) -> dict[str, Any]:
    state = dict(network.state_dict())
    persistent = {id(value) for value in network.state_dict(keep_vars=True).values()}
    loose = {name: tensor for name, tensor in network.named_buffers() if id(tensor) not in persistent}
    return {"state": state, "loose": loose}


def _load_network(name: str, network: nn.Module, saved: Mapping[str, Any], path: Any) -> None:
    tensors = {f"{name}.{key}": value for key, value in saved["state"].items() if isinstance(value, Tensor)}
    check_and_load({name: network}, tensors, path)
    extra = {key: value for key, value in saved["state"].items() if not isinstance(value, Tensor)}
    if extra:
        network.load_state_dict(extra, strict=False)
    buffers = dict(network.named_buffers())
    for key in buffers.keys() & saved["loose"].keys():
        if buffers[key].shape == saved["loose"][key].shape:
            buffers[key].copy_(saved["loose"][key])


def refuse_nonfinite(networks: Mapping[str, nn.Module]) -> None:
    """Raise `TrainingError` if a weight is NaN or infinite, so that no such weights are ever saved."""
    for name, network in networks.items():
        weights = [weight.detach() for weight in network.parameters() if weight.is_floating_point() and weight.numel()]
        if not weights or math.isfinite(sum(float(norm) for norm in torch._foreach_norm(weights, math.inf))):
            continue
        bad = [key for key, weight in network.named_parameters() if not bool(torch.isfinite(weight).all())]
        raise TrainingError(
            f"weights of network {name!r} are no longer finite; what was saved before is intact",
            got=", ".join(bad[:5]),
            fix="a smaller learning rate or gradient clipping, then resume",
        )


def results_csv(history: list[dict[str, Any]]) -> str:
    """The history as CSV: a row an epoch; a figure that a stage does not have stays empty."""
    names = dict.fromkeys([*_FIRST_COLUMNS, *(name for row in history for name in row)])
    text = io.StringIO()
    writer = csv.DictWriter(text, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()
