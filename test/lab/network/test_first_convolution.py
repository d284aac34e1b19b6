"""The first convolution reads the image as it lies, and computes what the network computes."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

import numpy as np
import onnx

from coarse_loftr_lab.network.export import export_model
from coarse_loftr_lab.network.first_convolution import of_blocks, of_columns, reading_columns
from coarse_loftr_lab.network.matcher_net import MatcherConfig, MatcherNet
from coarse_loftr_ros.backends.base import ModelFiles
from coarse_loftr_ros.backends.onnxruntime_backend import OnnxRuntimeBackend
from coarse_loftr_ros.images.preprocessing import NetworkSize


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(4)
    return MatcherNet(MatcherConfig(stage_channels=(20, 32, 64, 96))).eval()


@pytest.mark.parametrize(("height", "width"), [(32, 32), (96, 160), (64, 224)])
def test_it_computes_the_same_up_to_the_edges_of_the_image(net, height, width):
    images = torch.rand(2, 1, height, width)
    with torch.no_grad():
        for ours, theirs in zip(
            reading_columns(net).encode(images), net.encode(images), strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_network_itself_stays_as_it_was(net):
    before = net.stage4[0][0]
    reading_columns(net)
    assert net.stage4[0][0] is before and isinstance(net.unshuffle, torch.nn.PixelUnshuffle)


def test_weights_come_back_from_either_order():
    weight = torch.rand(24, 16, 3, 3)
    assert of_columns(weight).shape == (24, 4, 12, 3)
    assert torch.equal(of_blocks(of_columns(weight)), weight)
    assert torch.equal(of_blocks(weight), weight)


def test_an_exported_encoder_moves_no_pixel(net, tmp_path):
    export_model(net, tmp_path, "test")
    nodes = onnx.load(tmp_path / "encode.onnx").graph.node
    first = next(k for k, node in enumerate(nodes) if node.op_type == "Conv")
    moves = [list(n.attribute[0].ints) for n in nodes[:first] if n.op_type == "Transpose"]
    assert moves == [[0, 3, 1, 2]], "from channels last, how runtimes hold what they convolve"
    backend = OnnxRuntimeBackend(ModelFiles.load(tmp_path), NetworkSize(160, 96), 1)
    image = np.random.default_rng(1).integers(0, 256, (96, 160), np.uint8)
    with torch.no_grad():
        tokens, _ = net.encode(torch.from_numpy(image)[None, None] / 255)
    np.testing.assert_allclose(backend.encode(image).tokens, tokens.numpy(), atol=1e-3)
