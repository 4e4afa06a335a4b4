"""Kernels' gradients as matrix products are those of PyTorch, and layers are themselves again afterwards."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anmok.engine.kernel_gradients import Convolution, by_matrix_products, kernel_gradient, spread
from anmok.networks import build

SHAPES = [  # kernel, stride, padding, height, width
    ((3, 3), (1, 1), (1, 1), 5, 7),
    ((4, 4), (2, 2), (1, 1), 8, 6),
    ((4, 4), (1, 1), (0, 0), 4, 4),
    ((1, 1), (2, 2), (0, 0), 7, 5),  # the last row and column are seen by nothing
    ((3, 2), (2, 1), (0, 1), 9, 4),
    ((5, 3), (3, 2), (2, 0), 11, 8),
]


@pytest.mark.parametrize(("kernel", "stride", "padding", "height", "width"), SHAPES)
def test_it_is_pytorchs_gradient(
    kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], height: int, width: int
) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 2, height, width, dtype=torch.float64)
    weight = torch.randn(4, 2, *kernel, dtype=torch.float64, requires_grad=True)
    answer = F.conv2d(x, weight, None, stride, padding)
    arrives = torch.randn_like(answer)
    (expected,) = torch.autograd.grad(answer, weight, arrives)
    torch.testing.assert_close(kernel_gradient(arrives, x, kernel, stride, padding), expected)


@pytest.mark.parametrize(("kernel", "stride", "padding", "height", "width"), SHAPES)
def test_spreading_is_pytorchs_way_back(
    kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], height: int, width: int
) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 2, height, width, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 2, *kernel, dtype=torch.float64)
    answer = F.conv2d(x, weight, None, stride, padding)
    arrives = torch.randn_like(answer)
    (expected,) = torch.autograd.grad(answer, x, arrives)
    torch.testing.assert_close(spread(arrives, weight, stride, padding, x.shape[2:]), expected)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "padding", "height", "width"), SHAPES[:2])
def test_first_and_second_derivatives_hold(
    transposed: bool,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    height: int,
    width: int,
) -> None:
    """Against finite differences; the second is what gradient penalties (R1, WGAN-GP) descend."""
    torch.manual_seed(0)
    x = torch.randn(2, 2, height // 2, width // 2, dtype=torch.float64, requires_grad=True)
    if not transposed:
        x = torch.randn(2, 2, height, width, dtype=torch.float64, requires_grad=True)
    shape = (2, 3) if transposed else (3, 2)
    weight = torch.randn(*shape, *kernel, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(3, dtype=torch.float64, requires_grad=True)

    def convolved(*inputs: Tensor) -> Tensor:
        answer: Tensor = Convolution.apply(*inputs, stride, padding, transposed)  # type: ignore[no-untyped-call]
        return answer

    expected = (F.conv_transpose2d if transposed else F.conv2d)(x, weight, bias, stride, padding)
    torch.testing.assert_close(convolved(x, weight, bias), expected)
    assert torch.autograd.gradcheck(convolved, (x, weight, bias))
    assert torch.autograd.gradgradcheck(convolved, (x, weight, bias))


def gradients(networks: list[nn.Module], pictures: Tensor, half: bool = True) -> list[Tensor]:
    """Of the mean square of the answers, each network's fed into the next, in bf16 unless `half` is False."""
    for network in networks:
        network.zero_grad()
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.reset_running_stats()
    answers = pictures
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        for network in networks:
            answers = network(answers)
    answers.float().square().mean().backward()
    return [weight.grad.clone() for network in networks for weight in network.parameters() if weight.grad is not None]


def test_networks_learn_the_same_and_are_themselves_again(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[int, ...]] = []

    def counted(rows: Tensor, maps: Tensor, *settings: tuple[int, int]) -> Tensor:
        taken.append((rows.shape[1], rows.shape[2], maps.shape[1], maps.shape[2]))
        return kernel_gradient(rows, maps, *settings)

    monkeypatch.setattr("anmok.engine.kernel_gradients.kernel_gradient", counted)
    torch.manual_seed(0)
    decoder = nn.Sequential(nn.ConvTranspose2d(8, 16, 4), nn.ReLU(), nn.ConvTranspose2d(16, 1, 4, 7, bias=False))
    networks = [decoder, build("small_resnet", num_classes=10, in_channels=1, width=16)]
    networks = [network.to(memory_format=torch.channels_last) for network in networks]  # type: ignore[call-overload]
    pictures = torch.randn(16, 8, 1, 1)
    exact, usual = gradients(networks, pictures, half=False), gradients(networks, pictures)
    before = [dict(layer.__dict__) for layer in networks[1].modules()]
    assert not taken
    with by_matrix_products(networks):
        found = gradients(networks, pictures)
        names = [type(layer).__name__ for layer in networks[1].modules()]
        with torch.no_grad():
            networks[1](torch.randn(2, 1, 28, 28))  # answering alone, nothing is taken
    for truth, one, other in zip(exact, usual, found, strict=True):
        # bf16's rounding is magnified by normalisation on the way back: as far off as without, and no further
        assert (other - truth).norm() <= 1.5 * (one - truth).norm() + 0.01 * truth.norm()
    # of the decoder both, seen backwards; of the network the convolutions at 7 × 7 with 64 channels and at 3 × 3
    assert sorted(taken) == [(8, 1, 16, 4), (16, 4, 1, 25), (64, 3, 64, 3), (64, 3, 64, 3), (64, 6, 32, 6)]
    assert names == [type(layer).__name__ for layer in networks[1].modules()]
    assert [layer.__dict__.keys() for layer in networks[1].modules()] == [layer.keys() for layer in before]


def test_float32_and_subclasses_go_their_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(nn.Conv2d):
        pass

    def never(*_: object) -> Tensor:
        raise AssertionError("taken")

    monkeypatch.setattr("anmok.engine.kernel_gradients.kernel_gradient", never)
    for network, half in ((nn.Conv2d(2, 64, 3), False), (Own(2, 64, 3), True), (nn.Conv2d(64, 64, 3, groups=64), True)):
        with by_matrix_products([network]), torch.autocast("cpu", torch.bfloat16, enabled=half):
            network(torch.randn(1, network.in_channels, 4, 4)).float().sum().backward()
        assert network.weight.grad is not None
