"""Any module: shared, functional, dynamic, lazy, unknown, broken; and nothing of it is touched."""

from __future__ import annotations

import copy
import json
import threading

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

import anmok.anatomy
from anmok.anatomy.text import render
from anmok.core.errors import UsageError


def test_the_network_and_the_random_state_stay_untouched():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.Linear(4 * 36, 2)).train()
    before, state = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    calls: list[int] = []
    hook = net[0].register_forward_hook(lambda *_: calls.append(1))
    hooks = len(net[1]._forward_hooks), len(net[1]._forward_pre_hooks)
    anmok.anatomy(net, (3, 8, 8))
    anmok.anatomy(net, (3, 8, 8), training=True)
    hook.remove()
    assert net.training and all(part.training for part in net)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items())
    assert (len(net[1]._forward_hooks), len(net[1]._forward_pre_hooks)) == hooks
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_shared_module_counts_its_parameters_once_and_its_work_each_time():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)
            self.tied = nn.Conv2d(4, 4, 3, padding=1, bias=False)
            self.tied.weight = self.conv.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.tied(self.conv(self.conv(x)))

    seen = anmok.anatomy(Twice(), (4, 10, 10))
    assert [(row.name, row.call, row.parameters) for row in seen.layers] == [
        ("conv", 1, 144), ("conv", 2, 0), ("tied", 1, 0)]  # fmt: skip
    assert seen.parameters == 144 and seen.macs == 3 * 144 * 100
    assert [row.field[0].size for row in seen.layers] == [3, 5, 7]
    assert seen.layer("conv", call=2).field[0].size == 5


def test_functional_layers_get_rows_of_their_own():
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = nn.Parameter(torch.zeros(8, 3, 5, 5))
            self.matrix = nn.Parameter(torch.zeros(10, 8))
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = F.relu(F.conv2d(x, self.kernel * 2, stride=2)) * self.scale
            return F.linear(F.adaptive_avg_pool2d(x, 1).flatten(1), self.matrix)

    seen = anmok.anatomy(Functional(), (3, 21, 21))
    assert [row.kind for row in seen.layers] == ["conv", "relu", "mean", "linear", "parameters and arithmetic"]
    assert [row.parameters for row in seen.layers] == [600, 0, 0, 80, 1]
    assert seen.shares == {"conv": 600, "linear": 80, "norm": 0, "other": 1}
    assert seen.macs == 600 * 81 + 80
    assert seen.layers[0].window.stride == (2, 2)


def test_outputs_of_every_form():
    class Forms(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, object]:
            return {"out": x[:, 0], "more": (x, [x.mean()]), "word": "no tensor"}

    seen = anmok.anatomy(Forms(), (3, 5, 6))
    assert seen.output_shapes == ((5, 6), (3, 5, 6), ())


def test_unknown_operators_are_said_to_be_unknown():
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.after = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv(x)
            x = torch.fft.fft2(x).real
            return self.after(x)

    seen = anmok.anatomy(Odd(), (1, 12, 12))
    assert seen.layer("conv").field[0].size == 3
    assert seen.layer("after").field == (None, None)
    assert seen.receptive_field == (None, None)
    assert seen.macs == 18 * 100 + 36 * 64
    assert len(seen.notes) == 1 and "unknown" in seen.notes[0]
    assert "?" in render(seen, None)


def test_a_network_that_looks_at_values_is_taken_for_zero():
    class Decides(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if x.max().item() > 0.5:
                return x
            return F.max_pool2d(x, 2)

    seen = anmok.anatomy(Decides(), (1, 8, 8))
    assert seen.output_shapes == ((1, 4, 4),)
    assert any("looks at values" in note for note in seen.notes)


def test_tensors_made_while_running_join_in():
    class Makes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(4, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            rows = torch.linspace(-1, 1, x.shape[2]).view(1, 1, -1, 1).expand(x.shape[0], 1, -1, x.shape[3])
            canvas = torch.zeros(x.shape[0], 4, x.shape[2], x.shape[3])
            canvas[:, :3] = x
            canvas[:, 3:] = rows + torch.randn(1)
            return self.conv(canvas[:, [2, 1, 0, 3]])

    seen = anmok.anatomy(Makes(), (3, 6, 7))
    assert seen.output_shapes == ((2, 6, 7),)
    assert [axis.size for axis in seen.layer("conv").field] == [1, 1]


def test_writing_into_a_part_widens_the_whole():
    class Writes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.end = nn.Conv2d(2, 2, 5, padding=2), nn.Conv2d(4, 1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x.clone()
            x[:, :2] = self.conv(x[:, 2:])
            return self.end(x)

    assert anmok.anatomy(Writes(), (4, 9, 9)).layer("end").field[0].size == 5


def test_wrapped_weights_lazy_layers_and_parametrisations():
    net = nn.Sequential(
        torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3)),
        torch.nn.utils.parametrizations.spectral_norm(nn.Conv2d(4, 4, 3)),
        nn.LazyConv2d(5, 3),
        nn.Flatten(),
        nn.LazyLinear(2),
    )
    seen = anmok.anatomy(net, (3, 10, 10))
    assert seen.output_shapes == ((2,),)
    assert seen.macs == 64 * 108 + 36 * 144 + 16 * 180 + 160
    assert seen.parameters == 4 + 108 + 4 + 144 + 4 + 185 + 162
    assert torch.nn.parameter.is_lazy(net[2].weight)


def test_recurrent_attention_and_detection_heads_do_not_crash():
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(8, 6, batch_first=True)
            self.attend = nn.TransformerEncoderLayer(6, 2, 12, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = x.flatten(2).transpose(1, 2)
            return self.attend(self.lstm(tokens)[0])

    seen = anmok.anatomy(Mixed(), (8, 3, 4))
    assert seen.output_shapes == ((12, 6),)
    assert seen.layer("attend.self_attn").family == "attention"

    class Pools(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torchvision.ops.roi_align(x, [torch.tensor([[0.0, 0.0, 4.0, 4.0]])], (2, 2))

    assert anmok.anatomy(Pools(), (2, 8, 8)).layers[-1].field == (None, None)


def test_precision_follows_the_network():
    half = anmok.anatomy(nn.Conv2d(3, 8, 3).half(), (3, 10, 10))
    full = anmok.anatomy(nn.Conv2d(3, 8, 3), (3, 10, 10))
    assert 2 * half.activation_bytes == full.activation_bytes == 8 * 64 * 4
    assert 2 * half.parameter_bytes == full.parameter_bytes == (216 + 8) * 4


def test_peak_memory_by_hand():
    """In: 4·100 numbers, out of each layer 4·100: two at a time in a chain, three where a skip is held."""

    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.b(self.a(x))

    map_bytes = 4 * 100 * 4
    seen = anmok.anatomy(Skip(), (4, 10, 10))
    assert seen.activation_bytes == 3 * map_bytes
    assert seen.peak_bytes == 3 * map_bytes
    assert (
        anmok.anatomy(nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(inplace=True)), (4, 10, 10)).activation_bytes
        == map_bytes
    )


def test_flow_names_what_each_step_reads():
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.conv(x) + x)

    seen = anmok.anatomy(Block(), (2, 5, 5))
    assert [row.kind for row in seen.layers] == ["Conv2d", "add", "relu"]
    assert dict(seen.flow) == {0: (-1,), 1: (-1, 0), 2: (1,)}


@pytest.mark.parametrize(
    ("net", "shape", "word"),
    [
        (nn.Conv2d(3, 4, 3), (1, 8, 8), "does not run"),
        (nn.Conv2d(3, 4, 9), (3, 4, 4), "does not run"),
        (nn.Conv2d(3, 4, 3), (3, 0, 8), "no picture's shape"),
        (nn.Conv2d(3, 4, 3), 224, "no picture's shape"),
    ],
)
def test_errors_say_what_arrived_and_what_to_try(net, shape, word):
    with pytest.raises(UsageError, match=word) as caught:
        anmok.anatomy(net, shape)
    assert caught.value.got and caught.value.allowed and caught.value.fix


def test_a_network_that_cannot_be_copied_is_refused_with_the_reason():
    net = nn.Conv2d(1, 1, 1)
    net.lock = threading.Lock()
    with pytest.raises(UsageError, match="cannot be copied"):
        anmok.anatomy(net, (1, 4, 4))


def test_an_unknown_layer_names_the_nearest():
    seen = anmok.anatomy(torchvision.models.resnet18(), (3, 64, 64))
    with pytest.raises(UsageError, match=r"layer4\.1\.conv2"):
        seen.layer("layer4.1.conv22")


def test_json_and_text_hold_the_same_rows():
    seen = anmok.anatomy(torchvision.models.resnet18(), (3, 64, 64))
    data = json.loads(json.dumps(seen.to_json()))
    assert data["parameters"] == 11_689_512
    assert [row["name"] for row in data["layers"]] == [row["name"] for row in seen.table(1)]
    text = render(seen, 1)
    assert "layer4" in text and "layer4.1" not in text and "11,689,512" in text
    assert "layer4.1.conv2" in render(seen, None)
