"""ncnn on the CPU: a runtime of 30 MB at most, for boards whose memory the others would fill."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import BackendError, ModelFiles
from coarse_loftr_ros.backends.cpu import CpuBackend, CpuFeatures
from coarse_loftr_ros.backends.decoding import CoarseMatches, with_border
from coarse_loftr_ros.backends.precision import choose_precision
from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.process.openmp import let_threads_sleep

let_threads_sleep()

import ncnn  # noqa: E402 (after what it reads when it is loaded)

__all__ = ["NcnnBackend"]

_OLDEST = 20260114
"""Older versions load the graphs and compute something else without a word."""

_MAGIC = "7767517"  # first line of a .param file


class NcnnBackend(CpuBackend):
    """Runs the model with ncnn.

    fp16 is for ARM CPUs that compute in it, and holds for the encoder: similarities and their
    exponentials span more than float16 does. It was not run on such a CPU, so it has to match as
    fp32 does when it is loaded.

    Args:
        model: the exported model, with files for ncnn.
        size: network size to use.
        threads: CPU threads; 0 takes the CPU's large cores.
        precision: ``auto``, ``fp32`` or ``fp16``.

    Raises:
        BackendError: when the size or precision does not fit the model or the CPU, or ncnn refuses
            the graphs.
    """

    name = "ncnn"

    def __init__(
        self, model: ModelFiles, size: NetworkSize, threads: int = 0, precision: str = "auto"
    ) -> None:
        super().__init__(model, size)
        _check_version()
        self.precision = choose_precision(precision, self.name, model)
        if model.ncnn is None:
            raise BackendError(
                f"model {model.name} has no graphs for ncnn; make them with 'coarse-loftr ncnn', "
                "or use another backend"
            )
        half = self.precision == "fp16"
        if half and not ncnn.cpu_support_arm_asimdhp():
            raise BackendError(
                "precision is 'fp16'; ncnn computes in it on ARM CPUs with half-precision "
                "arithmetic (ARMv8.2), which this one does not have: use 'fp32'"
            )
        self._cells = model.cells(size)
        self._fine = (size.height // model.fine_stride, size.width // model.fine_stride)
        try:
            self._encode = _load(model.ncnn / "encode.ncnn.param", threads, half)
            self._match = _load(model.ncnn / "match.ncnn.param", threads)
            used = self._encode.opt.num_threads
            self._warm_up()
        except (OSError, ValueError) as error:
            raise BackendError(
                f"ncnn {ncnn.__version__} cannot load model {model.name}: {error}"
            ) from error
        self.description = f"ncnn {ncnn.__version__}, CPU {self.precision}, {used} threads, {size}"
        if half:
            self._check_half(model, threads)

    def close(self) -> None:
        """See ``Backend.close``."""
        super().close()
        self._coarse = None

    def _run_encode(self, image: NDArray[np.float32]) -> CpuFeatures:
        tokens, fine = _run(self._encode, [image[0]], 2)
        _check_shape("tokens", tokens, (self._cells, tokens.shape[-1]))
        _check_shape("fine features", fine, (*self._fine, fine.shape[-1]))
        return CpuFeatures(tokens[None], with_border(fine))

    def _begin(self, reference: CpuFeatures, current: CpuFeatures) -> None:
        outputs = _run(self._match, [reference.tokens[0], current.tokens[0]], 5)
        _check_shape("weights", outputs[0], (self._cells, self._cells))
        for vector in outputs[1:]:
            _check_shape("sums and maxima", vector, (self._cells,))
        self._coarse: CoarseMatches | None = CoarseMatches(*outputs)

    def _compared(self) -> CoarseMatches:
        assert self._coarse is not None
        return self._coarse

    def _check_half(self, model: ModelFiles, threads: int) -> None:
        """Refuse float16 arithmetic that does not match as float32 does."""
        from coarse_loftr_ros.backends.self_check import agreement

        full = NcnnBackend(model, self.size, threads, "fp32")
        fault = agreement(self, full, model).fault(self.precision)
        full.close()
        if fault:
            self.close()
            raise BackendError(f"{self.description} does not match as in fp32: {fault}")


def _check_version() -> None:
    """Raises BackendError when ncnn is too old."""
    released = ncnn.__version__.rpartition(".")[2]
    if not released.isdigit() or int(released) < _OLDEST:
        raise BackendError(
            f"ncnn is {ncnn.__version__}; it must be 1.0.{_OLDEST} or later: pip install -U ncnn"
        )


def _load(param: Path, threads: int, half: bool = False) -> ncnn.Net:
    """A network from its two files.

    Raises:
        OSError: when a file cannot be read.
        ValueError: naming the layer that ncnn does not have, or the file that it refuses.
    """
    text = param.read_bytes().decode("ascii", errors="replace")
    lines = [line.split() for line in text.splitlines()]
    if not lines or lines[0] != [_MAGIC]:
        raise ValueError(f"{param.name} is no graph of ncnn: its first line is not {_MAGIC}")
    for kind, name, *_ in (line for line in lines[2:] if len(line) > 1):
        if ncnn.layer_to_index(kind) < 0:
            raise ValueError(f"it has no layer '{kind}' ({name} of {param.name})")
    net = ncnn.Net()
    options = net.opt
    options.use_vulkan_compute = False
    options.use_bf16_storage = False
    options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = half
    if threads:
        options.num_threads = threads
    # Where loading failed, running would end the process.
    for load, argument, file in (
        (net.load_param_mem, text, param),
        (net.load_model, str(param.with_suffix(".bin")), param.with_suffix(".bin")),
    ):
        if load(argument) != 0:
            raise ValueError(f"{file.name} is damaged or of another graph")
    return net


def _run(
    net: ncnn.Net, inputs: Sequence[NDArray[np.float32]], outputs: int
) -> list[NDArray[np.float32]]:
    """Run a graph whose inputs are named ``in0``, ... and whose outputs ``out0``, ...

    Nothing is copied: ncnn reads the arrays where they are, and what is returned is its memory.

    Raises:
        ValueError: when the graph does not have them or fails.
    """
    extractor = net.create_extractor()
    for number, array in enumerate(inputs):
        if extractor.input(f"in{number}", ncnn.Mat(array)) != 0:
            raise ValueError(f"the graph has no input in{number}")
    found = []
    for number in range(outputs):
        failed, output = extractor.extract(f"out{number}")
        if failed:
            raise ValueError(f"the graph gives no output out{number}")
        found.append(np.asarray(output))
    return found


def _check_shape(name: str, array: NDArray[np.float32], expected: tuple[int, ...]) -> None:
    if array.shape != expected:
        raise ValueError(f"its {name} are of shape {array.shape}, not {expected}")
