"""An engine of the real TensorRT for RTX, which needs no GPU to build it, and a cache with it."""

import pytest

from coarse_loftr_ros.backends.base import ModelFiles
from coarse_loftr_ros.backends.tensorrt.builder import BuiltEngine, build_engine
from coarse_loftr_ros.backends.tensorrt.cache import EngineCache
from coarse_loftr_ros.backends.tensorrt.manifest import EngineIdentity


@pytest.fixture(scope="session")
def small_engine(tensorrt_rtx) -> BuiltEngine:
    """The encoder of the model ``fast`` for 96x64 px."""
    graph = ModelFiles.load().encode.read_bytes()
    return build_engine(tensorrt_rtx, graph, {"image": (1, 1, 64, 96)})


@pytest.fixture(scope="session")
def identity(tensorrt_rtx):
    return EngineIdentity.here(tensorrt_rtx, None, "fast", "encode", b"graph", "fp32", "96x64")


@pytest.fixture
def cache(tmp_path):
    return EngineCache(tmp_path / "engines")


@pytest.fixture
def filled(cache, identity, small_engine):
    """A cache with the engine in it, and the engine's path."""
    assert cache.obtain(identity, lambda: small_engine).built
    return cache, cache.path(identity)
