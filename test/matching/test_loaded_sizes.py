"""Which image sizes stay loaded, and how often the network is loaded for another one."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from coarse_loftr_ros.backends.base import BackendError, ModelFiles
from coarse_loftr_ros.backends.registry import create_backend
from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.loaded_sizes import LoadedSizes, LoadingLimit, TooManySizesError
from coarse_loftr_ros.matching.matcher import Matcher

SIZES = [NetworkSize(64, 32 * k) for k in range(1, 8)]


class Loading:
    """Loads the shipped network, and a clock that loading does not move."""

    def __init__(self) -> None:
        self.model = ModelFiles.load()
        self.sizes: list[NetworkSize] = []
        self.time = 0.0
        self.cost = 0.0

    def load(self, size: NetworkSize) -> Matcher:
        self.sizes.append(size)
        self.time += self.cost
        return Matcher(self.model, create_backend("openvino", self.model, size, 1))


@pytest.fixture
def loading() -> Loading:
    return Loading()


def test_the_last_three_sizes_stay_loaded_and_the_oldest_is_closed(loading):
    sizes = LoadedSizes(loading.load)
    first = sizes.get(SIZES[0])
    gone = weakref.ref(sizes.get(SIZES[1]))
    sizes.get(SIZES[2])
    assert sizes.get(SIZES[0]) is first
    assert loading.sizes == SIZES[:3]
    sizes.get(SIZES[3])
    assert gone() is None
    image = np.zeros((SIZES[0].height, SIZES[0].width), np.uint8)
    assert sizes.get(SIZES[0]).encode(image) is not None
    sizes.get(SIZES[1])
    assert loading.sizes == [*SIZES[:4], SIZES[1]]
    sizes.close()


def test_many_sizes_are_refused_until_the_limit_allows_another(loading):
    sizes = LoadedSizes(loading.load, LoadingLimit(3, 30.0), now=lambda: loading.time)
    for size in SIZES[:3]:
        sizes.get(size)
        loading.time += 1
    for size in SIZES[3:]:
        with pytest.raises(TooManySizesError, match=r"loaded 3 times within 30 s, .* another 27 s"):
            sizes.get(size)
    assert [sizes.get(size).backend.size for size in SIZES[:3]] == SIZES[:3]
    loading.time = 30.0
    assert sizes.get(SIZES[3]).backend.size == SIZES[3]
    with pytest.raises(TooManySizesError, match="is not for another 1 s"):
        sizes.get(SIZES[4])
    sizes.close()


def test_where_loading_takes_long_it_may_be_done_less_often(loading):
    loading.cost = 60.0  # as engines take
    sizes = LoadedSizes(loading.load, LoadingLimit(3, 30.0, 0.2), now=lambda: loading.time)
    for size in SIZES[:3]:
        sizes.get(size)
    loading.time = 899.0
    with pytest.raises(TooManySizesError, match="within 900 s, and is not for another 1 s"):
        sizes.get(SIZES[3])
    loading.time = 900.0
    sizes.get(SIZES[3])
    sizes.close()


def test_a_size_that_cannot_be_loaded_counts_and_the_others_stay(loading):
    sizes = LoadedSizes(loading.load, LoadingLimit(3), now=lambda: loading.time)
    good = sizes.get(SIZES[0])
    for width in (65, 66):
        with pytest.raises(BackendError, match="both sides must be multiples of"):
            sizes.get(NetworkSize(width, 64))
    with pytest.raises(TooManySizesError):
        sizes.get(NetworkSize(67, 64))
    assert sizes.get(SIZES[0]) is good
    sizes.close()
