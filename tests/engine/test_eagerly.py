"""Optimizers work without the compiler, and PyTorch is as it was afterwards."""

import subprocess
import sys

SCRIPT = """
import sys
import torch
from anmok.engine.eagerly import without_compiler
from anmok.engine.muon import Muon

weight = torch.nn.Parameter(torch.ones(2))
with without_compiler():
    optimizer = Muon([weight], lr=0.1, other_lr=1.0, momentum=0.0)
    weight.sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    optimizer.load_state_dict(optimizer.state_dict())
print("torch._dynamo" in sys.modules, weight.tolist(), weight.grad)
optimizer.zero_grad()  # as PyTorch does it
print("torch._dynamo" in sys.modules)
"""


def test_the_compiler_is_not_imported_inside_and_is_afterwards() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    inside, after = done.stdout.splitlines()
    assert inside == f"False {[0.8999999761581421] * 2} None"
    assert after == "True"
