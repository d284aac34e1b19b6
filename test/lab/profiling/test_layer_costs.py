"""Layers counted by hand, and sums that ONNX's own inference of shapes gives too."""

import numpy as np
import pytest

from coarse_loftr_lab.profiling.layer_costs import TOP_LEVEL, layer_costs
from coarse_loftr_ros.backends.base import SHIPPED_MODELS, ModelFiles
from coarse_loftr_ros.images.preprocessing import NetworkSize

onnx = pytest.importorskip("onnx", reason="onnx is not installed (make test has it)")


def graph(text, **weights):
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>\n{text}')
    model.graph.initializer.extend(onnx.numpy_helper.from_array(w, n) for n, w in weights.items())
    for node in model.graph.node:
        node.name = "" if node.output[0] == "z" else f"/stem/{node.output[0]}_1/{node.op_type}"
    return model.SerializeToString()


def test_each_layer_has_the_counts_of_a_calculation_by_hand():
    text = """g (float[1, 4, 8, 10] x) => (float[1, 6, 4, 5] z) {
        y = Conv <group = 2, pads = [1, 1, 1, 1], strides = [2, 2]> (x, w, b)
        z = Relu (y)
    }"""
    w, b = np.ones((6, 2, 3, 3), np.float32), np.ones(6, np.float32)
    x = np.zeros((1, 4, 8, 10), np.float32)
    conv, relu = layer_costs(graph(text, w=w, b=b), {"x": x})
    out = 6 * 4 * 5
    assert (conv.kind, conv.block, conv.product) == ("Conv", "stem", True)
    assert conv.parameters == 6 * 2 * 9 + 6
    assert conv.macs == out * 2 * 9
    assert conv.read_bytes == 4 * (4 * 8 * 10 + 6 * 2 * 9 + 6) and conv.written_bytes == 4 * out
    assert (conv.channels, conv.groups) == ((4, 6), 2)
    assert (relu.name, relu.block) == ("z", TOP_LEVEL)
    assert (relu.parameters, relu.macs, relu.channels, relu.reads) == (0, 0, None, (0,))
    assert relu.read_bytes == relu.written_bytes == 4 * out


def test_a_matrix_that_is_used_twice_has_its_parameters_once():
    text = """g (float[6, 4] x) => (float[6, 4] z) {
        copy = Identity (w)
        y = MatMul (x, w)
        z = MatMul (y, copy)
    }"""
    layers = layer_costs(
        graph(text, w=np.ones((4, 4), np.float32)), {"x": np.ones((6, 4), np.float32)}
    )
    copy, first, second = layers
    assert not copy.works
    assert (first.parameters, second.parameters) == (16, 0)
    assert first.macs == second.macs == 6 * 4 * 4
    assert second.channels == (4, 4)


def test_a_quantised_layer_reads_and_writes_the_bytes_that_lie_between_layers():
    text = """g (float[1, 2, 4, 4] x) => (float[1, 3, 4, 4] z) {
        xq = QuantizeLinear (x, s, o)
        xd = DequantizeLinear (xq, s, o)
        wd = DequantizeLinear (w, s, o)
        y = Conv (xd, wd)
        yq = QuantizeLinear (y, s, o)
        yd = DequantizeLinear (yq, s, o)
        z = Relu (yd)
    }"""
    weights = {"w": np.ones((3, 2, 1, 1), np.int8), "s": np.float32(0.1), "o": np.int8(0)}
    layers = layer_costs(
        graph(text, **{name: np.asarray(value) for name, value in weights.items()}),
        {"x": np.zeros((1, 2, 4, 4), np.float32)},
    )
    conv, relu = (layer for layer in layers if layer.works)
    assert (conv.read_bytes, conv.written_bytes) == (2 * 16 + 6, 3 * 16)
    assert (relu.read_bytes, relu.written_bytes) == (3 * 16, 4 * 3 * 16)
    assert (conv.parameters, conv.macs) == (6, 3 * 16 * 2)


def test_a_product_that_cannot_be_counted_is_named():
    weights = np.ones((4, 4), np.float32)
    text = "g (float[6, 4] x) => (float[6, 4] z) { z = Gemm (x, w) }"
    with pytest.raises(ValueError, match="layer z is of Gemm; multiplications are counted of Conv"):
        layer_costs(graph(text, w=weights), {"x": np.ones((6, 4), np.float32)})


@pytest.fixture(params=[(name, graph) for name in SHIPPED_MODELS for graph in ("encode", "match")])
def shipped(request):
    """A shipped graph, and inputs for it."""
    name, graph = request.param
    model = ModelFiles.load(name)
    if graph == "encode":
        return model.encode.read_bytes(), {"image": np.zeros((1, 1, 64, 96), np.float32)}
    exported = onnx.load(model.match)
    width = exported.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    names = [value.name for value in exported.graph.input]
    cells = model.cells(NetworkSize(96, 64))
    return model.match.read_bytes(), {
        name: np.zeros((1, cells, width), np.float32) for name in names
    }


def inferred(exported, inputs, folder):
    """The graph with all shapes as ONNX infers them, once ONNX Runtime has folded its constants.

    Sizes of the slices of tables depend on computed values, which inference alone cannot follow.
    """
    import onnxruntime

    model = onnx.load_from_string(exported)
    for value in model.graph.input:
        for dim, size in zip(
            value.type.tensor_type.shape.dim, inputs[value.name].shape, strict=True
        ):
            dim.dim_value = size
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folder / "folded.onnx")
    onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    folded = onnx.load(folder / "folded.onnx")
    del folded.graph.value_info[:]
    for value in folded.graph.output:
        value.type.tensor_type.ClearField("shape")
    return onnx.shape_inference.infer_shapes(folded, strict_mode=True, data_prop=True).graph


def test_sums_of_the_shipped_graphs_are_those_of_inferred_shapes(shipped, tmp_path):
    exported, inputs = shipped
    layers = layer_costs(exported, inputs)
    graph = inferred(exported, inputs, tmp_path)
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    shapes.update((tensor.name, list(tensor.dims)) for tensor in graph.initializer)
    macs = 0
    for node in graph.node:
        if node.op_type in ("Conv", "MatMul", "Gemm"):
            left, right = (shapes[name] for name in node.input[:2])
            assert node.op_type != "Conv" or right[1] == left[1], "no groups"
            each = np.prod(right[1:]) if node.op_type == "Conv" else left[-1]
            macs += np.prod(shapes[node.output[0]]) * each
    assert sum(layer.macs for layer in layers) == macs
    compared = [layer for layer in layers if layer.works and layer.outputs[0] in shapes]
    assert len(compared) > 40
    for layer in compared:
        assert layer.written_bytes == 4 * np.prod(shapes[layer.outputs[0]]), layer.name
    weights = onnx.load_from_string(exported).graph.initializer
    assert sum(layer.parameters for layer in layers) == sum(
        np.prod(tensor.dims, dtype=int)
        for tensor in weights
        if tensor.data_type == onnx.TensorProto.FLOAT
    )
