"""The GPU's context, memory and CUDA graphs on a driver that has host memory only.

The real PyCUDA and cuda-bindings call it. What is tested is that our code balances its calls and
survives failures as these packages report them.
"""

import os
import subprocess
import sys

import pytest
from cuda_driver import make_host_memory_driver

from coarse_loftr_ros.backends.base import DeviceError
from coarse_loftr_ros.backends.tensorrt.cuda_graph import CudaGraph

pytest.importorskip("pycuda", reason="PyCUDA is not installed (make test does it)")
pytest.importorskip("cuda.bindings", reason="cuda-bindings is not installed (make test has it)")

MEMORY = 1 << 20

START = f"""
import ctypes, threading
from coarse_loftr_ros.backends.base import DeviceError
from coarse_loftr_ros.backends.tensorrt.device import first_device
driver = ctypes.CDLL("libcuda.so.1")
MEMORY = {MEMORY}
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    return make_host_memory_driver(tmp_path_factory.mktemp("driver"), MEMORY)


def run(driver, code):
    """What a process prints that uses the driver; it must end by itself and without complaint."""
    done = subprocess.run(
        [sys.executable, "-c", START + code],
        env={**os.environ, "LD_LIBRARY_PATH": str(driver)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_memory_that_is_short_is_an_error_of_the_device(driver):
    said, left, contexts = run(
        driver,
        "device = first_device()\n"
        "try:\n"
        "    with device.current('load the engines'):\n"
        "        kept = device.allocate(1000)\n"
        "        device.allocate(MEMORY)\n"
        "except DeviceError as error:\n"
        "    print(error)\n"
        "with device.current('give memory back'):\n"
        "    kept.free()\n"
        "print(driver.memory_left())\n"
        "print(driver.contexts_here())\n",
    )
    assert said.startswith("the GPU has no memory left to load the engines: cuMemAlloc failed")
    assert (int(left), int(contexts)) == (MEMORY, 0)


def test_threads_take_turns_and_end(driver):
    """PyCUDA ends the process when a thread ends in which a context is still current."""
    said = run(
        driver,
        "def use():\n"
        "    with first_device().current('work'):\n"
        "        memory = first_device().allocate(1000)\n"
        "    with first_device().current('give memory back'):\n"
        "        memory.free()\n"
        "    print(driver.contexts_here())\n"
        "for _ in range(3):\n"
        "    thread = threading.Thread(target=use)\n"
        "    thread.start()\n"
        "    thread.join()\n"
        "print(first_device().memory_used(), driver.contexts_retained())\n",
    )
    assert said == ["0", "0", "0", "0 1"]


def test_a_gpu_that_is_lost_ends_neither_the_thread_nor_the_process(driver):
    said = run(
        driver,
        "def use():\n"
        "    try:\n"
        "        with first_device().current('match two images'):\n"
        "            driver.lose(719)\n"
        "            first_device().allocate(1000)\n"
        "    except DeviceError as error:\n"
        "        print(error)\n"
        "first_device()\n"
        "thread = threading.Thread(target=use)\n"
        "thread.start()\n"
        "thread.join()\n"
        "print('going on')\n",
    )
    assert said[0].startswith("the GPU failed to match two images: cuMemAlloc failed")
    assert said[1:] == ["going on"]


GRAPH = """
from coarse_loftr_ros.backends.tensorrt.cuda_graph import CudaGraph
driver.the_stream.restype = ctypes.c_uint64
STREAM = driver.the_stream()
def counts():
    return driver.is_capturing(), driver.count_graphs(), driver.count_executables()
"""


def test_recorded_work_is_launched_on_its_stream_and_given_back(driver):
    said = run(
        driver,
        GRAPH + "graph = CudaGraph(STREAM, lambda: print(*counts()))\n"
        "print(*counts(), driver.count_launches())\n"
        "graph.launch(), graph.launch()\n"
        "print(driver.count_launches())\n"
        "graph.close()\n"
        "print(*counts())\n",
    )
    assert said == ["1 0 0", "0 0 1 0", "2", "0 0 0"]


def test_a_recording_that_fails_is_ended(driver):
    """Or the stream would go on recording, and nothing would run on it any more."""
    said = run(
        driver,
        GRAPH + "def work():\n"
        "    print(driver.is_capturing())\n"
        "    raise DeviceError('it allocates')\n"
        "try:\n"
        "    CudaGraph(STREAM, work)\n"
        "except DeviceError as error:\n"
        "    print(error, *counts())\n",
    )
    assert said == ["1", "it allocates 0 0 0"]


@pytest.mark.parametrize(
    ("status", "name"), [(719, "CUDA_ERROR_LAUNCH_FAILED"), (54321, "54321")], ids=str
)
def test_a_driver_that_fails_is_an_error_of_the_device(driver, status, name):
    """The second is of a driver that is newer than cuda-bindings."""
    launch, instantiate = run(
        driver,
        GRAPH + "graph = CudaGraph(STREAM, lambda: None)\n"
        f"driver.lose({status})\n"
        "for fail in (graph.launch, lambda: CudaGraph(STREAM, lambda: None)):\n"
        "    try:\n"
        "        fail()\n"
        "    except DeviceError as error:\n"
        "        print(error, driver.count_graphs())\n",
    )
    assert launch.startswith(f"cuGraphLaunch failed: {name}") and launch.endswith(" 0")
    assert instantiate.startswith(f"cuGraphInstantiate failed: {name}")
    assert instantiate.endswith(" 0"), "the graph is not given back"


def test_without_cuda_bindings_its_installation_is_said(monkeypatch):
    """The backend catches this error, goes on without CUDA graphs and has it in its description."""
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(DeviceError, match=r"\(.*cuda.*\); pip install cuda-bindings$"):
        CudaGraph(1, lambda: None)
