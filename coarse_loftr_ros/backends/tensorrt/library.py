"""Which TensorRT is installed, and the log that it writes to.

TensorRT 10.3 and later, TensorRT 11 and TensorRT for RTX have the same Python interface as far as
this package uses it: strongly typed networks, ``set_tensor_address``, ``execute_async_v3``.

Run so far: TensorRT for RTX 1.7.1 on machines without a GPU (tests) and on an H200, where it builds
engines and refuses to load them. No other TensorRT was run yet.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import platform
from collections import deque
from dataclasses import dataclass
from typing import Any

from coarse_loftr_ros.backends.base import BackendError
from coarse_loftr_ros.backends.gpu import Gpu

__all__ = [
    "MODULES",
    "Library",
    "installation_advice",
    "installed_library",
    "load_library",
    "rtx_refusal",
]

MODULES = {
    "tensorrt": "tensorrt",
    "tensorrt_rtx": "tensorrt_rtx",
    "tensorrt_rtx_bindings": "tensorrt_rtx",
}
"""Python module to library, in order of preference.

TensorRT comes before TensorRT for RTX: it runs on every NVIDIA GPU, Jetson and data centre
included, and tunes an engine for the very GPU. The wheels of TensorRT for RTX without its
meta-package have the third module alone.
"""

_OLDEST = {"tensorrt": (10, 3), "tensorrt_rtx": (1, 0)}
_RTX_CAPABILITIES = ((8, 0), (8, 6), (8, 9))
_RTX_SINCE = (12, 0)
_TITLES = {"tensorrt": "TensorRT", "tensorrt_rtx": "TensorRT for RTX"}


@dataclass(frozen=True, eq=False)
class Library:
    """An imported TensorRT.

    Attributes:
        module: with ``Builder``, ``Runtime``, ``OnnxParser``.
        name: ``tensorrt`` or ``tensorrt_rtx``.
        version: as the library says it; engines are tied to it.
        log: what the library reports; TensorRT goes on using the first log that it is given, so a
            second one would miss errors, and the first must not be freed.
    """

    module: Any
    name: str
    version: str
    log: Any

    @property
    def title(self) -> str:
        """Name and version for people."""
        return f"{_TITLES[self.name]} {self.version}"

    @property
    def portable(self) -> bool:
        """Whether engines run on every GPU from Ampere (8.0) on and are built without one."""
        return self.name == "tensorrt_rtx"

    def create(self, kind: str) -> Any:
        """A new ``Builder`` or ``Runtime``.

        Raises:
            BackendError: when the library cannot work here, in its own words.
        """
        try:
            return getattr(self.module, kind)(self.log)
        except TypeError as error:  # a driver that is too old, says the log
            reason = self.log.take_errors()
            raise BackendError(f"{self.title} cannot start: {reason}") from error


def installed_library() -> str | None:
    """The preferred library that is there, by its name in ``MODULES``; it is not imported."""
    return next((name for module, name in MODULES.items() if _is_there(module)), None)


def rtx_refusal(gpu: Gpu) -> str | None:
    """Why TensorRT for RTX does not run its engines on a GPU; ``None`` where it does.

    The list of GPUs is what version 1.7.1 says on a Hopper (9.0) when it refuses to load an engine
    that it has built there. It supports Turing (7.5) in part: its engines for several GPUs leave
    that out, and built for that alone they have no float32 products.
    """
    capability = tuple(int(part) for part in gpu.compute_capability.split("."))
    if capability in _RTX_CAPABILITIES or capability >= _RTX_SINCE:
        return None
    listed = ", ".join(f"{major}.{minor}" for major, minor in _RTX_CAPABILITIES)
    since = ".".join(map(str, _RTX_SINCE))
    return (
        f"runs on GPUs of compute capability {listed} and from {since} on, and {gpu.name} has "
        f"{gpu.compute_capability}; use backend 'cuda', or install TensorRT, which is preferred "
        "where both are there"
    )


@functools.cache
def load_library() -> Library:
    """Import the preferred TensorRT, once in a process: see ``Library.log``.

    Raises:
        BackendError: when none is installed, or those that are cannot be used, with what to do.
    """
    problems = []
    for module_name, name in MODULES.items():
        if not _is_there(module_name):
            continue
        try:
            module = importlib.import_module(module_name)
        except (ImportError, OSError, RuntimeError) as error:  # a shared library is missing
            problems.append(f"Python module {module_name} cannot be loaded: {error}")
            continue
        version = str(module.__version__)
        if _release(version) < _OLDEST[name]:
            oldest = ".".join(map(str, _OLDEST[name]))
            problems.append(f"{_TITLES[name]} {version} is too old, {oldest} is needed")
            continue
        return Library(module, name, version, _make_log(module))
    found = "; ".join(problems) or "TensorRT is not installed"
    raise BackendError(f"{found}; {installation_advice()}")


def installation_advice(system: str = "", machine: str = "") -> str:
    """How to get a TensorRT on a platform, by default on this one."""
    kind = (system or platform.system(), machine or platform.machine())
    if kind == ("Linux", "x86_64"):
        return (
            "pip install tensorrt, or, for RTX GPUs and to build engines on a machine without a "
            "GPU, pip install tensorrt-rtx-cu13-bindings tensorrt-rtx-cu13-libs"
        )
    if kind == ("Linux", "aarch64"):
        return (
            "on a Jetson: sudo apt install python3-libnvinfer (a virtual environment needs "
            "--system-site-packages to see it)"
        )
    return f"there is no TensorRT for {kind[0]} on {kind[1]}: use another backend"


def _is_there(module: str) -> bool:
    """Whether a module is installed; any folder of its name on the path does not count."""
    spec = importlib.util.find_spec(module)
    return spec is not None and spec.origin is not None


def _release(version: str) -> tuple[int, ...]:
    """Major and minor number; a version that has none counts as too old."""
    parts = version.split(".")[:2]
    return tuple(int(part) for part in parts) if all(p.isdigit() for p in parts) else ()


def _make_log(module: Any) -> Any:
    """An ``ILogger`` that keeps errors for the sentence of a ``BackendError``.

    And the latest warnings: that there is no usable driver is only a warning of some versions.
    """

    class Log(module.ILogger):
        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self._errors: list[str] = []
            self._warnings: deque[str] = deque(maxlen=3)

        def log(self, severity: Any, message: str) -> None:
            if severity in (module.ILogger.ERROR, module.ILogger.INTERNAL_ERROR):
                self._errors.append(message)
            elif severity == module.ILogger.WARNING:
                self._warnings.append(message)

        def take_errors(self) -> str:
            """The errors since the last call, or else the warnings, on one line."""
            said = self._errors or list(self._warnings)
            self._errors = []
            self._warnings.clear()
            return " ".join(" ".join(said).split()) or "the library gives no reason"

    return Log()
