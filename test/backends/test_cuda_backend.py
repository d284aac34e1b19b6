"""The CUDA backend with ONNX Runtime's CPU provider: all of it but the GPU."""

import ctypes
import gc

import numpy as np
import onnxruntime
import pytest
from cuda_driver import make_library
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors
from scenes import motion, texture, view

from coarse_loftr_ros.backends.base import (
    SHIPPED_MODELS,
    BackendError,
    DeviceError,
    EngineFolder,
    ModelFiles,
)
from coarse_loftr_ros.backends.cuda.providers import CUDA_RUNTIMES, Provider
from coarse_loftr_ros.backends.cuda.tensors import DeviceTensors, UploadedArray, on_device
from coarse_loftr_ros.backends.cuda_backend import CudaBackend
from coarse_loftr_ros.backends.onnxruntime_backend import OnnxRuntimeBackend
from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.matcher import Matcher

pytest.importorskip("onnx", reason="onnx is not installed (make test has it)")

SIZE = NetworkSize(320, 224)
IMAGES = [view(texture(), motion(3 * k, 2, k), SIZE.width, SIZE.height) for k in range(5)]


def on_cpu(name="fast", precision="fp32", fixed=True, size=SIZE):
    model = ModelFiles.load(name)
    provider = Provider.cpu()
    return CudaBackend(model, size, precision, use_cuda_graphs=fixed, provider=provider, threads=1)


@pytest.fixture(params=[True, False], ids=["fixed addresses", "bound where they lie"])
def backend(request):
    return on_cpu(fixed=request.param)


def matches_of(backend, pairs):
    """Points of pairs of images that are encoded once each and kept, as a stream does."""
    matcher = Matcher(ModelFiles.load(), backend)
    encoded = {}
    for k in sorted({k for pair in pairs for k in pair}):
        encoded[k] = matcher.encode(IMAGES[k])
    return [matcher.match(encoded[a], encoded[b], 0.5, 1000) for a, b in pairs]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_matches_are_those_of_the_cpu_backend(name, fixed, precision):
    model = ModelFiles.load(name)
    found = []
    for backend in (
        on_cpu(name, precision, fixed),
        OnnxRuntimeBackend(model, SIZE, 1, precision),
    ):
        matcher = Matcher(model, backend)
        found.append(matcher.match(*map(matcher.encode, IMAGES[:2]), 0.5, 1000))
    assert len(found[0]) > 60
    np.testing.assert_array_equal(found[0].point, found[1].point)
    np.testing.assert_allclose(found[0].current, found[1].current, atol=1e-2)


def test_kept_features_match_in_any_order(backend):
    """Keyframe, pairs, backwards and one image with itself: what lies where is no matter."""
    pairs = [(0, 1), (0, 2), (2, 1), (1, 1), (3, 4), (0, 4), (4, 0)]
    wanted = matches_of(OnnxRuntimeBackend(ModelFiles.load(), SIZE, 1, "fp32"), pairs)
    for ours, theirs in zip(matches_of(backend, pairs), wanted, strict=True):
        np.testing.assert_array_equal(ours.point, theirs.point)
        np.testing.assert_allclose(ours.current, theirs.current, atol=1e-2)


def test_memory_of_features_that_nobody_keeps_is_used_again(backend):
    """The reference's too, whose old values must not be taken for the new ones'."""
    other = OnnxRuntimeBackend(ModelFiles.load(), SIZE, 1, "fp32")
    ours, theirs = Matcher(ModelFiles.load(), backend), Matcher(ModelFiles.load(), other)
    seen = set()
    for first in (0, 1, 2, 3):
        pair = [ours.encode(IMAGES[first]), ours.encode(IMAGES[first + 1])]
        seen |= {id(features.encoded.memory) for features in pair}
        found = ours.match(*pair, 0.5, 1000)
        wanted = theirs.match(*map(theirs.encode, IMAGES[first : first + 2]), 0.5, 1000)
        np.testing.assert_array_equal(found.point, wanted.point)
        np.testing.assert_allclose(found.current, wanted.current, atol=1e-2)
        del pair
        gc.collect()
    assert len(seen) <= 3


def test_it_says_in_what_it_computes(backend):
    assert backend.description.startswith(f"ONNX Runtime {onnxruntime.__version__}, CPUExecution")
    assert ", fp32, 320x224" in backend.description


def test_fp16_rounds_and_matches_alike():
    found = matches_of(on_cpu(precision="fp16"), [(0, 1)])[0]
    wanted = matches_of(on_cpu(), [(0, 1)])[0]
    assert len(np.intersect1d(found.point, wanted.point)) > 0.97 * len(wanted)
    assert found.current.tobytes() != wanted.current.tobytes()


def test_a_closed_backend_is_an_error_of_the_device(backend):
    features = backend.encode(IMAGES[0])
    backend.close()
    with pytest.raises(DeviceError, match="closed, it cannot encode an image"):
        backend.encode(IMAGES[0])
    with pytest.raises(DeviceError, match="closed, it cannot match two images"):
        backend.match(features, features, lambda: np.zeros((280, 2), np.float32), 0.5, 10)


def test_what_the_runtime_fails_of_is_an_error_of_the_device(backend):
    good, other = backend.encode(IMAGES[0]), on_cpu(size=NetworkSize(96, 64), fixed=False)
    strange = other.encode(np.zeros((64, 96), np.uint8))
    with pytest.raises(DeviceError, match="the GPU failed to match two images: "):
        backend.match(good, strange, lambda: np.zeros((280, 2), np.float32), 0.5, 10)
    assert backend.failure.startswith("the GPU failed to match two images")
    backend.match(good, good, lambda: np.zeros((280, 2), np.float32), 0.5, 10)
    assert not backend.failure


def test_features_are_found_again_after_an_image_that_failed(backend):
    pair = [backend.encode(image) for image in IMAGES[:2]]
    corners = np.tile(np.float32([8, 8]), (280, 1))
    wanted = backend.match(*pair, lambda: corners, 0.2, 280)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DeviceTensors, "copy_from", fail)
        patch.setattr(DeviceTensors, "bind_outputs", fail)
        with pytest.raises(DeviceError, match="failed to encode an image: out of memory"):
            backend.encode(IMAGES[2])
    found = backend.match(*pair, lambda: corners, 0.2, 280)
    np.testing.assert_array_equal(found.position, wanted.position)
    np.testing.assert_array_equal(found.confidence, wanted.confidence)


def fail(*_):
    """What a device may do at any time."""
    raise RuntimeError("out of memory")


class CannotRecord(Provider):
    """The CPU's provider, which ONNX Runtime refuses when it is asked for what only a GPU can."""

    def session_arguments(self, recording):
        if recording:
            raise onnxruntime_errors.Fail("nodes are not partitioned to it")
        return super().session_arguments(recording)


def test_a_provider_that_cannot_record_runs_without_and_says_why():
    provider = CannotRecord("CPUExecutionProvider", "cpu", {}, {"graphs": "1"})
    backend = CudaBackend(ModelFiles.load(), SIZE, provider=provider, threads=1)
    assert "no CUDA graphs (nodes are not partitioned to it), 320x224" in backend.description
    assert len(matches_of(backend, [(0, 1)])[0]) > 60


@pytest.mark.parametrize("runtime", CUDA_RUNTIMES)
def test_a_runtime_that_is_not_installed_is_refused_with_the_way_to_it(runtime, tmp_path):
    provider = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}[runtime]
    if provider in onnxruntime.get_available_providers():
        pytest.skip(f"needs an ONNX Runtime without {provider} (pip install onnxruntime)")
    engines = EngineFolder(tmp_path)
    with pytest.raises(BackendError, match=rf"has no {provider}; .*onnxruntime-gpu"):
        CudaBackend(ModelFiles.load(), SIZE, runtime=runtime, engines=engines)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("CUDAExecutionProvider", "needs CUDA and cuDNN .*pip install 'onnxruntime-gpu"),
        ("TensorrtExecutionProvider", "needs the libraries of TensorRT, .*or use runtime 'cuda'"),
    ],
)
def test_a_provider_that_onnxruntime_replaces_by_the_cpu_is_an_error(name, advice):
    """A warning is all that ONNX Runtime makes of it."""
    with (
        pytest.warns(UserWarning, match="not in available provider names"),
        pytest.raises(BackendError, match=f"cannot use {name} here and would use .*{advice}"),
    ):
        CudaBackend(ModelFiles.load(), SIZE, provider=Provider(name, "cpu", {}, {}))


CUDA_RUNTIME = """
long locked, failed;
int cudaHostRegister(void *at, unsigned long size, unsigned flags) {
  if ((unsigned long)at % 4096 || size > 5000) return failed = 2;
  locked += size;
  return 0;
}
int cudaHostUnregister(void *at) { locked = 0; return 0; }
int cudaGetLastError() { failed = 0; return 2; }
"""


def test_what_a_gpu_reads_is_locked_in_memory_while_it_lives(tmp_path, monkeypatch):
    make_library(tmp_path, "libcudart.so.99", CUDA_RUNTIME)
    cuda = ctypes.CDLL(str(tmp_path / "libcudart.so.99"))
    locked, failed = (ctypes.c_long.in_dll(cuda, name) for name in ("locked", "failed"))
    monkeypatch.setattr(onnxruntime, "cuda_version", "99.1", raising=False)
    tensors = "coarse_loftr_ros.backends.cuda.tensors.on_device"
    monkeypatch.setattr(tensors, lambda shape, dtype, device: on_device(shape, dtype, "cpu"))
    array = UploadedArray((300, 2), np.float32, "cuda")
    assert array.pinned and locked.value == 2400
    array.host[...] = 5
    array.upload()
    assert (array.device.numpy() == 5).all()
    too_large = UploadedArray((1, 1, 80, 80), np.uint8, "cuda")
    assert not too_large.pinned and failed.value == 0
    del array
    assert locked.value == 0


def test_memory_is_not_locked_without_a_gpu_or_cuda(monkeypatch):
    assert not UploadedArray((300, 2), np.float32, "cpu").pinned
    tensors = "coarse_loftr_ros.backends.cuda.tensors.on_device"
    monkeypatch.setattr(tensors, lambda shape, dtype, device: on_device(shape, dtype, "cpu"))
    monkeypatch.setattr(onnxruntime, "cuda_version", "", raising=False)
    assert not UploadedArray((300, 2), np.float32, "cuda").pinned


def test_an_unknown_runtime_is_refused_with_the_choices():
    with pytest.raises(BackendError, match="runtime is 'vulkan'; it must be cuda or tensorrt"):
        CudaBackend(ModelFiles.load(), SIZE, runtime="vulkan")


def test_engines_of_the_tensorrt_provider_lie_in_a_folder_of_the_user_s_own(tmp_path):
    provider = Provider.tensorrt(EngineFolder(tmp_path / "engines"))
    folder = tmp_path / "engines" / "onnxruntime"
    assert provider.options["trt_engine_cache_path"] == str(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    with pytest.raises(BackendError, match="can be written by others"):
        Provider.tensorrt(EngineFolder(tmp_path / "engines"))


def test_cuda_computes_float32_as_float32():
    assert Provider.cuda().options["use_tf32"] == "0"
