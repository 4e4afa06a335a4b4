"""Published weights, from a server on this machine that holds files as torchvision publishes them."""

from __future__ import annotations

import hashlib
import re
import threading
import warnings
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from anmok import networks
from anmok.core.errors import AnmokError, CheckpointError, UsageError
from anmok.core.weights import Weights
from anmok.networks._pretrained import adapt_channels, to_unit_range


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class Publisher:
    """Writes state dicts as torchvision does and serves them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def publish(self, name: str, state: dict[str, torch.Tensor]) -> Weights:
        torch.save(state, self.folder / "new")
        digest = hashlib.sha256((self.folder / "new").read_bytes()).hexdigest()
        (self.folder / "new").rename(self.folder / f"{name}-{digest[:8]}.pth")
        return Weights(f"http://127.0.0.1:{self.server.server_address[1]}/{name}-{digest[:8]}.pth")


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))
    (tmp_path / "served").mkdir()
    publisher = Publisher(tmp_path / "served")
    yield publisher
    publisher.server.shutdown()
    publisher.server.server_close()


def theirs(name: str, **kwargs: object) -> nn.Module:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(torchvision.models, name)(**kwargs).eval()


def announce(monkeypatch: pytest.MonkeyPatch, name: str, **files: Weights) -> None:
    """Let the network's published files be these."""
    known = networks.NETWORKS[name].weights
    module_level = __import__(networks.NETWORKS[name].__module__, fromlist=["WEIGHTS"]).WEIGHTS
    for mapping in (known, module_level.get(name, module_level)):
        for key, value in files.items():
            monkeypatch.setitem(mapping, key.replace("_", "-"), value)


def same_answers(net: nn.Module, reference: nn.Module, size: int = 64) -> None:
    x = torch.randn(2, 3, size, size)
    with torch.no_grad():
        torch.testing.assert_close(net.eval()(x), reference(x))


@pytest.mark.parametrize("key", ["imagenet", "imagenet-v1"])
def test_by_name(publisher: Publisher, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    reference = theirs("resnet18")
    announce(monkeypatch, "resnet18", imagenet_v1=publisher.publish("resnet18", reference.state_dict()))
    same_answers(networks.resnet18(weights=key), reference)


def test_the_second_time_needs_no_server(publisher: Publisher) -> None:
    weights = publisher.publish("resnet18", theirs("resnet18").state_dict())
    networks.resnet18(weights=weights)
    publisher.server.shutdown()
    publisher.server.server_close()
    same_answers(networks.resnet18(weights=weights), theirs("resnet18"))


def test_the_newest_of_two_files(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = theirs("resnet50"), theirs("resnet50")
    with torch.no_grad():
        new.fc.bias.fill_(3)
    announce(
        monkeypatch,
        "resnet50",
        imagenet_v1=publisher.publish("resnet50", old.state_dict()),
        imagenet_v2=publisher.publish("resnet50", new.state_dict()),
    )
    assert (networks.resnet50(weights="imagenet").fc.bias == 3).all()
    assert torch.equal(networks.resnet50(weights="imagenet-v1").fc.bias, old.fc.bias)


@pytest.mark.parametrize("damage", ["another file", "truncated"])
def test_wrong_content(publisher: Publisher, damage: str, tmp_path: Path) -> None:
    weights = publisher.publish("resnet18", theirs("resnet18").state_dict())
    served = publisher.folder / weights.file_name
    content = served.read_bytes()
    served.write_bytes(b"<html>log in</html>" if damage == "another file" else content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="not the published file"):
        networks.resnet18(weights=weights)
    assert not list((tmp_path / "cache").rglob("*.pth"))


def test_offline(publisher: Publisher, tmp_path: Path) -> None:
    weights = publisher.publish("resnet18", {})
    publisher.server.shutdown()
    publisher.server.server_close()
    with pytest.raises(AnmokError) as caught:
        networks.resnet18(weights=weights)
    assert weights.url in str(caught.value)
    assert str(tmp_path / "cache" / "weights" / weights.file_name) in str(caught.value)


def test_gone_from_the_server(publisher: Publisher) -> None:
    weights = publisher.publish("resnet18", {})
    (publisher.folder / weights.file_name).unlink()
    with pytest.raises(AnmokError, match="404"):
        networks.resnet18(weights=weights)


def test_other_classes_get_a_fresh_head(publisher: Publisher) -> None:
    reference = theirs("resnet18")
    weights = publisher.publish("resnet18", reference.state_dict())
    net = networks.resnet18(num_classes=5, weights=weights)
    for key, value in net.state_dict().items():
        if not key.startswith("fc."):
            assert torch.equal(value, reference.state_dict()[key]), key
    assert net.fc.weight.shape == (5, 512)
    assert 0.01 < net.fc.weight.std() < 0.1


def test_grey_pictures_answer_like_grey_in_colour(publisher: Publisher) -> None:
    reference = theirs("resnet18")
    weights = publisher.publish("resnet18", reference.state_dict())
    grey = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        answer = networks.resnet18(in_channels=1, weights=weights).eval()(grey)
        torch.testing.assert_close(answer, reference(grey.expand(-1, 3, -1, -1)), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("channels", "exact"), [(3, True), (6, True), (4, False), (2, False)])
def test_adapted_channels_by_hand(channels: int, exact: bool) -> None:
    kernel = torch.randn(4, 3, 5, 5)
    adapted = adapt_channels(kernel, channels)
    assert adapted.shape == (4, channels, 5, 5)
    torch.testing.assert_close(adapted[:, 0], kernel[:, 0] * 3 / channels)
    if exact:
        torch.testing.assert_close(adapted.sum(1), kernel.sum(1))


def test_densenets_old_names(publisher: Publisher) -> None:
    reference = theirs("densenet121")
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key): value
        for key, value in reference.state_dict().items()
    }
    assert "features.denseblock1.denselayer2.norm.1.weight" in old
    net = networks.densenet121(weights=publisher.publish("densenet121", old))
    same_answers(net, reference)


@pytest.mark.parametrize("name", ["googlenet", pytest.param("inception_v3", marks=pytest.mark.slow)])
def test_inceptions_rescale_their_input(publisher: Publisher, name: str) -> None:
    reference = theirs(name, init_weights=False)
    net = getattr(networks, name)(weights=publisher.publish(name, reference.state_dict()))
    assert net.transform_input
    reference.transform_input = True
    same_answers(net, reference, size=80)
    assert net.aux_logits == (name == "inception_v3")  # torchvision's GoogLeNet heads were never trained
    bare = getattr(networks, name)(weights=publisher.publish(name, reference.state_dict()), aux_logits=False)
    assert not any("aux" in key.lower() for key in bare.state_dict())


def test_rescaled_input_by_hand() -> None:
    """A white picture is 1 after rescaling, a black one -1, whatever the channel."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    for grey in (0.0, 1.0):
        x = ((grey - mean) / std).view(1, 3, 1, 1)
        torch.testing.assert_close(to_unit_range(x, 3), torch.full((1, 3, 1, 1), 2 * grey - 1), atol=1e-6, rtol=0)
    assert to_unit_range(torch.zeros(1, 1, 2, 2), 1).shape == (1, 1, 2, 2)


def test_a_safetensors_file_of_ones_own(tmp_path: Path) -> None:
    first = networks.textbook_cnn(num_classes=4)
    save_file(first.state_dict(), tmp_path / "mine.safetensors")
    for path in (tmp_path / "mine.safetensors", str(tmp_path / "mine.safetensors")):
        net = networks.build("textbook_cnn", num_classes=4, in_channels=1, weights=path)
        assert torch.equal(net.fc1.weight, first.fc1.weight)


def test_a_published_file_elsewhere_is_known_by_its_hash(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = theirs("resnet18")
    weights = publisher.publish("resnet18", reference.state_dict())
    moved = (publisher.folder / weights.file_name).rename(publisher.folder / "renamed.pth")
    with pytest.raises(CheckpointError, match="only published ones"):
        networks.resnet18(weights=moved)
    announce(monkeypatch, "resnet18", imagenet_v1=weights)
    same_answers(networks.resnet18(weights=moved), reference)


def test_weights_of_another_network(tmp_path: Path) -> None:
    save_file(networks.resnet18(num_classes=3).state_dict(), tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="another network") as caught:
        networks.resnet34(num_classes=3, weights=tmp_path / "a.safetensors")
    assert "layer1.2.conv1.weight is missing" in str(caught.value)
    assert "more" in str(caught.value)
    with pytest.raises(CheckpointError, match=r"fc1\.weight is missing"):
        networks.textbook_cnn(weights=tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("name", "weights", "said"),
    [
        ("resnet50", "imagenet-v3", "imagenet-v2"),
        ("resnet50", "imagnet", "Try: 'imagenet'"),
        ("textbook_cnn", "imagenet", "the path of a file"),
        ("resnet50_2015", "imagenet", "the path of a file"),
    ],
)
def test_unknown_weights(name: str, weights: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)), torch.device("meta"):
        networks.build(name, num_classes=1000, weights=weights)


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        networks.textbook_cnn(weights=tmp_path / "nothing.safetensors")
