"""float16 weights, float32 everywhere it counts, and next to no difference in what comes out."""

from collections import Counter

import numpy as np
import pytest
from scenes import motion, texture, view

onnx = pytest.importorskip("onnx", reason="onnx is not installed (make test has it)")
onnxruntime = pytest.importorskip(
    "onnxruntime", reason="ONNX Runtime is not installed (make test has it)"
)

from coarse_loftr_ros.backends.base import SHIPPED_MODELS, ModelFiles  # noqa: E402
from coarse_loftr_ros.backends.float16 import to_half  # noqa: E402

GRAPHS = ("encode", "match")
FLOAT, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16


@pytest.fixture(scope="module", params=SHIPPED_MODELS)
def graphs(request):
    """Both graphs of a model, as exported and converted."""
    model = ModelFiles.load(request.param)
    exported = [getattr(model, name).read_bytes() for name in GRAPHS]
    return exported, [to_half(graph) for graph in exported]


def inputs_of(model, op_type):
    """Types of all inputs of the nodes of a kind, where they are known."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    types = {tensor.name: tensor.data_type for tensor in inferred.initializer}
    for value in (*inferred.value_info, *inferred.input, *inferred.output):
        types[value.name] = value.type.tensor_type.elem_type
    nodes = [node for node in inferred.node if node.op_type == op_type]
    return Counter(types[name] for node in nodes for name in node.input if name)


def test_inputs_and_outputs_stay_as_they_were(graphs):
    for exported, converted in zip(*graphs, strict=True):
        before, after = (onnx.load_from_string(graph).graph for graph in (exported, converted))
        assert list(before.input) == list(after.input)
        assert list(before.output) == list(after.output)


def test_convolutions_are_half_and_statistics_are_not(graphs):
    for graph in graphs[1]:
        model = onnx.load_from_string(graph)
        assert set(inputs_of(model, "Conv")) <= {HALF}
        for delicate in ("LayerNormalization", "ReduceL2", "ReduceSum", "Exp", "Div", "Elu"):
            assert HALF not in inputs_of(model, delicate), delicate
    encode = onnx.load_from_string(graphs[1][0])
    assert inputs_of(encode, "Conv")[HALF] > 30


def test_the_weights_take_half_the_memory(graphs):
    (encode, _), (half_encode, _) = graphs
    assert len(half_encode) < 0.55 * len(encode)


def sessions(graphs):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    # Or ONNX Runtime, which computes float16 in float32 on a CPU, would leave roundings out.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    providers = ["CPUExecutionProvider"]
    return [onnxruntime.InferenceSession(graph, options, providers) for graph in graphs]


def outputs(graphs, images):
    encode, match = sessions(graphs)
    (a, fine), (b, _) = (encode.run(None, {"image": image}) for image in images)
    weight, rows, columns = match.run(None, {"reference_tokens": a, "current_tokens": b})[:3]
    confidence = weight**2 / (rows[:, :, None] * columns[:, None, :])
    return fine, weight[0], confidence[0]


def test_matches_are_the_same(graphs):
    images = [
        view(texture(), homography, 320, 224)[None, None].astype(np.float32) / 255
        for homography in (np.eye(3), motion(9, 4, 5))
    ]
    fine, weight, confidence = outputs(graphs[0], images)
    half_fine, half_weight, half_confidence = outputs(graphs[1], images)
    assert np.abs(fine - half_fine).max() < 5e-3
    difference = np.abs(confidence - half_confidence).max()
    assert 0 < difference < 0.02
    sure = confidence.max(axis=1) > 0.1
    assert sure.sum() > 50
    np.testing.assert_array_equal(weight[sure].argmax(axis=1), half_weight[sure].argmax(axis=1))


def test_a_weight_that_does_not_fit_is_refused():
    helper = onnx.helper
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "large",
        [helper.make_tensor_value_info("x", FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", FLOAT, [1, 1])],
        [onnx.numpy_helper.from_array(np.array([[1e5], [1]], np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    with pytest.raises(ValueError, match="w has a value of 100000, more than 65504"):
        to_half(model.SerializeToString())


def test_what_is_no_graph_is_refused():
    with pytest.raises(ValueError, match="the graph cannot be converted to float16"):
        to_half(b"not a graph")
