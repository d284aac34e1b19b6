"""Multiplications and bytes of graphs that can be counted by hand, and of the shipped ones."""

import numpy as np
import pytest

from coarse_loftr_lab.profiling.graph_cost import graph_cost
from coarse_loftr_ros.backends.base import SHIPPED_MODELS, ModelFiles

onnx = pytest.importorskip("onnx", reason="onnx is not installed (make test has it)")


def graph(text, *weights):
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>\n{text}')
    model.graph.initializer.extend(onnx.numpy_helper.from_array(w, n) for n, w in weights)
    return model.SerializeToString()


def test_a_convolution_counts_one_product_per_weight_and_output():
    kernels = np.ones((5, 3, 3, 3), np.float32)
    text = """g (float[1, 3, 8, 10] x) => (float[1, 5, 4, 5] z) {
        y = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (x, w)
        z = Relu (y)
    }"""
    image = np.zeros((1, 3, 8, 10), np.float32)
    cost = graph_cost(graph(text, ("w", kernels)), {"x": image})
    out = 5 * 4 * 5
    assert cost.macs == out * 27
    assert (cost.products, cost.operations) == (1, 2)
    assert cost.fused_bytes == 4 * (image.size + kernels.size + out)
    assert cost.unfused_bytes == cost.fused_bytes + 4 * 2 * out
    assert cost.io_bytes == 4 * (image.size + out)


def test_a_matrix_product_counts_its_inner_side_and_views_are_free():
    text = """g (float[6, 4] x) => (float[14] z) {
        shape = Constant <value = int64[2] {2, 12}> ()
        flat = Reshape (x, shape)
        y = MatMul (flat, w)
        back = Constant <value = int64[1] {-1}> ()
        z = Reshape (y, back)
    }"""
    cost = graph_cost(
        graph(text, ("w", np.ones((12, 7), np.float32))), {"x": np.ones((6, 4), np.float32)}
    )
    assert (cost.macs, cost.products, cost.operations) == (2 * 7 * 12, 1, 1)


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_the_cost_of_the_encoder_grows_with_the_image(name):
    encode = ModelFiles.load(name).encode.read_bytes()
    small, large = (
        graph_cost(encode, {"image": np.zeros((1, 1, 64, width), np.float32)})
        for width in (96, 192)
    )
    assert large.macs == pytest.approx(2 * small.macs, rel=0.01)
    assert small.fused_bytes < small.unfused_bytes
