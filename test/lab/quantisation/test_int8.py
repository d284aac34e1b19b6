"""int8 where the weights are, in the form that every runtime reads, and the same matches."""

import numpy as np
import pytest
from scenes import corner_error, motion, texture, view

onnx = pytest.importorskip("onnx", reason="onnx is not installed (make test has it)")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (make test has it)")

from coarse_loftr_lab.quantisation.int8 import to_int8  # noqa: E402
from coarse_loftr_ros.backends.base import SHIPPED_MODELS, ModelFiles  # noqa: E402
from coarse_loftr_ros.images.frame import Frame  # noqa: E402
from coarse_loftr_ros.matching.frame_matching import MatchSettings  # noqa: E402
from coarse_loftr_ros.matching.pipeline import Pipeline  # noqa: E402
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings  # noqa: E402
from coarse_loftr_ros.matching.reference_policy import Consecutive  # noqa: E402

INT8, INT32 = onnx.TensorProto.INT8, onnx.TensorProto.INT32


class Quantised:
    """What a graph says about its own numbers."""

    def __init__(self, graph_bytes):
        self.graph = onnx.load_from_string(graph_bytes).graph
        self.constants = {t.name: onnx.numpy_helper.to_array(t) for t in self.graph.initializer}
        self.maker = {name: node for node in self.graph.node for name in node.output}

    def of(self, *op_types):
        return [node for node in self.graph.node if node.op_type in op_types]


@pytest.fixture(scope="module", params=[*SHIPPED_MODELS, "made here"])
def quantised(request):
    """The graphs of the package, and one that is made from two images of other sizes."""
    if request.param in SHIPPED_MODELS:
        return Quantised(ModelFiles.load(request.param).encode_int8.read_bytes())
    images = [
        view(texture(), motion(zoom=zoom), *size)[None, None].astype(np.float32) / 255
        for zoom, size in ((1.0, (320, 224)), (1.5, (96, 160)))
    ]
    done = []
    graph = to_int8(
        ModelFiles.load().encode.read_bytes(), images, lambda k, of: done.append((k, of))
    )
    assert done == [(1, 2), (2, 2)]
    return Quantised(graph)


def test_convolutions_and_trained_matrices_multiply_int8(quantised):
    products = quantised.of("Conv", "MatMul")
    with_weights = [
        node
        for node in products
        if quantised.maker.get(node.input[1], node).op_type == "DequantizeLinear"
        and quantised.maker[node.input[1]].input[0] in quantised.constants
    ]
    assert len(with_weights) >= 18 + 6
    for node in with_weights:
        image, weight = (quantised.maker[name] for name in node.input[:2])
        assert image.op_type == "DequantizeLinear"
        assert quantised.constants[weight.input[0]].dtype == np.int8
        assert quantised.constants[weight.input[1]].ndim == 1, "one scale per channel"
    # The sums of attention have no weights and stay float32.
    rest = [node for node in products if node not in with_weights]
    assert {node.op_type for node in rest} == {"MatMul"}
    for node in rest:
        for name in node.input:
            assert quantised.maker[name].op_type != "DequantizeLinear"


def test_what_no_int8_node_reads_keeps_its_precision(quantised):
    """Residual sums, what attention multiplies, tokens and fine features."""
    read = {name for node in quantised.of("Conv", "MatMul") for name in node.input}
    for node in quantised.of("DequantizeLinear"):
        assert node.output[0] in read


def test_everything_is_symmetric_and_biases_stay_float(quantised):
    for node in quantised.of("QuantizeLinear", "DequantizeLinear"):
        zero = quantised.constants[node.input[2]]
        assert zero.dtype == np.int8 and not zero.any()
    for node in quantised.of("Conv"):
        for bias in node.input[2:]:
            assert quantised.constants[bias].dtype == np.float32


def test_weights_leave_a_bit_for_cpus_that_add_in_16_bits(quantised):
    for node in quantised.of("DequantizeLinear"):
        if node.input[0] in quantised.constants:
            assert np.abs(quantised.constants[node.input[0]].astype(int)).max() <= 64


def test_inputs_and_outputs_are_those_of_the_float_graph(quantised):
    exported = onnx.load(ModelFiles.load("fast").encode).graph
    assert [value.name for value in quantised.graph.output] == ["tokens", "fine"]
    assert list(quantised.graph.input) == list(exported.input)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_both_runtimes_match_as_well_as_in_float(name, backend):
    homography = motion(17, -9, 8, 1.1)
    frames = [Frame(view(texture(), m, seed=k)) for k, m in enumerate((np.eye(3), homography))]
    errors, matches = {}, {}
    for precision in ("fp32", "int8"):
        settings = PipelineSettings(
            backend=backend, model=ModelFiles.load(name), threads=1, precision=precision
        )
        pipeline = Pipeline(settings, MatchSettings(), Consecutive())
        assert precision in pipeline.backend.description
        result = pipeline.process_pair(*frames)
        errors[precision] = corner_error(result.homography.matrix, homography, 640, 480)
        matches[precision] = len(result.correspondences.confidence)
    assert errors["int8"] < errors["fp32"] + 0.05 < 0.3
    assert matches["int8"] > 0.95 * matches["fp32"]


def test_what_is_no_graph_and_what_has_no_images_is_refused():
    image = np.zeros((1, 1, 64, 96), np.float32)
    with pytest.raises(ValueError, match="the graph cannot be quantised"):
        to_int8(b"not a graph", [image])
    with pytest.raises(ValueError, match="there are no images"):
        to_int8(ModelFiles.load().encode.read_bytes(), [])
