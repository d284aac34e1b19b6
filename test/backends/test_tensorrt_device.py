"""The GPU's context, memory and CUDA graphs on a driver that has host memory only.

The real PyCUDA and cuda-bindings call it. It keeps count of contexts, memory and graphs, refuses
arguments that are not what it has given out, and can be made to fail; it computes nothing. What is
tested is that our code balances its calls and survives failures as these packages report them.
"""

import os
import subprocess
import sys

import pytest
from cuda_driver import functions_of_pycuda, make_driver

from coarse_loftr_ros.backends.base import DeviceError
from coarse_loftr_ros.backends.tensorrt.cuda_graph import CudaGraph

pytest.importorskip("pycuda", reason="PyCUDA is not installed (make test does it)")
pytest.importorskip("cuda.bindings", reason="cuda-bindings is not installed (make test has it)")

MEMORY = 1 << 20
STREAM = 0x7F00DEADBEE0  # no other handle is right, and an int of C does not hold it
THREAD_LOCAL = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL of cuda.h

DRIVER = """
#include <stdlib.h>
#include <string.h>
typedef unsigned long long address;
static size_t left = MEMORY, sizes[64]; static void *blocks[64];
static __thread int depth; static int retained, lost, capturing, graphs, executables, launches;
static int status(void) { return lost; }
void lose(int status) { lost = status; }
int contexts_here(void) { return depth; }
int contexts_retained(void) { return retained; }
int memory_left(void) { return (int) left; }
int is_capturing(void) { return capturing; }
int count_graphs(void) { return graphs; }
int count_executables(void) { return executables; }
int count_launches(void) { return launches; }
int cuInit(unsigned flags) { return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDeviceGet(int *device, int number) { *device = 0; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strcpy(name, "Host memory"); return 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) {
  *context = &retained; retained++; return 0;
}
int cuDevicePrimaryCtxRelease_v2(int device) { retained--; return 0; }
int cuCtxPushCurrent_v2(void *context) { depth++; return 0; }
int cuCtxPopCurrent_v2(void **context) { if (!lost) depth--; return status(); }
int cuMemAlloc_v2(address *at, size_t size) {
  if (lost) return lost;
  if (size > left) return 2;
  for (int i = 0; i < 64; i++) if (!blocks[i]) {
    blocks[i] = malloc(size); sizes[i] = size; left -= size; *at = (address) blocks[i]; return 0;
  }
  return 2;
}
int cuMemFree_v2(address at) {
  for (int i = 0; i < 64; i++) if (blocks[i] == (void *) at) {
    free(blocks[i]); blocks[i] = 0; left += sizes[i];
  }
  return 0;
}
int cuMemGetInfo_v2(size_t *free, size_t *total) { *free = left; *total = MEMORY; return status(); }
int cuGetErrorName(int error, const char **text) { *text = "said by the driver"; return 0; }
int cuGetErrorString(int error, const char **text) { *text = "said by the driver"; return 0; }
int cuStreamBeginCapture_v2(address stream, int mode) {
  if (stream != STREAM || mode != THREAD_LOCAL) return 1;
  capturing = 1; return 0;
}
int cuStreamEndCapture(address stream, void **graph) {
  if (stream != STREAM || !capturing) return 1;
  capturing = 0; graphs++; *graph = &graphs; return 0;
}
int cuGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long flags) {
  if (graph != &graphs || flags) return 1;
  executables++; *executable = &executables; return status();
}
int cuGraphDestroy(void *graph) { graphs -= graph == &graphs; return 0; }
int cuGraphLaunch(void *executable, address stream) {
  if (executable != &executables || stream != STREAM) return 1;
  launches++; return status();
}
int cuGraphExecDestroy(void *executable) { executables -= executable == &executables; return 0; }
"""

START = f"""
import ctypes, threading
from coarse_loftr_ros.backends.base import DeviceError
from coarse_loftr_ros.backends.tensorrt.device import first_device
driver = ctypes.CDLL("libcuda.so.1")
MEMORY = {MEMORY}
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """A folder with the driver; what PyCUDA calls besides answers that it is not supported."""
    missing = [name for name in functions_of_pycuda() if f"int {name}(" not in DRIVER]
    code = DRIVER + "".join(f"int {name}() {{ return 801; }}\n" for name in missing)
    values = {"MEMORY": MEMORY, "STREAM": STREAM, "THREAD_LOCAL": THREAD_LOCAL}
    defined = [f"-D{name}={value}" for name, value in values.items()]
    return make_driver(tmp_path_factory.mktemp("driver"), code, *defined)


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


GRAPH = f"""
from coarse_loftr_ros.backends.tensorrt.cuda_graph import CudaGraph
STREAM = {STREAM}
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
        "    print(error, driver.is_capturing())\n",
    )
    assert said == ["1", "it allocates 0"]


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
        CudaGraph(STREAM, lambda: None)
