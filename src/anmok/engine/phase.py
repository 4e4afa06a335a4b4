"""One phase at work: its loss, its gradients, its optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from anmok.core.errors import CheckpointError, UsageError
from anmok.core.task import Phase, Stage
from anmok.core.types import Batch
from anmok.engine.devices import Devices
from anmok.engine.session import Session


class _Loss(nn.Module):
    """A phase's loss as a module over its networks, so that DistributedDataParallel can wrap the whole of it.

    The batch is left in an attribute: wrappers would copy and convert an argument.
    """

    def __init__(self, phase: Phase) -> None:
        super().__init__()
        self.networks = nn.ModuleDict({name.replace(".", "_"): network for name, network in phase.networks.items()})
        self.loss, self.batch = phase.loss, None

    def forward(self) -> Mapping[str, Tensor]:
        assert self.batch is not None
        return self.loss(self.batch)


class PhaseRunner:
    """Runs one phase; `foreign` are weights that only other phases learn, and that need no gradients meanwhile."""

    def __init__(self, phase: Phase, devices: Devices, prefix: str, foreign: list[Tensor]) -> None:
        self.name, self.every, self.prefix = phase.name, phase.every, prefix
        self.optimizer = phase.optimizer
        self._phase, self._devices = phase, devices
        self._loss = _Loss(phase)
        self._module, self._stepper = devices.setup(self._loss, phase.optimizer)
        self._foreign = [weight for weight in foreign if weight.requires_grad]
        for group in self.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])

    def forward(self, batch: Batch, progress: float) -> Mapping[str, Tensor]:
        """The losses of a batch at this progress (0 to 1) of the stage, gradients cleared."""
        if self._phase.schedule is not None:
            factor = self._phase.schedule(progress)
            for group in self.optimizer.param_groups:
                group["lr"] = group["initial_lr"] * factor
        for weight in self._foreign:
            weight.requires_grad_(False)
        self.optimizer.zero_grad(set_to_none=True)
        self._loss.batch = batch  # type: ignore[assignment]
        with self._devices.autocast():
            losses = self._module()
        self._loss.batch = None
        if "loss" not in losses:
            raise UsageError(f"phase {self.name!r} returned no 'loss' to descend", got=", ".join(losses) or "nothing")
        return losses

    def backward(self, losses: Mapping[str, Tensor]) -> None:
        """Gradients of what `forward` returned, clipped where the phase says so."""
        self._devices.backward(losses["loss"], self._module)
        if self._phase.clip is not None:
            self._devices.clip(self._module, self._stepper, self._phase.clip)
        self.release()

    def step(self) -> None:
        """One step of the optimizer."""
        self._stepper.step()

    def release(self) -> None:
        """Let other phases' weights take gradients again."""
        for weight in self._foreign:
            weight.requires_grad_(True)

    def load_state(self, optimizers: Mapping[str, Any]) -> None:
        """Take back this phase's optimizer from a checkpoint's. Raises `CheckpointError` if it does not fit."""
        try:
            self.optimizer.load_state_dict(optimizers[self.name])
        except (KeyError, ValueError) as error:
            raise CheckpointError(
                f"the checkpoint's optimizer does not fit phase {self.name!r}",
                got=error,
                fix="resume with the same task",
            ) from error


def runners(stage: Stage, session: Session) -> list[PhaseRunner]:
    """A runner for every phase of a stage; figures carry the phase's name where there is more than one."""
    names = [phase.name for phase in stage.phases]
    if len(set(names)) < len(names) or not names:
        raise UsageError(f"stage {stage.name!r} needs phases of different names", got=", ".join(names) or "none")
    weights = [{id(w): w for group in phase.optimizer.param_groups for w in group["params"]} for phase in stage.phases]
    every = {key: weight for part in weights for key, weight in part.items()}
    return [
        PhaseRunner(
            phase,
            session.devices,
            f"{phase.name}_" if len(names) > 1 else "",
            [weight for key, weight in every.items() if key not in mine],
        )
        for phase, mine in zip(stage.phases, weights, strict=True)
    ]
