"""TensorRT's backend as far as a machine without a GPU can run it, and on a GPU where there is one.

What PyCUDA says of a driver that does not work is asked of the real PyCUDA, with a library in the
driver's place that refuses everything. ``benchmarks/gpu.py`` measures more.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
from cuda_driver import functions_of_graphs, functions_of_pycuda, make_driver
from scenes import motion, texture, view

from coarse_loftr_ros.backends.base import ModelFiles
from coarse_loftr_ros.backends.gpu import find_gpu
from coarse_loftr_ros.backends.registry import choose_backend, create_backend
from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.matcher import Matcher

SIZE = NetworkSize(320, 224)
NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE

needs_gpu = pytest.mark.skipif(find_gpu() is None, reason="this machine has no NVIDIA GPU")


@pytest.fixture(scope="module")
def broken_driver(tmp_path_factory):
    """Makes a folder with a ``libcuda.so.1`` that finds a GPU with which nothing can be done."""
    works = {"cuInit", "cuDeviceGet", "cuDeviceGetCount"}
    called = works | functions_of_pycuda() | functions_of_graphs()
    named = {"cuGetErrorName", "cuGetErrorString"}
    asked = {"cuDeviceGetName", "cuDeviceGetAttribute"}
    code = [
        "int cuDeviceGetName(char *name, int size, int device) { name[0] = 0; return 0; }",
        "int cuDeviceGetAttribute(int *value, int which, int device)"
        " { *value = which == 76 ? 6 : 8; return 0; }",  # compute capability 8.6
    ]
    code += [
        f"int {name}() {{ return {0 if name in works else NO_DEVICE}; }}"
        for name in called - named - asked
    ]
    code += [
        f'int {name}(int error, const char **text) {{ *text = "no device"; return 0; }}'
        for name in named
    ]
    return make_driver(tmp_path_factory.mktemp("driver"), "\n".join(code))


def python(driver, code):
    environment = {**os.environ, "LD_LIBRARY_PATH": str(driver)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )


def test_a_graph_that_the_driver_refuses_is_an_error_of_the_device(broken_driver):
    pytest.importorskip("cuda.bindings", reason="cuda-bindings is not installed (make test has it)")
    done = python(
        broken_driver,
        "from coarse_loftr_ros.backends.tensorrt.cuda_graph import CudaGraph\n"
        "from coarse_loftr_ros.backends.base import DeviceError\n"
        "try:\n"
        "    CudaGraph(1, lambda: print('recorded'))\n"
        "except DeviceError as error:\n"
        "    print(error)\n",
    )
    assert done.stdout == "cuStreamBeginCapture failed: CUDA_ERROR_NO_DEVICE\n", done.stderr


def test_a_gpu_that_cuda_cannot_use_is_refused_in_a_sentence(broken_driver, tensorrt_rtx):
    pytest.importorskip("pycuda", reason="PyCUDA is not installed (make test does it)")
    done = python(
        broken_driver,
        "from coarse_loftr_ros.backends.base import BackendError, ModelFiles\n"
        "from coarse_loftr_ros.backends.registry import create_backend\n"
        "from coarse_loftr_ros.images.preprocessing import NetworkSize\n"
        "try:\n"
        "    create_backend('tensorrt', ModelFiles.load(), NetworkSize(320, 224))\n"
        "except BackendError as error:\n"
        "    print(error)\n",
    )
    assert done.returncode == 0, done.stderr
    assert "CUDA cannot use the GPU: " in done.stdout and "no device" in done.stdout


def test_auto_goes_on_with_a_cpu_and_says_why(broken_driver, tensorrt_rtx):
    pytest.importorskip("pycuda", reason="PyCUDA is not installed (make test does it)")
    done = python(
        broken_driver,
        "from coarse_loftr_ros.backends.base import ModelFiles, Reports\n"
        "from coarse_loftr_ros.backends.registry import choose_backend, create_backend\n"
        "from coarse_loftr_ros.images.preprocessing import NetworkSize\n"
        "print(choose_backend('auto').reason)\n"
        "reports = Reports(warning=print)\n"
        "size = NetworkSize(320, 224)\n"
        "print(create_backend('auto', ModelFiles.load(), size, 1, 'auto', reports=reports).name)\n",
    )
    assert done.returncode == 0, done.stderr
    why, warning, name = done.stdout.splitlines()
    assert why == "auto: takes tensorrt"
    assert warning.startswith(
        "backend auto: takes openvino; passed over: tensorrt (CUDA cannot use the GPU: "
    )
    assert name == "openvino"


@needs_gpu
def test_a_gpu_matches_as_a_cpu_does():
    choice = choose_backend("auto")
    if choice.name != "tensorrt":
        pytest.skip(f"needs TensorRT and PyCUDA: {choice.reason}")
    model = ModelFiles.load()
    images = [view(texture(), m, SIZE.width, SIZE.height) for m in (np.eye(3), motion(9, 4, 5))]
    found = {}
    for name in ("tensorrt", "onnxruntime"):
        backend = create_backend(name, model, SIZE, 1, "fp32")
        matcher = Matcher(model, backend)
        found[name] = matcher.match(*map(matcher.encode, images), 0.5, 1000)
        backend.close()
    gpu, cpu = found["tensorrt"], found["onnxruntime"]
    common = np.intersect1d(gpu.point, cpu.point)
    assert len(common) > 0.95 * max(len(gpu), len(cpu))
    apart = gpu.current[np.isin(gpu.point, common)] - cpu.current[np.isin(cpu.point, common)]
    assert np.quantile(np.abs(apart).max(axis=1), 0.95) < 0.05
