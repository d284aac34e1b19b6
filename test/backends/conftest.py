"""An engine of the real TensorRT for RTX, which needs no GPU to build it."""

import pytest

from coarse_loftr_ros.backends.base import ModelFiles
from coarse_loftr_ros.backends.tensorrt.builder import BuiltEngine, build_engine


@pytest.fixture(scope="session")
def small_engine(tensorrt_rtx) -> BuiltEngine:
    """The encoder of the model ``fast`` for 96x64 px."""
    graph = ModelFiles.load().encode.read_bytes()
    return build_engine(tensorrt_rtx, graph, {"image": (1, 1, 64, 96)})
