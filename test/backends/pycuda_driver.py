"""Which functions of CUDA's driver a library in its place has to have."""

import importlib.util
import re
from pathlib import Path


def functions_of_graphs():
    """What CUDA graphs need, which are called without PyCUDA."""
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
