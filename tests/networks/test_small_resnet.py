"""The stem that begins with what pictures have in common."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.feature_extraction.image import extract_patches_2d
from torch.nn import functional as F

from anmok import networks


@pytest.mark.parametrize("channels", [1, 3])
def test_stem_whitens_patches(channels: int) -> None:
    """Answers of the first half of the kernels are uncorrelated and of unit variance; the others mirror them."""
    generator = torch.Generator().manual_seed(0)
    rough = torch.randn(64, channels, 20, 20, generator=generator)
    pictures = F.avg_pool2d(F.pad(rough, (2, 2, 2, 2)), 5, stride=1) * 8  # neighbours alike, as in pictures
    net = networks.small_resnet(in_channels=channels)
    net.begin_with(pictures)
    kernels = net.get_parameter("stage1.0.weight").detach()
    assert torch.equal(kernels[:8], -kernels[8:16])
    answers = F.conv2d(pictures, kernels[:8], padding=1).movedim(1, 3).flatten(0, 2).double()
    assert torch.allclose(answers.T @ answers / len(answers), torch.eye(8).double(), atol=0.05)


def test_stem_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(40, 16, 16)).cumsum(1).cumsum(2)
    pictures = (pictures - pictures.mean()) / pictures.std()
    patches = np.concatenate([extract_patches_2d(np.pad(picture, 1), (3, 3)) for picture in pictures]).reshape(-1, 9)
    patches = np.concatenate([patches, -patches])  # scikit-learn subtracts the mean: with both signs it is zero
    theirs = PCA(n_components=8).fit(patches).components_
    net = networks.small_resnet(in_channels=1)
    net.begin_with(torch.from_numpy(pictures)[:, None].float())
    ours = net.get_parameter("stage1.0.weight").detach().flatten(1)[:8].double().numpy()
    ours /= np.linalg.norm(ours, axis=1, keepdims=True)
    assert np.abs(np.abs((ours * theirs).sum(1)) - 1).max() < 1e-4


def test_network_of_one_channel_sees_every_component_once() -> None:
    """A 3×3 patch of one channel has nine components: wider stems keep their random kernels for the rest."""
    torch.manual_seed(0)
    net = networks.small_resnet(in_channels=1, width=32)
    before = net.get_parameter("stage1.0.weight").detach().clone()
    net.begin_with(torch.randn(8, 1, 12, 12))
    after = net.get_parameter("stage1.0.weight").detach()
    assert not torch.equal(before[:18], after[:18])
    assert torch.equal(before[18:], after[18:])


def test_stem_learns_where_no_pictures_were_shown() -> None:
    net = networks.small_resnet()
    net(torch.randn(2, 3, 16, 16)).sum().backward()
    assert net.get_parameter("stage1.0.weight").grad is not None
    net.begin_with(torch.randn(8, 3, 16, 16))
    net.zero_grad()
    net(torch.randn(2, 3, 16, 16)).sum().backward()
    assert net.get_parameter("stage1.0.weight").grad is None
    assert net.get_parameter("stage2.0.0.weight").grad is not None
