"""Detectors for tests: a real graph that finds what is bright, and the shared NanoDet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

STRIDE = 8


def write_graph(path: Path, nodes: list, outputs: tuple[str, ...], constants: dict) -> None:
    """An ONNX graph with the input ``image``."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed (make test has it)")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(*node[:3], **node[3]) for node in nodes],
        "detector",
        [helper.make_tensor_value_info("image", kind, [1, 1, "height", "width"])],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))


def bright_detector(folder: Path, size: tuple[int, int] = (320, 256), more: str = "") -> Path:
    """Describes a graph whose class ``lamp`` are bright squares of 8 px, as NanoDet's heads say it.

    ``dark`` is its other class, which it never finds.
    """
    write_graph(
        folder / "bright.onnx",
        [
            ("AveragePool", ["image"], ["cells"], {"kernel_shape": [8, 8], "strides": [8, 8]}),
            ("Conv", ["cells", "of classes"], ["both"], {}),
            ("Reshape", ["both", "two by cells"], ["flat"], {}),
            ("Transpose", ["flat"], ["scores"], {"perm": [0, 2, 1]}),
            ("Conv", ["cells", "nothing"], ["bins"], {}),
            ("Reshape", ["bins", "eight by cells"], ["flat bins"], {}),
            ("Transpose", ["flat bins"], ["distances"], {"perm": [0, 2, 1]}),
        ],
        ("scores", "distances"),
        {
            "of classes": np.float32([1, 0]).reshape(2, 1, 1, 1),
            "nothing": np.zeros((8, 1, 1, 1), np.float32),  # two equal bins: half a stride
            "two by cells": np.int64([1, 2, -1]),
            "eight by cells": np.int64([1, 8, -1]),
        },
    )
    file = folder / "bright.yaml"
    file.write_text(
        f"model: bright.onnx\nsize: [{size[0]}, {size[1]}]\nmean: [0]\nscale: [0.00392156862]\n"
        "classes: [lamp, dark]\n"
        f"heads: [{{stride: {STRIDE}, scores: scores, distances: distances}}]\n{more}"
    )
    return file


def nanodet(shared: Path, repository: Path, folder: Path) -> Path:
    """The description of the repository beside the shared weights; skips where they are absent."""
    pytest.importorskip("ncnn", reason="ncnn is not installed: pip install ncnn")
    weights = shared / "weights" / "nanodet"
    if not weights.is_dir():
        pytest.skip(f"no weights of NanoDet at {weights}")
    text = (repository / "config" / "detector_nanodet.yaml").read_text()
    file = folder / "nanodet.yaml"
    file.write_text(text.replace("model: ", f"model: {weights}/"))
    return file
