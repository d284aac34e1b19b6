"""Where images, features and matches go in the TensorRT backend, without a GPU.

All of the backend runs but TensorRT's runtime: see ``tensorrt_on_host_memory.py``.
"""

import os
import subprocess
import sys

import pytest
from cuda_driver import make_host_memory_driver

for package in ("pycuda", "cuda.bindings", "onnx", "onnxruntime"):
    pytest.importorskip(package, reason=f"{package} is not installed (make test has it)")

START = """
import sys
import numpy as np
from coarse_loftr_ros.backends.base import DeviceError
from tensorrt_on_host_memory import IMAGES, driver, make_backend, matches_of, matches_of_cpu
folder, graphs = sys.argv[1], sys.argv[2] == "True"
before = driver.memory_left()
backend = make_backend(folder, graphs)
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    return make_host_memory_driver(tmp_path_factory.mktemp("driver"), 64 << 20)


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(params=[True, False], ids=["CUDA graphs", "call by call"])
def run(request, repository, driver, engines, tensorrt_rtx):
    """What a process prints that has a backend; it must end by itself and without complaint."""
    search = os.pathsep.join(map(str, (repository / "test", repository / "test" / "backends")))

    def run(code):
        done = subprocess.run(
            [sys.executable, "-c", START + code, str(engines), str(request.param)],
            env={**os.environ, "LD_LIBRARY_PATH": str(driver), "PYTHONPATH": search},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    run.recording = request.param
    return run


def test_kept_features_match_as_on_the_cpu(run):
    description, launches, *differences = run(
        "print(backend.description)\n"
        "found, wanted = matches_of(backend), matches_of_cpu()\n"
        "print(driver.count_launches())\n"
        "for ours, theirs in zip(found, wanted, strict=True):\n"
        "    assert ours.point.tolist() == theirs.point.tolist() and len(ours) > 60\n"
        "    print(np.abs(ours.current - theirs.current).max())\n",
    )
    assert ("Host memory, fp32, 2 CUDA graphs, 320x224" in description) == run.recording
    assert int(launches) == (9 if run.recording else 0)  # 4 images, 5 pairs
    assert max(map(float, differences)) < 0.01


def test_memory_is_used_again_and_all_of_it_given_back(run):
    during, again, *after = run(
        "matches_of(backend)\n"
        "print(driver.memory_left())\n"
        "matches_of(backend)\n"
        "print(driver.memory_left())\n"
        "backend.close()\n"
        "print(driver.memory_left() - before, driver.count_pinned(), driver.contexts_here())\n"
        "print(driver.count_graphs(), driver.count_executables())\n"
        "try:\n"
        "    backend.encode(IMAGES[0])\n"
        "except DeviceError as error:\n"
        "    print(error)\n"
    )
    assert during == again
    assert after == ["0 0 0", "0 0", "the TensorRT backend is closed, it cannot encode an image"]


def test_a_gpu_that_is_lost_stays_lost_and_ends_no_process(run):
    said = run(
        "features = backend.encode(IMAGES[0])\n"
        "driver.lose(719)\n"
        "try:\n"
        "    backend.match(features, features, lambda: np.zeros((280, 2)), 0.5, 10)\n"
        "except DeviceError as error:\n"
        "    print(error)\n"
        "    print(backend.failure == str(error))\n"
        "try:\n"
        "    backend.encode(IMAGES[1])\n"
        "except DeviceError as error:\n"
        "    print(error)\n"
        "backend.close()\n"
    )
    assert said[0].startswith("the GPU failed to match two images: cuMemcpyDtoDAsync failed")
    assert said[1:] == ["True", "the GPU failed to encode an image: it was lost before"]
