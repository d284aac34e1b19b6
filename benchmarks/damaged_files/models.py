"""Model folders and ONNX graphs."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from coarse_loftr_ros.backends.base import ModelFiles
from coarse_loftr_ros.backends.registry import create_backend
from coarse_loftr_ros.images.preprocessing import NetworkSize

__all__ = ["make_graphs", "make_model", "read_graph", "read_model"]


def make_model(folder: Path) -> list[Path]:
    """A copy of a shipped model."""
    shipped = ModelFiles.load("fast").encode.parent
    for file in shipped.iterdir():
        shutil.copyfile(file, folder / file.name)
    return [folder / "model.json", folder / "encode.onnx", folder / "encode.int8.onnx"]


def read_model(path: Path) -> bool:
    """Load the model of a file in its folder."""
    ModelFiles.load(path.parent).check_size(NetworkSize(64, 64))
    return False


def make_graphs(folder: Path) -> list[Path]:
    """A copy of a shipped model, of which the graphs are to damage."""
    make_model(folder)
    return [folder / "encode.onnx", folder / "match.onnx"]


def read_graph(path: Path) -> bool:
    """A graph that is not damaged by chance: its hash is right."""
    description = path.parent / "model.json"
    facts = json.loads(description.read_text())
    for name in ("encode.onnx", "match.onnx"):
        facts["sha256"][name] = hashlib.sha256((path.parent / name).read_bytes()).hexdigest()
    description.write_text(json.dumps(facts))
    model = ModelFiles.load(path.parent)
    for runtime in ("onnxruntime", "openvino"):
        create_backend(runtime, model, NetworkSize(64, 64), threads=1, precision="fp32")
    return False
