"""Where and in which precision a run computes.

One CPU process, the common case, needs nothing but torch. Graphics cards, several processes and reduced precision that
needs loss scaling are Lightning Fabric's, which is imported only then: its import costs more than it gives here
(docs/decisions/0001-fabric-where-it-serves.md).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from anmok.core.errors import UsageError
from anmok.core.types import Batch
from anmok.engine.kernel_gradients import by_matrix_products

PRECISIONS = ("float32", "bf16", "fp16")


class Devices(Protocol):
    """What the loop needs from a machine."""

    device: torch.device
    precision: str
    rank: int
    world: int

    def launch(self) -> None:
        """Join the other processes, if there are any. Called once before anything else."""

    def place(self, network: nn.Module) -> None:
        """Move a network to the device, in the device's memory layout, in place."""

    def setup(self, module: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
        """The module to call and the optimizer to step in their stead."""

    def move(self, batch: Batch) -> Batch:
        """A batch on the device, in its memory layout."""

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which losses and predictions are computed."""

    def quickened(self, networks: Iterable[nn.Module]) -> AbstractContextManager[Any]:
        """The context in which these networks learn, with what is faster on this machine and gives the same."""

    def backward(self, loss: Tensor, module: nn.Module) -> None:
        """Gradients of `loss`, of all processes together."""

    def clip(self, module: nn.Module, optimizer: torch.optim.Optimizer, norm: float) -> None:
        """Scale the gradients of `optimizer`'s weights down to at most this norm."""

    def agree(self, value: Any) -> Any:
        """The first process's value, in every process."""

    def record(self) -> Mapping[str, Any]:
        """What was chosen, for the run folder."""


class PlainDevices:
    """One CPU process on plain torch, channels last; bf16 by autocast."""

    rank, world = 0, 1

    def __init__(self, precision: str) -> None:
        self.device, self.precision = torch.device("cpu"), precision

    def launch(self) -> None:
        """Nothing to join."""

    def place(self, network: nn.Module) -> None:
        """Channels last: convolutions on CPUs run up to twice as fast."""
        network.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def setup(self, module: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Both as they are."""
        return module, optimizer

    def move(self, batch: Batch) -> Batch:
        """The batch with its pictures channels last in memory."""
        return _channels_last(batch)

    def autocast(self) -> AbstractContextManager[Any]:
        """Torch's CPU autocast, or nothing."""
        return torch.autocast("cpu", torch.bfloat16) if self.precision == "bf16" else nullcontext()

    def quickened(self, networks: Iterable[nn.Module]) -> AbstractContextManager[Any]:
        """In bf16, kernels learn by matrix products where maps are small."""
        return by_matrix_products(networks) if self.precision == "bf16" else nullcontext()

    def backward(self, loss: Tensor, module: nn.Module) -> None:
        """Plain backward."""
        loss.backward()

    def clip(self, module: nn.Module, optimizer: torch.optim.Optimizer, norm: float) -> None:
        """Over all of the optimizer's groups."""
        nn.utils.clip_grad_norm_(_weights(optimizer), norm)

    def agree(self, value: Any) -> Any:
        """Alone, one always agrees."""
        return value

    def record(self) -> Mapping[str, Any]:
        """Device, precision, layout, processes and threads."""
        return _record(self)


class FabricDevices:
    """Graphics cards and several processes, through Lightning Fabric.

    The loop hands over a module whose forward is a phase's whole loss, so that DistributedDataParallel sees the forward
    and averages the gradients, while tasks go on calling their own networks.
    """

    def __init__(self, device: str, precision: str) -> None:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies import DDPStrategy

        accelerator, _, index = device.partition(":")
        world = int(os.environ.get("WORLD_SIZE", "1"))
        here = int(os.environ.get("LOCAL_WORLD_SIZE", world))
        names = {"float32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
        self.fabric = Fabric(
            accelerator=accelerator,
            devices=here if world > 1 or not index else [int(index)],
            num_nodes=max(1, world // here),
            strategy=DDPStrategy(process_group_backend="gloo" if accelerator == "cpu" else None)
            if world > 1
            else "auto",
            precision=names[precision],  # type: ignore[arg-type]
        )
        self.precision, self.rank, self.world = precision, self.fabric.global_rank, self.fabric.world_size
        self.device = self.fabric.device

    def launch(self) -> None:
        """Join the process group that torchrun describes in the environment."""
        self.fabric.launch()
        self.rank, self.device = self.fabric.global_rank, self.fabric.device

    def place(self, network: nn.Module) -> None:
        """To the device; channels last."""
        network.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def setup(self, module: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Fabric's wrappers around both."""
        wrapped, steps = self.fabric.setup(module, optimizer)
        return wrapped, steps

    def move(self, batch: Batch) -> Batch:
        """To the device; pictures channels last."""
        return _channels_last(batch.to(self.device))

    def autocast(self) -> AbstractContextManager[Any]:
        """Fabric's precision context."""
        return self.fabric.autocast()

    def quickened(self, networks: Iterable[nn.Module]) -> AbstractContextManager[Any]:
        """Nothing: these devices' own libraries are fast."""
        return nullcontext()

    def backward(self, loss: Tensor, module: nn.Module) -> None:
        """Scaled where the precision asks for it."""
        self.fabric.backward(loss, model=module)  # type: ignore[arg-type]

    def clip(self, module: nn.Module, optimizer: torch.optim.Optimizer, norm: float) -> None:
        """Unscaled first where the precision asks for it."""
        self.fabric.clip_gradients(module, optimizer, max_norm=norm, error_if_nonfinite=False)  # type: ignore[arg-type]

    def agree(self, value: Any) -> Any:
        """Broadcast from the first process."""
        return value if self.world == 1 else self.fabric.broadcast(value, src=0)

    def record(self) -> Mapping[str, Any]:
        """Device, precision, layout, processes and threads."""
        return _record(self)


def choose(device: str = "auto", precision: str = "auto") -> Devices:
    """Pick the device and precision by what the machine can do.

    Args:
        device: `auto` (a graphics card where torch finds one), `cpu`, `cuda`, `cuda:1`, `mps`.
        precision: `auto`, `float32`, `bf16` or `fp16`. Auto is bf16 where the hardware computes in it (CPUs with
            AVX-512 bf16 or AMX), else float32.

    Raises:
        UsageError: no such device or precision here.
    """
    device, precision = decided(device, precision)
    if device.startswith("cpu") and int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return PlainDevices(precision)
    return FabricDevices(device, precision)


def decided(device: str, precision: str) -> tuple[str, str]:
    """The device and the precision that `choose` picks, by name. Raises as it does."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, index = device.partition(":")
    allowed = ["cpu", *(["cuda"] if torch.cuda.is_available() else []), *_mps()]
    if kind not in allowed or (index and not index.isdigit()):
        raise UsageError("this device is not here", got=device, allowed=", ".join(["auto", *allowed]))
    if precision == "auto":
        precision = "bf16" if _computes_bf16(kind) else "float32"
    if precision not in PRECISIONS or (precision == "fp16" and kind == "cpu"):
        raise UsageError(
            f"this precision is not for {kind}",
            got=precision,
            allowed="auto, " + ", ".join(p for p in PRECISIONS if p != "fp16" or kind != "cpu"),
        )
    return device, precision


def _mps() -> list[str]:
    return ["mps"] if torch.backends.mps.is_available() else []


def _computes_bf16(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return kind == "cpu" and bool({"avx512_bf16", "amx_bf16"} & _cpu_flags())


def _cpu_flags() -> set[str]:
    ask: Callable[[], dict[str, Any]] | None = getattr(torch.cpu, "get_capabilities", None)
    if ask is not None:
        return {name for name, value in ask().items() if value is True}
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith("flags") for flag in line.split()}


def _channels_last(batch: Batch) -> Batch:
    pictures = batch.pictures
    if pictures.dim() != 4 or pictures.is_contiguous(memory_format=torch.channels_last):
        return batch
    return Batch(pictures.contiguous(memory_format=torch.channels_last), batch.targets, batch.ids, batch.extra)


def _weights(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def _record(devices: Devices) -> dict[str, Any]:
    return {
        "device": str(devices.device),
        "precision": devices.precision,
        "layout": "channels_last",
        "processes": devices.world,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
