"""The TensorRT backend with host memory for a GPU's and ONNX Runtime for TensorRT's runtime.

For a process that has the driver of ``host_memory_driver.c``. TensorRT for RTX builds the engines,
PyCUDA and cuda-bindings copy, record and launch; only what engines do is done by ONNX Runtime, on
the graphs that they were built from and at the addresses that they were given.
"""

import ctypes
from pathlib import Path

import numpy as np
import onnxruntime
from scenes import motion, texture, view

from coarse_loftr_ros.backends import tensorrt_backend
from coarse_loftr_ros.backends.base import EngineFolder, ModelFiles
from coarse_loftr_ros.backends.joined_graphs import joined_graph
from coarse_loftr_ros.backends.onnxruntime_backend import OnnxRuntimeBackend
from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.matcher import Matcher

MODEL, SIZE = ModelFiles.load(), NetworkSize(320, 224)
IMAGES = [view(texture(), motion(3 * k, 2, k), SIZE.width, SIZE.height) for k in range(4)]
PAIRS = [(0, 1), (0, 2), (2, 1), (1, 1), (3, 0)]

driver = ctypes.CDLL("libcuda.so.1")
CALL = ctypes.CFUNCTYPE(None)
driver.enqueue_call.argtypes = (ctypes.c_uint64, CALL)


class HostEngine:
    """In the place of ``LoadedEngine``."""

    def __init__(self, library, engine):
        manifest = engine.manifest
        graph = joined_graph(MODEL, manifest.identity.graph, SIZE, "fp32")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(graph, options, ["CPUExecutionProvider"])
        self.shapes = manifest.shapes
        self.dtypes = {name: np.dtype(np.float32) for name in self.shapes}
        if "grey_image" in self.dtypes:
            self.dtypes["grey_image"] = np.dtype(np.uint8)
        self.callback = CALL(self.compute)  # has to outlive CUDA graphs

    def bytes_of(self, name):
        return int(np.prod(self.shapes[name])) * self.dtypes[name].itemsize

    def bind(self, addresses):
        self.tensors = {name: self.at(name, addresses[name]) for name in self.shapes}

    def at(self, name, address):
        assert address % 16 == 0, f"{name} lies at {address}"
        memory = (ctypes.c_uint8 * self.bytes_of(name)).from_address(address)
        return np.ndarray(self.shapes[name], self.dtypes[name], memory)

    def enqueue(self, stream):
        assert driver.enqueue_call(stream, self.callback) == 0

    def compute(self):
        inputs = {each.name: self.tensors[each.name] for each in self.session.get_inputs()}
        for each, value in zip(
            self.session.get_outputs(), self.session.run(None, inputs), strict=True
        ):
            self.tensors[each.name][...] = value

    def recordable(self, stream):
        return True

    def close(self):
        self.session = None


def make_backend(folder, use_cuda_graphs):
    tensorrt_backend.LoadedEngine = HostEngine
    return tensorrt_backend.TensorRtBackend(
        MODEL, SIZE, "fp32", EngineFolder(Path(folder)), use_cuda_graphs=use_cuda_graphs
    )


def matches_of(backend):
    """Of pairs of images that are encoded once each and kept."""
    matcher = Matcher(MODEL, backend)
    encoded = [matcher.encode(image) for image in IMAGES]
    return [matcher.match(encoded[a], encoded[b], 0.5, 1000) for a, b in PAIRS]


def matches_of_cpu():
    return matches_of(OnnxRuntimeBackend(MODEL, SIZE, 1, "fp32"))
