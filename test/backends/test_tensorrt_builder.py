"""Every graph of the package becomes an engine; what cannot is refused in the library's words."""

import os
import signal

import pytest

from coarse_loftr_ros.backends.base import SHIPPED_MODELS, BackendError, ModelFiles
from coarse_loftr_ros.backends.gpu import Gpu
from coarse_loftr_ros.backends.joined_graphs import GRAPHS
from coarse_loftr_ros.backends.tensorrt.builder import BuildSettings, build_engine
from coarse_loftr_ros.backends.tensorrt.cache import CheckedEngine, EngineCache
from coarse_loftr_ros.backends.tensorrt.engines import (
    PRECISIONS,
    check_gpu,
    obtain_engine,
)
from coarse_loftr_ros.backends.tensorrt.execution import LoadedEngine
from coarse_loftr_ros.backends.tensorrt.library import Library
from coarse_loftr_ros.images.preprocessing import network_size


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("name", SHIPPED_MODELS)
@pytest.mark.parametrize("camera", [(640, 480), (1226, 370)], ids=str)
def test_every_shipped_graph_is_built(tensorrt_rtx, tmp_path, camera, name, graph, precision):
    pytest.importorskip("onnx", reason="onnx is not installed (make test has it)")
    model = ModelFiles.load(name)
    size = network_size(*camera, model.network_pixels, model.size_multiple)
    engine = obtain_engine(tensorrt_rtx, EngineCache(tmp_path), model, graph, size, precision)
    cells = model.cells(size)
    shapes = engine.manifest.shapes
    if graph == "encode":
        assert shapes["grey_image"] == (1, 1, size.height, size.width)
        assert shapes["tokens"][:2] == (1, cells)
        assert shapes["fine"][:3] == (1, size.height // 4, size.width // 4)
    else:
        assert shapes["reference_tokens"][:2] == shapes["current_tokens"][:2] == (1, cells)
        # Nothing larger than a few numbers per cell comes back from the GPU.
        assert shapes["position"] == (cells, 2) and shapes["confidence"] == (cells,)
    assert len(engine.data) == engine.manifest.engine_bytes > 100_000


def test_progress_rises_to_the_end(tensorrt_rtx):
    seen = []
    graph = ModelFiles.load().encode.read_bytes()
    progress = lambda part, phase: seen.append((part, phase))  # noqa: E731
    build_engine(tensorrt_rtx, graph, {"image": (1, 1, 64, 96)}, progress=progress)
    parts = [part for part, _ in seen]
    assert len(parts) > 10
    assert parts == sorted(parts)
    assert parts[0] < 0.5 and parts[-1] == 1.0
    assert all(phase for _, phase in seen)


@pytest.fixture
def listening_to_ctrl_c():
    """A process that was started in the background may have inherited that it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_a_build(tensorrt_rtx, listening_to_ctrl_c):
    seen = []

    def interrupt(part, phase):
        seen.append(part)
        if len(seen) == 5:
            os.kill(os.getpid(), signal.SIGINT)

    graph = ModelFiles.load().encode.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        build_engine(tensorrt_rtx, graph, {"image": (1, 1, 64, 96)}, progress=interrupt)
    assert seen[-1] < 0.5
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_no_graph_is_refused(tensorrt_rtx):
    with pytest.raises(BackendError, match=r"TensorRT for RTX [\d.]+ cannot read the graph: "):
        build_engine(tensorrt_rtx, b"not a graph", {})


@pytest.mark.parametrize("shape", [(1, 3, 64, 96), (1, 1, 64), (1, 1, -1, 96), None])
def test_a_shape_that_the_graph_does_not_take_is_refused(tensorrt_rtx, shape):
    graph = ModelFiles.load().encode.read_bytes()
    dimensions = {} if shape is None else {"image": shape}
    with pytest.raises(BackendError, match="input 'image' of the graph has shape"):
        build_engine(tensorrt_rtx, graph, dimensions)


def test_a_size_that_the_network_cannot_have_is_refused(tensorrt_rtx):
    """64x40 px: 1/32 of the height is no whole number, which only the builder notices."""
    graph = ModelFiles.load().encode.read_bytes()
    with pytest.raises(BackendError, match=r"cannot build: .+"):
        build_engine(tensorrt_rtx, graph, {"image": (1, 1, 40, 64)})


def test_int8_and_fp32_share_the_engine_that_int8_leaves_as_it_is(tensorrt_rtx, tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed (make test has it)")
    model, cache = ModelFiles.load(), EngineCache(tmp_path)
    size = network_size(96, 64, 96 * 64, 32)
    first, again = (
        obtain_engine(tensorrt_rtx, cache, model, "match", size, precision)
        for precision in ("fp32", "int8")
    )
    assert (first.built, again.built) == (True, False)


def test_what_is_no_engine_is_refused_in_the_words_of_the_library(tensorrt_rtx):
    engine = CheckedEngine(b"not an engine", None)
    with pytest.raises(BackendError, match=r"TensorRT for RTX [\d.]+ cannot load the engine: \["):
        LoadedEngine(tensorrt_rtx, engine)


RTX = {"A100": "8.0", "RTX 3060": "8.6", "RTX 4090": "8.9", "RTX 5090": "12.0", "GB10": "12.1"}
NOT_RTX = {"V100": "7.0", "RTX 4000": "7.5", "Orin": "8.7", "H200": "9.0", "B200": "10.0"}


@pytest.mark.parametrize("gpu", [Gpu(*each) for each in RTX.items()], ids=str)
def test_gpus_of_the_library_s_list_are_taken(tensorrt_rtx, gpu):
    check_gpu(tensorrt_rtx, gpu)
    check_gpu(tensorrt_rtx, None)  # to build ahead of time


@pytest.mark.parametrize("gpu", [Gpu(*each) for each in NOT_RTX.items()], ids=str)
def test_a_gpu_that_is_not_on_the_library_s_list_is_refused_before_anything_is_built(
    tensorrt_rtx, gpu, monkeypatch, tmp_path
):
    monkeypatch.setattr("coarse_loftr_ros.backends.tensorrt.engines.find_gpu", lambda: gpu)
    monkeypatch.delattr("coarse_loftr_ros.backends.tensorrt.engines.build_engine")
    sentence = (
        rf"8\.0, 8\.6, 8\.9 and from 12\.0 on, and {gpu.name} has {gpu.compute_capability}; use"
    )
    size = network_size(96, 64, 96 * 64, 32)
    with pytest.raises(BackendError, match=sentence):
        obtain_engine(tensorrt_rtx, EngineCache(tmp_path), ModelFiles.load(), "encode", size)


def test_every_gpu_is_taken_by_tensorrt_and_one_is_needed(tensorrt_rtx):
    other = Library(tensorrt_rtx.module, "tensorrt", "10.3.0", tensorrt_rtx.log)
    check_gpu(other, Gpu("Quadro RTX 4000", "7.5"))
    with pytest.raises(BackendError, match="needs the GPU that an engine is for"):
        check_gpu(other, None)


def test_an_unknown_precision_is_refused(tensorrt_rtx, tmp_path):
    model = ModelFiles.load()
    size = network_size(96, 64, 96 * 64, 32)
    with pytest.raises(
        BackendError, match="precision is 'int4'; it must be one of fp32, fp16, int8"
    ):
        obtain_engine(tensorrt_rtx, EngineCache(tmp_path), model, "encode", size, "int4")


@pytest.mark.parametrize("values", [{"optimisation_level": 6}, {"workspace_mib": 0}])
def test_settings_out_of_range_are_refused(values):
    (name,) = values
    with pytest.raises(ValueError, match=f"{name} is {values[name]}; it must be"):
        BuildSettings(**values)
