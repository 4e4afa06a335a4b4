"""Where a run computes: chosen by what the machine can do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from anmok.core.errors import UsageError
from anmok.core.types import Batch
from anmok.engine import devices
from anmok.engine.devices import FabricDevices, PlainDevices, choose


@pytest.mark.parametrize(
    "flags, precision",
    [({"avx512_bf16"}, "bf16"), ({"amx_bf16", "sse2"}, "bf16"), ({"avx2", "avx512_f"}, "float32"), (set(), "float32")],
)
def test_precision_follows_the_cpu(flags: set[str], precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_cpu_flags", lambda: flags)
    assert choose("cpu").precision == precision
    assert choose("cpu", "float32").precision == "float32"


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="no second source for the CPU's abilities")
def test_flags_agree_with_the_kernel() -> None:
    kernel = set(Path("/proc/cpuinfo").read_text().split())
    for flag in ("avx512_bf16", "amx_bf16", "avx2"):
        assert (flag in devices._cpu_flags()) == (flag in kernel)


def test_one_cpu_process_imports_no_fabric() -> None:
    script = "import sys; from anmok.engine.loop import run; from anmok.engine.devices import choose; choose('cpu'); "
    script += "assert not [name for name in sys.modules if name.startswith(('lightning', 'rich'))]"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


@pytest.mark.parametrize("device, precision", [("tpu", "auto"), ("cpu", "fp16"), ("cpu", "int3"), ("cuda:x", "auto")])
def test_what_is_not_here_is_refused(device: str, precision: str) -> None:
    with pytest.raises(UsageError, match="Allowed: auto"):
        choose(device, precision)


def test_plain_places_channels_last_without_new_parameters() -> None:
    net = nn.Conv2d(3, 4, 3)
    weight, here = net.weight, choose("cpu", "float32")
    here.place(net)
    assert net.weight is weight and weight.is_contiguous(memory_format=torch.channels_last)
    batch = here.move(Batch(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), None, ["a", "b"]))
    assert batch.pictures.is_contiguous(memory_format=torch.channels_last) and batch.ids == ["a", "b"]
    vectors = Batch(torch.zeros(2, 3), None, ["a", "b"])
    assert here.move(vectors) is vectors


def test_autocast() -> None:
    for precision, dtype in (("bf16", torch.bfloat16), ("float32", torch.float32)):
        with PlainDevices(precision).autocast():
            assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype == dtype


def test_the_record_is_enough_to_choose_again() -> None:
    record = choose("cpu", "bf16").record()
    again = choose(record["device"], record["precision"])
    assert again.record() == record and record["processes"] == 1


def gradients(here: devices.Devices, clip: float | None) -> torch.Tensor:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    here.place(net)
    module, stepper = here.setup(net, optimizer)
    with here.autocast():
        loss = module(torch.ones(2, 3, 4, 4)).square().mean()
    here.backward(loss, module)
    if clip is not None:
        here.clip(module, stepper, clip)
    return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("clip", [None, 0.1])
def test_fabric_computes_what_plain_torch_does(precision: str, clip: float | None) -> None:
    plain, fabric = PlainDevices(precision), FabricDevices("cpu", precision)
    fabric.launch()
    assert torch.allclose(gradients(fabric, clip), gradients(plain, clip), rtol=1e-5, atol=1e-7)
    assert fabric.agree("value") == "value" and fabric.world == 1


@pytest.mark.slow
def test_two_processes_under_torchrun(tmp_path: Path) -> None:
    """Both processes end with the same weights; resuming a finished run in two processes works too."""
    for folder in ("weights", "state"):
        (tmp_path / folder).mkdir()
    for resume in ("fresh", "resume"):
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
        done = subprocess.run(
            [*command, "-m", "engine.ddp_script", str(tmp_path), resume],
            cwd=Path(__file__).parents[1],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        one, two = (json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1))
        assert one["world"] == 2 and one["steps"] == two["steps"] == 16
        assert one["weights"] == two["weights"]
        assert len((tmp_path / "results.csv").read_text().splitlines()) == 6
