"""Work that compiles nothing does not import the compiler; what compiles does, and PyTorch is as it was afterwards."""

import subprocess
import sys

import pytest

OPTIMIZERS = """
import sys, torch
from anmok.core.eagerly import without_compiler

weight = torch.nn.Parameter(torch.ones(2))
with without_compiler():
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    weight.sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    optimizer.load_state_dict(optimizer.state_dict())
print("torch._dynamo.convert_frame" in sys.modules, [round(value, 3) for value in weight.tolist()], weight.grad)
optimizer.zero_grad()  # as PyTorch does it
print("torch._dynamo.convert_frame" in sys.modules)
"""
COMPILING = """
import sys, torch
from anmok.core.eagerly import without_compiler

with without_compiler():
    torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
    doubled = torch.compile(lambda x: 2 * x, backend="eager")(torch.ones(2))
    import torch._dynamo.config
print(doubled.tolist(), "torch._dynamo.convert_frame" in sys.modules, torch._dynamo.config.__name__)
"""
LOOKING = """
import inspect, sys, torch
from anmok.core.eagerly import without_compiler

with without_compiler():
    import torch.onnx  # registers operators, each with where it stands in its source
    print("torch._dynamo.convert_frame" in sys.modules)
print(torch._dynamo.__file__ == inspect.getsourcefile(torch._dynamo))
"""
ANATOMY = """
import sys, anmok
anmok.anatomy(anmok.networks.small_resnet(num_classes=3), (3, 28, 28))
print("torch._dynamo.convert_frame" in sys.modules)
"""


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (OPTIMIZERS, "False [0.9, 0.9] None\nTrue\n"),
        (COMPILING, "[2.0, 2.0] True torch._dynamo.config\n"),
        (LOOKING, "False\nTrue\n"),
        (ANATOMY, "False\n"),
    ],
)
def test_the_compiler_comes_when_it_is_wanted(script: str, expected: str) -> None:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == expected, done.stderr
