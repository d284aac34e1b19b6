"""A network comes back from its exported graphs, and trains on from where it was."""

import json
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

from pathlib import Path

import numpy as np
import onnx

from coarse_loftr_lab.network.batch_norms import renew_batch_norms
from coarse_loftr_lab.network.checkpoint import save_checkpoint
from coarse_loftr_lab.network.export import export_model
from coarse_loftr_lab.network.matcher_net import MatcherConfig, MatcherNet, dual_softmax
from coarse_loftr_lab.network.restore import open_network, restore_network
from coarse_loftr_ros.backends.base import SHIPPED_MODELS, ModelFiles
from coarse_loftr_ros.backends.decoding import without_border
from coarse_loftr_ros.backends.onnxruntime_backend import OnnxRuntimeBackend
from coarse_loftr_ros.images.preprocessing import NetworkSize


@pytest.fixture(scope="module")
def net() -> MatcherNet:
    """Every layer in use, and batch norms with statistics and weights of their own."""
    torch.manual_seed(5)
    net = MatcherNet(MatcherConfig(stage_blocks=(1, 0, 2, 1), self_layers=2, cross_layers=2))
    with torch.no_grad():
        for name, value in net.named_parameters():
            if value.dim() < 2 and not name.startswith("log_"):
                value.uniform_(0.2, 1.0)
        net.fine_context.weight.normal_(0, 0.1)
        for _ in range(3):
            net.train().encode(torch.rand(2, 1, 64, 64))
    return net.eval()


@pytest.fixture(scope="module")
def folder(net, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    export_model(net, folder, "test")
    return folder


def answers(net: MatcherNet, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
    with torch.no_grad():
        tokens, fine = net.encode(images)
        return tokens, fine, *net.match(*tokens.chunk(2))


def test_an_exported_network_comes_back(net, folder):
    again = open_network(folder)
    assert again.config == net.config and not again.training
    images = torch.rand(2, 1, 96, 64)
    for ours, theirs in zip(answers(again, images), answers(net, images), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(again.fine_scale(), net.fine_scale(), rtol=1e-5, atol=0)


def test_a_model_of_a_version_that_moved_the_pixels_comes_back(net, tmp_path, monkeypatch):
    monkeypatch.setattr("coarse_loftr_lab.network.export.reading_columns", lambda net: net)
    export_model(net, tmp_path, "older")
    graph = onnx.load(tmp_path / "encode.onnx").graph
    assert any([*tensor.dims[1:]] == [16, 3, 3] for tensor in graph.initializer)
    images = torch.rand(2, 1, 96, 64)
    ours, theirs = (answers(one, images) for one in (open_network(tmp_path), net))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_shipped_models_come_back(name):
    model = ModelFiles.load(name)
    net = open_network(Path(name))
    backend = OnnxRuntimeBackend(model, NetworkSize(160, 96), 1)
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 256, (12, 20), np.uint8).repeat(8, 0).repeat(8, 1) for _ in "ab"]
    encoded = [backend.encode(image) for image in images]
    batch = torch.from_numpy(np.stack(images))[:, None] / 255
    tokens, fine, *matched = answers(net, batch)
    for k, ours in enumerate(encoded):
        np.testing.assert_allclose(tokens[k].numpy(), ours.tokens[0], atol=1e-3)
        np.testing.assert_allclose(
            fine[k].permute(1, 2, 0).numpy(), without_border(ours.fine), atol=1e-3
        )
    confidence = dual_softmax(*matched[:3])[0].numpy()
    np.testing.assert_allclose(confidence, backend.compare(*encoded).confidence(), atol=1e-4)


def test_a_checkpoint_is_a_network_too(net, tmp_path):
    save_checkpoint(tmp_path / "a.pt", net, 1)
    assert open_network(tmp_path / "a.pt").config == net.config


def described(folder: Path, tmp_path: Path, network: dict | None) -> ModelFiles:
    """The model with another description of its network, or none."""
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    description = tmp_path / "model.json"
    facts = json.loads(description.read_text())
    del facts["network"]
    if network is not None:
        facts["network"] = network
    description.write_text(json.dumps(facts))
    return ModelFiles.load(tmp_path)


def test_a_description_of_another_network_is_refused(net, folder, tmp_path):
    wrong = replace(net.config, cross_layers=1).to_dict()
    with pytest.raises(ValueError, match=r"not those of the network .*cross_layers.1"):
        restore_network(described(folder, tmp_path, wrong))


def test_a_model_that_does_not_say_how_it_is_made_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match=r"model\.json has no 'network'"):
        restore_network(described(folder, tmp_path, None))


def test_a_damaged_model_is_refused_in_a_sentence(folder, tmp_path):
    described(folder, tmp_path, None)
    (tmp_path / "match.onnx").write_bytes(b"?")
    with pytest.raises(ValueError, match="damaged or of another export"):
        open_network(tmp_path)


def test_renewed_batch_norms_change_nothing_but_how_training_begins(folder):
    net = open_network(folder)
    images = torch.rand(8, 1, 64, 96)
    before = answers(net, images)
    with torch.no_grad():
        off = (net.train().encode(images)[0] - before[0]).abs().mean()
    net = open_network(folder)
    renew_batch_norms(net, images)
    assert not net.training
    for ours, theirs in zip(answers(net, images), before, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
    with torch.no_grad():
        still = (net.train().encode(images)[0] - before[0]).abs().mean()
    assert still < 0.01 * off
