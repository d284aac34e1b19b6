"""From an ONNX graph to a serialised engine.

Run so far: with TensorRT for RTX 1.7.1 on machines without a GPU (tests) and on an H200.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from coarse_loftr_ros.backends.base import BackendError
from coarse_loftr_ros.backends.tensorrt.library import Library

__all__ = ["BuildSettings", "BuiltEngine", "Progress", "build_engine"]

Progress = Callable[[float, str], None]
"""Called with the part that is done, 0 to 1, and the name of the phase at hand."""


@dataclass(frozen=True)
class BuildSettings:
    """How hard the builder tries; none of it changes what an engine computes.

    Attributes:
        optimisation_level: 0 to 5; higher takes longer to build and may run faster.
        workspace_mib: most GPU memory that a layer may use as scratch space.
    """

    optimisation_level: int = 3
    workspace_mib: int = 1024

    def __post_init__(self) -> None:
        if not 0 <= self.optimisation_level <= 5:
            raise ValueError(f"optimisation_level is {self.optimisation_level}; it must be 0 to 5")
        if self.workspace_mib < 1:
            raise ValueError(f"workspace_mib is {self.workspace_mib}; it must be at least 1")


@dataclass(frozen=True)
class BuiltEngine:
    """A serialised engine.

    Attributes:
        data: what TensorRT's runtime loads.
        shapes: of its inputs and outputs by name.
        seconds: that building took.
    """

    data: bytes
    shapes: dict[str, tuple[int, ...]]
    seconds: float


def build_engine(
    library: Library,
    onnx: bytes,
    dimensions: Mapping[str, tuple[int, ...]],
    settings: BuildSettings | None = None,
    progress: Progress | None = None,
) -> BuiltEngine:
    """Build an engine of static shapes from an ONNX graph.

    The network is strongly typed: precision is what the graph says. float32 means float32:
    TensorFloat-32 is switched off, because its 10 bits of mantissa would put an error of 1.5 % on
    the exponential of a similarity of 30.

    Args:
        library: TensorRT.
        onnx: the graph.
        dimensions: shape of every input by name; -1 keeps what the graph says.
        settings: of the builder.
        progress: called with the share of the build that is done.

    Raises:
        BackendError: when the library refuses the graph or cannot build it, in its own words.
        KeyboardInterrupt: when a signal interrupts the build.
    """
    start = time.perf_counter()
    with _deferred_signals() as interrupted:
        builder, network = _parse(library, onnx, dimensions)
        trt = library.module
        config = builder.create_builder_config()
        settings = settings or BuildSettings()
        config.builder_optimization_level = settings.optimisation_level
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, settings.workspace_mib << 20)
        config.clear_flag(trt.BuilderFlag.TF32)
        if hasattr(trt.BuilderFlag, "REQUIRE_USER_ALLOCATION"):
            # TensorRT for RTX: else its engines may allocate while they run, which no CUDA graph
            # can hold.
            config.set_flag(trt.BuilderFlag.REQUIRE_USER_ALLOCATION)
        config.progress_monitor = _make_monitor(trt, progress, interrupted)
        engine = builder.build_serialized_network(network, config)
    if interrupted.is_set():
        raise KeyboardInterrupt
    if engine is None:
        raise BackendError(f"{library.title} cannot build: {library.log.take_errors()}")
    tensors = [network.get_input(i) for i in range(network.num_inputs)]
    tensors += [network.get_output(i) for i in range(network.num_outputs)]
    shapes = {tensor.name: tuple(tensor.shape) for tensor in tensors}
    return BuiltEngine(bytes(engine), shapes, time.perf_counter() - start)


def _parse(
    library: Library, onnx: bytes, dimensions: Mapping[str, tuple[int, ...]]
) -> tuple[Any, Any]:
    """A builder, and the graph as a network of static shapes."""
    trt, builder = library.module, library.create("Builder")
    # TensorRT 11 accepts the flag and ignores it: nothing else is left there.
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, library.log)
    if not parser.parse(onnx):
        errors = [parser.get_error(i).desc() for i in range(parser.num_errors)]
        library.log.take_errors()
        raise BackendError(f"{library.title} cannot read the graph: {' '.join(errors)}")
    for i in range(network.num_inputs):
        tensor = network.get_input(i)
        tensor.shape = _static_shape(tensor.name, tuple(tensor.shape), dimensions)
    return builder, network


@contextmanager
def _deferred_signals() -> Iterator[threading.Event]:
    """Note signals that end a process, and give them to their handlers when the block is left.

    The library calls back into Python, and an exception that a handler raises there is lost in it.
    Handlers run in the main thread alone.
    """
    noted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    numbers: list[int] = []

    def note(number: int, frame: object) -> None:
        numbers.append(number)
        noted.set()

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in handlers:
        signal.signal(number, note)
    try:
        yield noted
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in numbers:
            handlers[number](number, None)


def _static_shape(
    name: str, declared: tuple[int, ...], dimensions: Mapping[str, tuple[int, ...]]
) -> tuple[int, ...]:
    """The shape to fix for an input, given what the graph declares (-1: open)."""
    wanted = dimensions.get(name)
    if wanted is None or len(wanted) != len(declared):
        raise BackendError(f"input '{name}' of the graph has shape {declared}, not {wanted}")
    shape = tuple(d if w == -1 else w for w, d in zip(wanted, declared, strict=True))
    if any(d not in (-1, s) for s, d in zip(shape, declared, strict=True)) or -1 in shape:
        raise BackendError(f"input '{name}' of the graph has shape {declared}, not {wanted}")
    return shape


def _make_monitor(trt: Any, progress: Progress | None, interrupted: threading.Event) -> Any:
    """An ``IProgressMonitor`` that turns nested phases into one number that never falls."""

    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._phases: dict[str, tuple[str | None, int, int]] = {}  # parent, done, total
            self._part = 0.0

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            self._phases[phase] = (parent, 0, max(steps, 1))

        def step_complete(self, phase: str, step: int) -> bool:
            parent, _, total = self._phases[phase]
            self._phases[phase] = (parent, step + 1, total)
            self._report(phase)
            return not interrupted.is_set()  # else the build ends

        def phase_finish(self, phase: str) -> None:
            parent, _, total = self._phases[phase]
            self._phases[phase] = (parent, total, total)
            self._report(phase)
            del self._phases[phase]

        def _report(self, phase: str) -> None:
            part, name = 0.0, phase
            while name in self._phases:
                parent, done, total = self._phases[name]
                part = min(1.0, (done + part) / total)
                name = parent
            self._part = max(self._part, part)
            if progress and not interrupted.is_set():  # the phases of an ended build finish too
                progress(self._part, phase)

    return Monitor()
