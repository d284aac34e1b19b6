"""Memory of features on a GPU is used again, whatever became of the image."""

from itertools import count

import pytest

from coarse_loftr_ros.backends.gpu_features import FeaturePool


@pytest.fixture
def pool():
    """Of numbers in the place of memory, counted from 0."""
    numbers = count()
    return FeaturePool(lambda: next(numbers))


def test_features_that_are_kept_have_memory_of_their_own(pool):
    kept = [pool.take() for _ in range(3)]
    assert [features.memory for features in kept] == [0, 1, 2]


def test_memory_of_features_that_nobody_keeps_is_used_again(pool):
    kept, other = pool.take(), pool.take()
    del kept
    assert (pool.take().memory, other.memory) == (0, 1)


def test_memory_of_an_image_that_fails_is_used_again(pool):
    def encode():
        features = pool.take()
        raise ValueError(f"no image at {features.memory}")

    for _ in range(3):
        with pytest.raises(ValueError, match="no image at 0"):
            encode()
