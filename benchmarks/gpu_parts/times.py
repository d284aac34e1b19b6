"""Times of a backend, memory over many configurations, and two images in one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from coarse_loftr_lab.evaluation.data.homography_pair import HomographyPair
from coarse_loftr_ros.backends.base import Backend, BackendError, ModelFiles, Reports
from coarse_loftr_ros.backends.gpu import find_gpu
from coarse_loftr_ros.backends.joined_graphs import addition, join
from coarse_loftr_ros.backends.precision import graph_in
from coarse_loftr_ros.backends.tensorrt.library import load_library
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.frame_matching import match_frames
from coarse_loftr_ros.matching.matcher import Matcher
from gpu_parts.parity import MATCH, prepare


def tensorrt(model: ModelFiles, size: NetworkSize, precision: str, graphs: bool) -> Backend:
    """The backend under test.

    Raises:
        BackendError: when it cannot be used, in the words of what refuses.
    """
    if find_gpu() is None:
        raise BackendError("there is no NVIDIA GPU, or no driver for it")
    try:
        from coarse_loftr_ros.backends.tensorrt_backend import TensorRtBackend
    except ImportError as error:
        raise BackendError(f"PyCUDA cannot be loaded: {error}") from error
    return TensorRtBackend(
        model, size, precision, reports=Reports(info=print), use_cuda_graphs=graphs
    )


def times(
    backend: Backend, model: ModelFiles, pair: HomographyPair, rounds: int
) -> dict[str, dict[str, float]]:
    """Milliseconds, median and 95th percentile, copies included.

    ``encode`` is one image. ``match`` is everything after it, features ready. ``frame`` is both,
    as a stream has them. ``pipeline`` adds reducing, corners, refinement and the homography.
    """
    matcher = Matcher(model, backend)
    wait = getattr(backend, "wait", lambda: None)
    frames = [prepare(Frame(image), backend.size) for image in (pair.reference, pair.current)]
    reference, current = (frame.features(matcher) for frame in frames)
    image, corners = current.image, reference.corners.first
    encoded = reference.encoded, current.encoded

    def encode() -> None:
        backend.encode(image)
        wait()

    def match() -> None:
        backend.match(*encoded, lambda: corners, 0.1, 1000)

    def frame() -> None:
        backend.match(encoded[0], backend.encode(image), lambda: corners, 0.1, 1000)

    def pipeline() -> None:
        match_frames(matcher, frames[0], prepare(Frame(pair.current), backend.size), MATCH)

    steps = {"encode": encode, "match": match, "frame": frame, "pipeline": pipeline}
    return {name: timed(step, rounds) for name, step in steps.items()}


def timed(step: Callable[[], None], rounds: int, seconds: float = 5.0) -> dict[str, float]:
    """Milliseconds of a step: its median and 95th percentile, after a tenth that warms up.

    Ends early after ``seconds``: a CPU in a GPU's place would need many minutes.
    """
    spans: list[float] = []
    first = time.perf_counter()
    for number in range(rounds + max(rounds // 10, 2)):
        start = time.perf_counter()
        if spans and start - first > seconds:
            break
        step()
        if number >= max(rounds // 10, 2):
            spans.append((time.perf_counter() - start) * 1e3)
    quantiles = {name: float(np.quantile(spans, q)) for name, q in (("p50", 0.5), ("p95", 0.95))}
    return {**quantiles, "rounds": len(spans)}


def reconfigure(model: ModelFiles, size: NetworkSize, count: int, seconds: float) -> dict[str, Any]:
    """Memory of the GPU over many configurations, MiB; the first pays for the context.

    Ends early after ``seconds``: TensorRT for RTX compiles kernels each time an engine is loaded.
    """
    used: list[float] = []
    start = time.perf_counter()
    while len(used) < count and (not used or time.perf_counter() - start < seconds):
        backend = tensorrt(model, size, "fp16", True)
        backend.encode(np.zeros((size.height, size.width), np.uint8))
        backend.close()
        from coarse_loftr_ros.backends.tensorrt.device import first_device

        used.append(first_device().memory_used() / 2**20)
    return {
        "count": len(used),
        "first_mib": used[0],
        "last_mib": used[-1],
        "growth_mib": used[-1] - used[0],
    }


def stereo(model: ModelFiles, size: NetworkSize, rounds: int) -> dict[str, Any]:
    """Both images in one run of an engine for two images, and in two runs of one for one, ms."""
    if find_gpu() is None:
        raise BackendError("there is no NVIDIA GPU, or no driver for it")
    import pycuda.driver as cuda

    from coarse_loftr_ros.backends.tensorrt.builder import build_engine
    from coarse_loftr_ros.backends.tensorrt.cache import CheckedEngine
    from coarse_loftr_ros.backends.tensorrt.cuda_graph import CudaGraph
    from coarse_loftr_ros.backends.tensorrt.device import first_device
    from coarse_loftr_ros.backends.tensorrt.execution import LoadedEngine

    device, library, result = first_device(), load_library(), {}
    for images in (1, 2):
        shape = (images, 1, size.height, size.width)
        built = build_engine(
            library, encode_graph(model, size, "fp16", images), {"grey_image": shape}
        )
        with device.current("time the images of a stereo camera"):
            engine = LoadedEngine(library, CheckedEngine(built.data, None))
            stream = cuda.Stream()
            memory = {name: device.allocate(engine.bytes_of(name)) for name in engine.shapes}
            engine.bind({name: int(place) for name, place in memory.items()})
            image = cuda.pagelocked_empty(shape, np.uint8)
            image[...] = 0

            def work(engine=engine, stream=stream, memory=memory, image=image) -> None:
                cuda.memcpy_htod_async(memory["grey_image"], image, stream)
                engine.enqueue(stream.handle)

            work()
            stream.synchronize()
            graph = CudaGraph(stream.handle, work)

            def both(graph=graph, stream=stream, runs=2 // images) -> None:
                for _ in range(runs):
                    graph.launch()
                stream.synchronize()

            result[f"{2 // images} runs of {images}"] = timed(both, rounds)
            graph.close()
            engine.close()
            for place in memory.values():
                place.free()
            del stream, image, work, both
    return result


def encode_graph(model: ModelFiles, size: NetworkSize, precision: str, images: int) -> bytes:
    """The joined graph that encodes several images in one run."""
    import onnx

    exported = onnx.load_from_string(graph_in(model, "encode", precision))
    for value in (*exported.graph.input, *exported.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = images
    added = addition(model, "encode", size).replace("[1, 1, ", f"[{images}, 1, ")
    return join(exported.SerializeToString(), "encode", added)
