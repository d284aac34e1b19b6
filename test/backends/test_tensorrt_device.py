"""The GPU's context and memory through the real PyCUDA, on a driver that has host memory only.

The driver keeps count of contexts and memory and can be made to fail; it computes nothing. What is
tested is that our code balances its calls and survives failures as PyCUDA reports them.
"""

import os
import subprocess
import sys

import pytest
from pycuda_driver import functions_of_graphs, functions_of_pycuda, make_driver

pytest.importorskip("pycuda", reason="PyCUDA is not installed (make test does it)")

MEMORY = 1 << 20

DRIVER = """
#include <stdlib.h>
#include <string.h>
typedef unsigned long long address;
static size_t left = MEMORY, sizes[64]; static void *blocks[64];
static __thread int depth; static int retained, lost, capturing;
static int status(void) { return lost ? 719 : 0; }
void lose(void) { lost = 1; }
int contexts_here(void) { return depth; }
int contexts_retained(void) { return retained; }
int memory_left(void) { return (int) left; }
int is_capturing(void) { return capturing; }
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
  if (lost) return 719;
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
int cuStreamBeginCapture_v2(void *stream, int mode) { capturing = 1; return 0; }
int cuStreamEndCapture(void *stream, void **graph) { capturing = 0; *graph = &left; return 0; }
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
    missing = [
        name
        for name in functions_of_pycuda() | functions_of_graphs()
        if f"int {name}(" not in DRIVER
    ]
    code = DRIVER + "".join(f"int {name}() {{ return 801; }}\n" for name in missing)
    return make_driver(tmp_path_factory.mktemp("driver"), code, f"-DMEMORY={MEMORY}")


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
        "            driver.lose()\n"
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


def test_a_recording_that_fails_is_ended(driver):
    """Or the stream would go on recording, and nothing would run on it any more."""
    said = run(
        driver,
        "from coarse_loftr_ros.backends.tensorrt.cuda_graph import CudaGraph\n"
        "def work():\n"
        "    print(driver.is_capturing())\n"
        "    raise DeviceError('it allocates')\n"
        "try:\n"
        "    CudaGraph(1, work)\n"
        "except DeviceError as error:\n"
        "    print(error, driver.is_capturing())\n",
    )
    assert said == ["1", "it allocates 0"]
