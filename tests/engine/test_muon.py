"""Muon: updates are orthogonal, kernels count as matrices, everything else follows torch's own Nesterov SGD."""

import torch
from torch import nn

from anmok.engine.muon import Muon, orthogonalised


def test_singular_values_come_near_one() -> None:
    torch.manual_seed(0)
    for result in orthogonalised([torch.randn(shape) for shape in ((16, 64), (64, 16), (32, 32))], iterations=6):
        values = torch.linalg.svdvals(result)
        assert values.min() > 0.6 and values.max() < 1.3


def test_together_as_one_by_one_as_the_post_writes_the_iteration() -> None:
    torch.manual_seed(0)
    matrices = [torch.randn(shape) for shape in ((16, 25), (32, 288), (32, 144), (64, 16))]
    for matrix, ours in zip(matrices, orthogonalised(matrices), strict=True):
        x = matrix.double() / matrix.double().norm()
        for _ in range(3):
            a = x @ x.T
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        assert torch.allclose(ours.double(), x, atol=1e-4)


def test_the_direction_is_that_of_the_exact_orthogonal_factor() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(8, 24)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    exact, (ours,) = u @ v, orthogonalised([matrix], iterations=6)
    assert torch.nn.functional.cosine_similarity(ours.flatten(), exact.flatten(), dim=0) > 0.97


def test_what_is_no_kernel_follows_nesterov_sgd() -> None:
    ours, theirs = (nn.Parameter(torch.tensor([1.0, -2.0])) for _ in range(2))
    muon = Muon([ours], lr=0.01, other_lr=3.0, momentum=0.6)
    sgd = torch.optim.SGD([theirs], lr=0.03, momentum=0.6, nesterov=True)
    for gradient in ([1.0, 2.0], [0.5, -1.0], [3.0, 0.0]):
        ours.grad, theirs.grad = torch.tensor(gradient), torch.tensor(gradient)
        muon.step()
        sgd.step()
    assert torch.allclose(ours, theirs)


def test_it_learns_and_its_state_comes_back() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(64, 3, 8, 8), torch.arange(64) % 2
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 2))
    muon = Muon(net.parameters(), lr=0.05)

    def step(net: nn.Module, optimizer: torch.optim.Optimizer) -> float:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    losses = [step(net, muon) for _ in range(40)]
    assert losses[-1] < 0.2 * losses[0]
    import copy

    twin = copy.deepcopy(net)
    other = Muon(twin.parameters(), lr=0.05)
    other.load_state_dict(copy.deepcopy(muon.state_dict()))
    assert step(net, muon) == step(twin, other)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), twin.parameters(), strict=True))


def test_a_hidden_matrix_is_updated_as_a_kernel_of_one_pixel() -> None:
    torch.manual_seed(0)
    matrix, gradient = torch.randn(8, 24), torch.randn(8, 24)
    dense, kernel, plain = (
        nn.Parameter(matrix.clone()),
        nn.Parameter(matrix[..., None, None]),
        nn.Parameter(matrix.clone()),
    )
    muon = Muon([{"params": [dense], "hidden": True}, {"params": [kernel, plain]}], lr=0.1, weight_decay=0.01)
    dense.grad, kernel.grad, plain.grad = gradient.clone(), gradient[..., None, None].clone(), gradient.clone()
    muon.step()
    assert torch.allclose(dense, kernel[..., 0, 0]) and not torch.allclose(dense, plain)
