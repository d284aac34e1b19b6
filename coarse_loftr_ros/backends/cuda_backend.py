"""ONNX Runtime on the first NVIDIA GPU, by its CUDA provider or by its TensorRT provider.

Run so far: everything here with ONNX Runtime's CPU provider (tests); the same graphs with the CUDA
provider on an H200, without binding and without CUDA graphs (docs/results_gpu.md). Binding, CUDA
graphs and the TensorRT provider on a GPU: not yet; ``benchmarks/gpu.py`` measures them.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors

from coarse_loftr_ros.backends.base import (
    BackendError,
    CellMatches,
    DeviceError,
    EngineFolder,
    ModelFiles,
)
from coarse_loftr_ros.backends.cuda.providers import Provider, find_provider, one_line
from coarse_loftr_ros.backends.cuda.tensors import (
    DeviceTensors,
    UploadedArray,
    can_copy_on_device,
    on_device,
)
from coarse_loftr_ros.backends.decoding import select_cells
from coarse_loftr_ros.backends.gpu_features import FeaturePool, GpuFeatures
from coarse_loftr_ros.backends.joined_graphs import GRAPHS, input_shapes, joined_graph
from coarse_loftr_ros.images.preprocessing import NetworkSize

__all__ = ["CudaBackend"]

# They have no base in common but Exception.
_ERRORS = tuple(
    error
    for error in vars(onnxruntime_errors).values()
    if isinstance(error, type) and issubclass(error, Exception)
)


class CudaBackend:
    """Runs the joined graphs with ONNX Runtime; features stay on the GPU.

    With CUDA graphs every tensor that a graph reads or writes has its address for good: images,
    corners and matches are copied there and back, features that are kept are copied out of there
    and back within the GPU, and only when others lie there. Without them features are bound where
    they lie and never copied.

    Args:
        model: the exported model.
        size: network size to load it for.
        precision: ``fp32``, ``fp16`` or ``int8``.
        runtime: one of ``CUDA_RUNTIMES``.
        engines: folder of engines, for the runtime ``tensorrt``.
        use_cuda_graphs: whether to record CUDA graphs where the provider can.
        provider: another one in place of the runtime's.
        threads: CPU threads of ONNX Runtime; 0 lets it choose.

    Raises:
        BackendError: when ONNX Runtime has no such provider here or refuses the graphs.
    """

    name = "cuda"

    def __init__(
        self,
        model: ModelFiles,
        size: NetworkSize,
        precision: str = "fp32",
        runtime: str = "cuda",
        engines: EngineFolder | None = None,
        use_cuda_graphs: bool = True,
        provider: Provider | None = None,
        threads: int = 0,
    ) -> None:
        model.check_size(size)
        self.size, self.precision, self.failure = size, precision, ""
        self._by = provider or find_provider(runtime, engines or EngineFolder())
        self._closed = False
        graphs = [joined_graph(model, graph, size, precision) for graph in GRAPHS]
        self.fingerprint = hashlib.sha256(b"".join(graphs)).hexdigest()
        # At addresses of their own, which is what a CUDA graph can hold.
        self._fixed = use_cuda_graphs and can_copy_on_device()
        self.recorded = "" if can_copy_on_device() else "no CUDA graphs before ONNX Runtime 1.31"
        self._load(graphs, model, threads)
        library = f"ONNX Runtime {onnxruntime.__version__}"
        pageable = self._by.device == "cuda" and not self._image.pinned
        input_ = "input not pinned" if pageable else ""
        facts = (library, self._by.title, precision, self.recorded, input_, str(size))
        self.description = ", ".join(filter(None, facts))

    def encode(self, image: NDArray[np.uint8]) -> GpuFeatures[DeviceTensors]:
        """See ``Backend.encode``."""
        with self._running("encode an image"):
            np.copyto(self._image.host, image[None, None])
            self._image.upload()
            features, binding = self._features.take(), self._encode_binding
            tensors = features.memory
            if not self._fixed:
                tensors.bind_outputs(binding, "")
            self._in_current = None  # until all of it has worked
            self._encode.run_with_iobinding(binding)
            if self._fixed:
                tensors.copy_from(self._current)
                self._in_current = tensors
                if self._in_reference is tensors:  # of an image that nobody keeps any more
                    self._in_reference = None
        return features

    def match(
        self,
        reference: GpuFeatures[DeviceTensors],
        current: GpuFeatures[DeviceTensors],
        corners: Callable[[], NDArray[np.float32]],
        threshold: float,
        limit: int,
    ) -> CellMatches:
        """See ``Backend.match``."""
        with self._running("match two images"):
            np.copyto(self._corners.host, corners())
            self._corners.upload()
            binding = self._match_binding
            if self._fixed:
                self._put_in_place(reference.memory, current.memory)
            else:
                reference.memory.bind_inputs(binding, "reference_")
                current.memory.bind_inputs(binding, "current_")
            self._match.run_with_iobinding(binding)
            position, confidence = self._position.numpy(), self._confidence.numpy()
        return select_cells(position, confidence, threshold, limit)

    def close(self) -> None:
        """See ``Backend.close``; ONNX Runtime gives memory back with its last object."""
        self._closed = True
        self._features = self._encode_binding = self._match_binding = None
        self._image = self._corners = self._position = self._confidence = None
        self._current = self._reference = self._in_current = self._in_reference = None
        self._encode = self._match = None

    def _load(self, graphs: list[bytes], model: ModelFiles, threads: int) -> None:
        """Sessions, tensors and a first pair; without CUDA graphs where they cannot be had.

        Raises:
            BackendError: when that is not possible.
        """
        try:
            if self._fixed and self._by.graph_options:
                try:
                    self._start(graphs, model, threads, recording=True)
                except (*_ERRORS, DeviceError) as error:
                    self._fixed, self.failure = False, ""
                    self.recorded = f"no CUDA graphs ({one_line(error)})"
                else:
                    self.recorded = "CUDA graphs"
                    return
            self._start(graphs, model, threads, recording=False)
        except BackendError:
            raise
        except (*_ERRORS, RuntimeError, ValueError, IndexError) as error:
            raise BackendError(
                f"ONNX Runtime cannot load model {model.name} with {self._by.name}: "
                f"{one_line(error)}"
            ) from error

    def _start(self, graphs: list[bytes], model: ModelFiles, threads: int, recording: bool) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Static shapes: what a shape decides is computed when the graph is loaded.
        options.add_free_dimension_override_by_name("height", self.size.height)
        options.add_free_dimension_override_by_name("width", self.size.width)
        options.add_free_dimension_override_by_name("cells", model.cells(self.size))
        if self.precision == "fp16" and self._by.device == "cpu":
            # Or the CPU provider would leave roundings to float16 out.
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._encode, self._match = (
            self._by.session(graph, options, recording) for graph in graphs
        )
        self._allocate(input_shapes(model, "match", self.size))
        # The first run allocates and chooses kernels, and is recorded where it can be.
        blank = np.zeros((self.size.height, self.size.width), np.uint8)
        corners = np.zeros((model.cells(self.size), 2), np.float32)
        features = self.encode(blank)
        self.match(features, features, lambda: corners, 0.0, 1)

    def _allocate(self, shapes: dict[str, tuple[int, ...]]) -> None:
        size, cells = self.size, shapes["corners"][0]
        device = self._by.device
        self._image = UploadedArray((1, 1, size.height, size.width), np.uint8, device)
        self._corners = UploadedArray((cells, 2), np.float32, device)
        self._position = on_device((cells, 2), np.float32, device)
        self._confidence = on_device((cells,), np.float32, device)
        channels = {each.name: each.shape[-1] for each in self._match.get_inputs()}
        self._feature_shapes = {
            "tokens": (1, cells, channels["reference_tokens"]),
            "fine": shapes["reference_fine"],
        }
        self._features = FeaturePool(self._new_tensors)
        self._encode_binding = self._encode.io_binding()
        self._encode_binding.bind_ortvalue_input("grey_image", self._image.device)
        self._match_binding = self._match.io_binding()
        self._match_binding.bind_ortvalue_input("corners", self._corners.device)
        self._match_binding.bind_ortvalue_output("position", self._position)
        self._match_binding.bind_ortvalue_output("confidence", self._confidence)
        self._reference = self._current = self._in_reference = self._in_current = None
        if self._fixed:
            self._reference, self._current = self._new_tensors(), self._new_tensors()
            # Encoded features are a current image's first, so they need not be moved to match.
            self._current.bind_outputs(self._encode_binding, "")
            self._reference.bind_inputs(self._match_binding, "reference_")
            self._current.bind_inputs(self._match_binding, "current_")

    def _new_tensors(self) -> DeviceTensors:
        device = self._by.device
        return DeviceTensors(
            {
                name: on_device(shape, np.float32, device)
                for name, shape in self._feature_shapes.items()
            }
        )

    def _put_in_place(self, reference: DeviceTensors, current: DeviceTensors) -> None:
        """Copy features to where *match* reads them, unless they lie there already."""
        if self._in_reference is not reference:
            self._in_reference = None  # until the copy has worked
            self._reference.copy_from(reference)
            self._in_reference = reference
        if self._in_current is not current:
            self._in_current = None
            self._current.copy_from(current)
            self._in_current = current

    @contextlib.contextmanager
    def _running(self, task: str) -> Iterator[None]:
        """Work on the GPU, and note whether it failed."""
        if self._closed:
            raise DeviceError(f"the CUDA backend is closed, it cannot {task}")
        try:
            yield
        except (*_ERRORS, RuntimeError, ValueError) as error:  # what binding raises is the latter
            self.failure = f"the GPU failed to {task}: {one_line(error)}"
            raise DeviceError(self.failure) from error
        self.failure = ""
