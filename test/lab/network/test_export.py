"""Exported graphs compute what PyTorch computes, at every size, and load from nothing unsafe."""

import json

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

import numpy as np

from coarse_loftr_lab.network.checkpoint import load_checkpoint, load_network, save_checkpoint
from coarse_loftr_lab.network.export import export_model
from coarse_loftr_lab.network.matcher_net import MatcherConfig, MatcherNet, dual_softmax
from coarse_loftr_ros.backends.base import ModelFiles
from coarse_loftr_ros.backends.decoding import without_border
from coarse_loftr_ros.backends.registry import create_backend
from coarse_loftr_ros.images.preprocessing import NetworkSize

SIZES = [(640, 480), (320, 224), (640, 192), (96, 160)]


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(3)
    net = MatcherNet()
    net.train()
    with torch.no_grad():
        for _ in range(3):  # batch norms with statistics of their own
            net.encode(torch.rand(2, 1, 64, 64))
    return net.eval()


@pytest.fixture(scope="module")
def folder(net, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    export_model(net, folder, "test")
    return folder


@pytest.mark.parametrize("backend_name", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("size", SIZES)
def test_the_graphs_agree_with_pytorch(net, folder, backend_name, size):
    width, height = size
    backend = create_backend(backend_name, ModelFiles.load(folder), NetworkSize(width, height), 1)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (height, width), np.uint8) for _ in range(2)]
    encoded = [backend.encode(image) for image in images]
    confidence = backend.compare(*encoded).confidence()
    with torch.no_grad():
        expected = [net.encode(torch.from_numpy(image)[None, None] / 255) for image in images]
        expected_confidence = dual_softmax(*net.match(expected[0][0], expected[1][0])[:3])
    for ours, (tokens, fine) in zip(encoded, expected, strict=True):
        np.testing.assert_allclose(ours.tokens, tokens.numpy(), atol=1e-3)
        np.testing.assert_allclose(
            without_border(ours.fine), fine[0].permute(1, 2, 0).numpy(), atol=1e-3
        )
    np.testing.assert_allclose(confidence, expected_confidence[0].numpy(), atol=1e-4)


def test_a_fixed_size_has_no_open_dimension(net, tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed (make test-train)")
    export_model(net, tmp_path, "fixed", (320, 224))
    for name in ("encode.onnx", "match.onnx"):
        graph = onnx.load(tmp_path / name).graph
        for value in [*graph.input, *graph.output]:
            assert all(d.dim_value > 0 for d in value.type.tensor_type.shape.dim), value.name
    assert ModelFiles.load(tmp_path).size == NetworkSize(320, 224)
    create_backend("openvino", ModelFiles.load(tmp_path), NetworkSize(320, 224), 1)


@pytest.mark.parametrize("size", [(640, 470), (0, 32), (-32, 32)])
def test_a_size_that_is_no_multiple_of_32_is_refused(net, tmp_path, size):
    with pytest.raises(ValueError, match="multiples of 32"):
        export_model(net, tmp_path, "bad", size)


def test_the_description_holds_the_facts_of_the_network(net, folder):
    facts = json.loads((folder / "model.json").read_text())
    assert facts["coarse_stride"] == 16 and facts["fine_stride"] == 4
    assert facts["fine_scale"] == pytest.approx(float(net.fine_scale()), abs=1e-5)


def test_a_checkpoint_gives_the_same_network_back(net, tmp_path):
    save_checkpoint(tmp_path / "a.pt", net, 7)
    again = load_network(tmp_path / "a.pt")
    image = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        assert torch.equal(net.encode(image)[0], again.encode(image)[0])
    assert load_checkpoint(tmp_path / "a.pt").step == 7
    assert [p.name for p in tmp_path.iterdir()] == ["a.pt"]


def test_a_checkpoint_keeps_its_configuration(tmp_path):
    config = MatcherConfig(stage_channels=(8, 8, 16, 16), token_channels=32, heads=2)
    save_checkpoint(tmp_path / "small.pt", MatcherNet(config), 0)
    assert load_network(tmp_path / "small.pt").config == config


def test_a_foreign_file_is_refused(tmp_path):
    torch.save({"model_state_dict": {}}, tmp_path / "foreign.pt")
    with pytest.raises(ValueError, match="not a checkpoint of format 1"):
        load_checkpoint(tmp_path / "foreign.pt")


class _Intruder:
    def __reduce__(self):
        return (print, ("code that a checkpoint must not run",))


def test_a_checkpoint_cannot_run_code(tmp_path, capsys):
    torch.save({"format": 1, "weights": _Intruder()}, tmp_path / "evil.pt")
    with pytest.raises(Exception, match=r"[Ww]eights.only"):
        load_checkpoint(tmp_path / "evil.pt")
    assert "code that" not in capsys.readouterr().out
