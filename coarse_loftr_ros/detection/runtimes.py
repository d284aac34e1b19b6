"""Runtimes of detectors behind one call: a tensor goes in, outputs by name come out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.detection.description import Description, DetectorError
from coarse_loftr_ros.process.openmp import let_threads_sleep

__all__ = ["Runtime", "load_runtime"]


class Runtime(Protocol):
    """A loaded graph."""

    def run(self, image: NDArray[np.float32]) -> dict[str, NDArray]:
        """Outputs, without their batch, of an image float32 [channels, height, width]."""
        ...


def load_runtime(description: Description, threads: int) -> Runtime:
    """Load a detector's graph.

    Args:
        description: of the detector.
        threads: on the CPU; 0 lets the runtime choose.

    Raises:
        DetectorError: when the runtime is not installed or cannot take the graph, or when an input
            or output that is described is not there.
    """
    kind = _Ncnn if description.model.suffix == ".param" else _OnnxRuntime
    return kind(description, threads)


class _Ncnn:
    """ncnn, https://github.com/Tencent/ncnn."""

    def __init__(self, description: Description, threads: int) -> None:
        let_threads_sleep()
        try:
            import ncnn
        except ImportError as error:
            raise _not_installed(description, "ncnn", "pip install ncnn") from error
        self._mat = ncnn.Mat
        self._net = ncnn.Net()
        if threads:
            self._net.opt.num_threads = threads
        model = description.model
        if self._net.load_param(str(model)) or self._net.load_model(str(model.with_suffix(".bin"))):
            raise DetectorError(f"ncnn cannot load {model} with its .bin")
        self._input = _known(description, "input", self._net.input_names(), description.input)
        for name in description.layout.outputs:
            _known(description, "output", self._net.output_names(), name)
        self._outputs = description.layout.outputs
        self._model = model

    def run(self, image: NDArray[np.float32]) -> dict[str, NDArray]:
        # A Mat takes the array's memory as it is, so the array lives as long.
        extractor = self._net.create_extractor()
        extractor.input(self._input, self._mat(image))
        found = {}
        for name in self._outputs:
            failed, output = extractor.extract(name)
            if failed:
                raise DetectorError(f"ncnn failed to compute output '{name}' of {self._model}")
            found[name] = np.array(output)
        return found


class _OnnxRuntime:
    """ONNX Runtime on the CPU."""

    def __init__(self, description: Description, threads: int) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise _not_installed(description, "onnxruntime", "pip install onnxruntime") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(description.model), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            reason = " ".join(str(error).split())
            raise DetectorError(
                f"ONNX Runtime cannot load {description.model}: {reason}"
            ) from error
        inputs = [each.name for each in self._session.get_inputs()]
        self._input = _known(description, "input", inputs, description.input)
        outputs = [each.name for each in self._session.get_outputs()]
        for name in description.layout.outputs:
            _known(description, "output", outputs, name)
        self._outputs = list(description.layout.outputs)
        # torchvision's detection models take an image without a batch.
        self._batch = len(self._session.get_inputs()[inputs.index(self._input)].shape) == 4
        self._model = description.model

    def run(self, image: NDArray[np.float32]) -> dict[str, NDArray]:
        feed = {self._input: image[None] if self._batch else image}
        try:
            outputs = self._session.run(self._outputs, feed)
        except Exception as error:
            reason = " ".join(str(error).split())
            raise DetectorError(
                f"ONNX Runtime cannot run {self._model} on an image of "
                f"{image.shape[2]}x{image.shape[1]} in {image.shape[0]} channels: {reason}"
            ) from error
        return {
            name: output[0] if output.ndim == 3 else output
            for name, output in zip(self._outputs, outputs, strict=True)
        }


def _not_installed(description: Description, runtime: str, how: str) -> DetectorError:
    return DetectorError(
        f"detector {description.file} needs {runtime}, which is not installed: {how}"
    )


def _known(description: Description, kind: str, names: Sequence[str], name: str) -> str:
    """A name of the graph; without one, the only one there is."""
    if name in names:
        return name
    if not name and len(names) == 1:
        return names[0]
    raise DetectorError(
        f"detector {description.file} names {kind} '{name}'; {Path(description.model).name} has "
        f"{', '.join(names)}"
    )
