"""A library in the place of CUDA's driver, and which functions it has to have."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

# How cuda-bindings finds functions: by the names of cuda.h, which are not those of the library.
LOOK_UP = """
#include <dlfcn.h>
#include <stdio.h>
int cuGetProcAddress_v2(const char *name, void **function, int version, unsigned long long flags,
                        int *found) {
  void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  char latest[256];
  snprintf(latest, sizeof latest, "%s_v2", name);
  *function = dlsym(driver, latest);
  if (!*function) *function = dlsym(driver, name);
  if (found) *found = !*function;
  return *function ? 0 : 500;
}
"""


def make_driver(folder, code, *options):
    """Compile C code to ``libcuda.so.1`` in a folder, which is returned."""
    make_library(folder, "libcuda.so.1", LOOK_UP + code, *options)
    return folder


def make_library(folder, name, code, *options):
    """Compile C code to a shared library of a name in a folder."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip(reason="there is no C compiler (apt install gcc)")
    source = folder / "library.c"
    source.write_text(code)
    shared = ["-w", "-shared", "-fPIC", f"-Wl,-soname,{name}", *options]
    subprocess.run([compiler, *shared, "-o", folder / name, source, "-ldl"], check=True)


def make_host_memory_driver(folder, memory):
    """The driver of ``host_memory_driver.c``, with ``memory`` bytes.

    What PyCUDA calls besides answers that it is not supported.
    """
    code = (Path(__file__).parent / "host_memory_driver.c").read_text()
    missing = [name for name in functions_of_pycuda() if f"int {name}(" not in code]
    code += "".join(f"int {name}() {{ return 801; }}\n" for name in missing)
    return make_driver(folder, code, f"-DMEMORY={memory}")


def functions_of_graphs():
    """What CUDA graphs need, which are called through cuda-bindings."""
    names = ("StreamBeginCapture_v2", "StreamEndCapture", "GraphInstantiateWithFlags")
    names += ("GraphLaunch", "GraphExecDestroy", "GraphDestroy")
    return {f"cu{name}" for name in names}


def functions_of_pycuda():
    """What the compiled part of PyCUDA calls of the driver; nothing where there is no PyCUDA."""
    spec = importlib.util.find_spec("pycuda")
    if spec is None:
        return set()
    (compiled,) = Path(spec.submodule_search_locations[0]).glob("_driver*.so")
    return {name.decode() for name in re.findall(rb"\0(cu[A-Z]\w+)(?=\0)", compiled.read_bytes())}
