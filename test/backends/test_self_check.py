"""A GPU that does not compute what the CPU does is refused, with the figures."""

import ctypes
import dataclasses

import cv2
import numpy as np
import pytest
from cuda_driver import make_library

from coarse_loftr_ros.backends import joined_graphs, registry
from coarse_loftr_ros.backends.base import (
    SHIPPED_MODELS,
    BackendError,
    EngineFolder,
    ModelFiles,
    Reports,
)
from coarse_loftr_ros.backends.cuda.providers import Provider
from coarse_loftr_ros.backends.cuda_backend import CudaBackend
from coarse_loftr_ros.backends.onnxruntime_backend import OnnxRuntimeBackend
from coarse_loftr_ros.backends.self_check import Agreement, agreement, check_backend, drawn_pair
from coarse_loftr_ros.images.preprocessing import NetworkSize

onnx = pytest.importorskip("onnx", reason="onnx is not installed (make test has it)")

SIZE = NetworkSize(320, 224)
SIZES = [NetworkSize(96, 64), NetworkSize(448, 320), NetworkSize(800, 256)]


def on_cpu(model, size=SIZE, precision="fp32"):
    return CudaBackend(model, size, precision, provider=Provider.cpu(), threads=1)


@pytest.fixture
def spoiled(monkeypatch):
    """Lets the backend run a graph in which one weight is another one."""

    def spoil(graph, node, value):
        made = joined_graphs.joined_graph

        def changed(model, name, size, precision):
            data = made(model, name, size, precision)
            return with_one_weight(data, node, value) if name == graph else data

        monkeypatch.setattr("coarse_loftr_ros.backends.cuda_backend.joined_graph", changed)

    return spoil


def with_one_weight(data, number, value):
    """The graph with the first value of the number-th weighted node's weight replaced."""
    model = onnx.load_from_string(data)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = [
        node
        for node in model.graph.node
        if node.op_type in ("Conv", "MatMul") and weights.keys() & set(node.input)
    ]
    name = next(name for name in nodes[number].input if name in weights)
    values = onnx.numpy_helper.to_array(weights[name]).copy()
    values.flat[0] = value
    weights[name].CopyFrom(onnx.numpy_helper.from_array(values, name))
    return model.SerializeToString()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_pair_is_of_the_homography_that_is_said(size):
    first, second, homography = drawn_pair(size)
    back = cv2.warpPerspective(
        second, homography, first.shape[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    seen = cv2.warpPerspective(
        np.full_like(second, 255), homography, first.shape[::-1], flags=cv2.WARP_INVERSE_MAP
    )
    inside = cv2.erode(seen, np.ones((5, 5))) == 255
    assert inside.mean() > 0.7
    assert np.abs(first.astype(int) - back)[inside].mean() < 4
    assert np.abs(first.astype(int) - second).mean() > 20
    assert all(
        drawn_pair(size)[k].tobytes() == image.tobytes() for k, image in enumerate((first, second))
    )


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_a_backend_that_computes_what_the_cpu_does_passes(name, size, precision):
    model = ModelFiles.load(name)
    cpu = OnnxRuntimeBackend(model, size, 1, "int8" if precision == "int8" else "fp32")
    found = agreement(on_cpu(model, size, precision), cpu, model)
    assert found.fault(precision) == ""
    assert found.matches > 0.7 * model.cells(size) and found.right > 0.9


@pytest.mark.parametrize(
    ("graph", "node", "value"),
    [
        ("encode", 0, 3.0),
        ("encode", 10, 3.0),
        ("encode", -1, 3.0),
        ("match", 2, 3.0),
        ("match", -3, 3.0),
    ],
)
def test_a_graph_with_one_weight_changed_is_refused_with_the_figures(
    spoiled, graph, node, value, tmp_path
):
    spoiled(graph, node, value)
    model = ModelFiles.load()
    with pytest.raises(BackendError, match=r"does not compute what the CPU does: .*\d%.* px"):
        check_backend(on_cpu(model), model, EngineFolder(tmp_path))


def test_a_check_is_made_once_for_the_same_graphs(tmp_path, spoiled):
    said = []
    model, engines, reports = ModelFiles.load(), EngineFolder(tmp_path), Reports(info=said.append)
    backend = on_cpu(model)
    check_backend(backend, model, engines, reports)
    (sentence,) = said
    assert "compared with the CPU, 100.0% of the matches are the same" in sentence
    check_backend(backend, model, engines, reports)
    assert len(said) == 1
    spoiled("encode", 0, 3.0)
    for _ in range(2):  # what was refused stays refused
        with pytest.raises(BackendError, match="does not compute what the CPU does"):
            check_backend(on_cpu(model), model, engines, reports)


def test_a_check_is_made_anew_with_another_library_of_nvidia(tmp_path):
    make_library(tmp_path, "libcudnn.so.9", "int version = 9;")
    model, engines, said = ModelFiles.load(), EngineFolder(tmp_path / "engines"), []
    backend, reports = on_cpu(model), Reports(info=said.append)
    check_backend(backend, model, engines, reports)
    ctypes.CDLL(str(tmp_path / "libcudnn.so.9"))
    check_backend(backend, model, engines, reports)
    check_backend(backend, model, engines, reports)
    assert len(said) == 2


RECORD = b"""{"matches": %s, "overlap": %s, "points_p95_px": 0, "confidence_p95": 0, "right": 1,
           "right_of_cpu": 1}"""


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"{}", b"[1]", b'{"matches": 1}', b"\xff", b"x" * 9999, b"[" * 4000),
        *(RECORD % values for values in [(b"1e400", b"1"), (b"4", b"NaN"), (b"4", b'"all"')]),
    ],
)
def test_a_damaged_record_is_made_anew(tmp_path, text):
    said = []
    model, engines, reports = ModelFiles.load(), EngineFolder(tmp_path), Reports(info=said.append)
    backend = on_cpu(model)
    check_backend(backend, model, engines, reports)
    (record,) = tmp_path.glob("*.check")
    record.write_bytes(text)
    check_backend(backend, model, engines, reports)
    assert len(said) == 2 and record.read_bytes() != text


def test_the_limits_are_those_of_the_precision():
    found = Agreement(400, 0.98, 0.05, 0.009, 0.94, 0.94)
    assert found.fault("fp16") == found.fault("int8") == ""
    assert "98.0% of the matches are those of the CPU (at least 99% are asked for)" in (
        found.fault("fp32")
    )
    apart = dataclasses.replace(found, overlap=1.0, points_p95_px=0.11)
    assert "0.110 px (0.1 px)" in apart.fault("fp16")
    unsure = dataclasses.replace(found, confidence_p95=0.03)
    assert "within 0.030 (0.02)" in unsure.fault("fp16") and not unsure.fault("int8")
    assert dataclasses.replace(found, right=0.5).fault("fp16")
    assert Agreement(0, 1.0, 0.0, 0.0, 0.0, 0.0).fault("fp16")


@pytest.fixture
def a_gpu(monkeypatch, tmp_path):
    """A machine where CUDA's backend could be chosen, and runs on the CPU when it is."""

    def obstacle(name):
        return "not installed" if name == "tensorrt" else None

    def make(model, size, precision, runtime, engines):
        return on_cpu(model, size, precision)

    monkeypatch.setattr(registry, "_obstacle", obstacle)
    monkeypatch.setattr("coarse_loftr_ros.backends.cuda_backend.CudaBackend", make)
    return EngineFolder(tmp_path)


def test_auto_takes_a_gpu_that_has_proved_itself(a_gpu):
    said, warned = [], []
    reports = Reports(info=said.append, warning=warned.append)
    backend = registry.create_backend("auto", ModelFiles.load(), SIZE, 1, "auto", a_gpu, reports)
    assert backend.name == "cuda" and not warned
    assert said[-1] == "backend auto: takes cuda; passed over: tensorrt (not installed)"


def test_auto_goes_on_to_the_next_runtime_and_diagnostics_say_why(a_gpu, spoiled):
    spoiled("encode", 0, 3.0)
    warned = []
    reports = Reports(warning=warned.append)
    backend = registry.create_backend("auto", ModelFiles.load(), SIZE, 1, "auto", a_gpu, reports)
    assert backend.name == "openvino" and backend.precision == "int8"
    (sentence,) = warned
    assert sentence.startswith("backend auto: takes openvino; passed over: cuda (ONNX Runtime")
    assert "does not compute what the CPU does" in sentence and "tensorrt (not inst" in sentence
    assert "passed over: cuda (" in backend.description


def test_auto_goes_on_in_the_precision_that_was_asked_for(a_gpu, spoiled):
    """As far as the next runtime computes in it: OpenVINO has no fp16."""
    spoiled("encode", 0, 3.0)
    found = [
        registry.create_backend("auto", ModelFiles.load(), SIZE, 1, precision, a_gpu).precision
        for precision in ("fp32", "fp16")
    ]
    assert found == ["fp32", "int8"]


def test_a_gpu_that_is_asked_for_by_name_is_refused_when_it_is_wrong(a_gpu, spoiled):
    spoiled("encode", 0, 3.0)
    with pytest.raises(BackendError, match="does not compute what the CPU does"):
        registry.create_backend("cuda", ModelFiles.load(), SIZE, 1, "fp32", a_gpu)
