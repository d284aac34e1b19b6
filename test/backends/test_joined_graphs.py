"""The graphs that GPUs run, in ONNX Runtime on a CPU, give what the CPU backends give."""

import numpy as np
import pytest
from scenes import motion, texture, view

from coarse_loftr_lab.evaluation.joined_graphs import JoinedGraphs
from coarse_loftr_ros.backends.base import SHIPPED_MODELS, ModelFiles
from coarse_loftr_ros.backends.decoding import CellDecoder
from coarse_loftr_ros.backends.joined_graphs import addition, join
from coarse_loftr_ros.backends.onnxruntime_backend import OnnxRuntimeBackend
from coarse_loftr_ros.commands.common.images import read_grey
from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.corners import CornerFinder

pytest.importorskip("onnx", reason="onnx is not installed (make test has it)")

CAMERA, WIDE = NetworkSize(448, 320), NetworkSize(800, 256)


@pytest.fixture(
    scope="module", params=[(m, s) for m in SHIPPED_MODELS for s in (CAMERA, WIDE)], ids=str
)
def both(request):
    name, size = request.param
    model = ModelFiles.load(name)
    return (
        model,
        size,
        OnnxRuntimeBackend(model, size, 1, "fp32"),
        JoinedGraphs(model, size, threads=1),
    )


def on_gpu(features):
    return features.tokens, features.fine[None, 4:-4, 4:-4]


def assert_same_positions(found, wanted):
    """Two maxima of a window that are equal but for rounding may change places."""
    apart = np.abs(found.position - wanted.position).max(axis=1)
    assert np.quantile(apart, 0.99) < 1e-3 and (apart > 1e-2).sum() <= 1


def drawn(size):
    turned = motion(9, 4, 5)
    return [view(texture(), m, size.width, size.height) for m in (np.eye(3), turned)]


def photographed(size, shared_dir):
    import cv2

    folder = shared_dir / "data/dev/homography/boat"
    images = [read_grey(folder / f"{number}.png") for number in (1, 2)]
    return [cv2.resize(image, (size.width, size.height)) for image in images]


def test_features_are_those_of_the_cpu(both):
    _, size, cpu, gpu = both
    image = drawn(size)[0]
    tokens, fine = gpu.encode(image)
    on_cpu = cpu.encode(image)
    np.testing.assert_allclose(tokens, on_cpu.tokens, atol=1e-5)
    np.testing.assert_allclose(fine[0], on_cpu.fine[4:-4, 4:-4], atol=1e-5)


@pytest.mark.parametrize("kind", ["drawn", "photographed"])
def test_matches_are_those_of_the_cpu(both, kind, request):
    model, size, cpu, gpu = both
    shared = [request.getfixturevalue("shared_dir")] if kind == "photographed" else []
    images = {"drawn": drawn, "photographed": photographed}[kind](size, *shared)
    a, b = (cpu.encode(image) for image in images)
    corners = CornerFinder(size, model.coarse_stride).find(images[0]).first
    for threshold, limit in ((0.0, 10_000), (0.2, 10_000), (0.2, 40)):
        wanted = cpu.match(a, b, lambda: corners, threshold, limit)
        found = gpu.match(on_gpu(a), on_gpu(b), lambda: corners, threshold, limit)
        assert len(wanted.cell) >= min(limit, 60)
        np.testing.assert_array_equal(found.cell, wanted.cell)
        np.testing.assert_allclose(found.confidence, wanted.confidence, rtol=1e-4, atol=1e-7)
        assert_same_positions(found, wanted)


def test_corners_at_the_border_are_looked_for_where_the_cpu_looks(both):
    """The outermost pixels: windows that leave the map, samples beyond its last centre."""
    model, size, cpu, gpu = both
    a, b = (cpu.encode(image) for image in drawn(size))
    columns = size.width // model.coarse_stride
    cell = np.arange(model.cells(size))
    origin = np.stack([cell % columns, cell // columns], axis=1) * model.coarse_stride
    coarse = cpu.compare(a, b)
    for within in ((0, 0), (15, 15)):
        corners = (origin + within).astype(np.float32)
        wanted = CellDecoder(model, size).decode(coarse, a.fine, b.fine, corners, 0.0, 10_000)
        found = gpu.match(on_gpu(a), on_gpu(b), lambda points=corners: points, 0.0, 10_000)
        np.testing.assert_array_equal(found.cell, wanted.cell)
        assert_same_positions(found, wanted)


def test_what_is_no_graph_is_refused():
    model = ModelFiles.load()
    with pytest.raises(ValueError, match="the graph cannot be extended for the GPU"):
        join(b"not a graph", "encode", addition(model, "encode", CAMERA))


def test_a_graph_of_another_kind_is_refused():
    model = ModelFiles.load()
    with pytest.raises(ValueError, match="the graph cannot be extended for the GPU"):
        join(model.encode.read_bytes(), "match", addition(model, "match", CAMERA))
