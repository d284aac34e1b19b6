"""From two encoded images to points: mutual, capped, at corners, near the truth."""

import numpy as np
import pytest
from scenes import motion, texture, view

from coarse_loftr_ros.backends.base import ModelFiles
from coarse_loftr_ros.backends.registry import create_backend
from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.homography import transfer
from coarse_loftr_ros.matching.matcher import Matcher

PLANE = texture()
TRUTH = motion(14, -9, 6, 1.08)


@pytest.fixture(scope="module")
def matcher():
    model = ModelFiles.load()
    return Matcher(model, create_backend("openvino", model, NetworkSize(640, 480), threads=1))


@pytest.fixture(scope="module")
def encoded(matcher):
    return matcher.encode(view(PLANE, np.eye(3))), matcher.encode(view(PLANE, TRUTH, seed=1))


def test_matches_are_plenty_and_within_a_few_pixels_of_the_truth(matcher, encoded):
    matches = matcher.match(*encoded, threshold=0.1, limit=2000)
    error = np.linalg.norm(matches.current - transfer(TRUTH, matches.reference), axis=1)
    assert len(matches) > 300
    assert np.median(error) < 2.0
    assert (error < 8).mean() > 0.9


def test_reference_points_are_the_corners_of_their_cells(matcher, encoded):
    matches = matcher.match(*encoded, threshold=0.1, limit=2000)
    np.testing.assert_array_equal(matches.reference, encoded[0].corners.first[matches.point])
    column, row = (matches.reference // 16).T
    np.testing.assert_array_equal(row * 40 + column, matches.point)


def test_each_reference_cell_is_used_once(matcher, encoded):
    cells = matcher.match(*encoded, threshold=0.05, limit=2000).point
    assert len(np.unique(cells)) == len(cells)


def test_a_higher_threshold_gives_a_subset_of_more_confident_matches(matcher, encoded):
    low = matcher.match(*encoded, threshold=0.05, limit=2000)
    high = matcher.match(*encoded, threshold=0.4, limit=2000)
    assert 0 < len(high) < len(low)
    assert set(high.point) <= set(low.point) and high.confidence.min() >= 0.4


def test_the_limit_keeps_the_most_confident(matcher, encoded):
    every = matcher.match(*encoded, threshold=0.05, limit=2000)
    few = matcher.match(*encoded, threshold=0.05, limit=50)
    assert len(few) == 50
    assert few.confidence.min() >= np.sort(every.confidence)[-50]


def test_nothing_above_the_threshold_gives_no_matches(matcher, encoded):
    assert len(matcher.match(*encoded, threshold=1.0, limit=100)) == 0


def test_matching_twice_gives_the_same_bits(matcher, encoded):
    first, again = (matcher.match(*encoded, threshold=0.1, limit=500) for _ in range(2))
    assert first.current.tobytes() == again.current.tobytes()


def test_an_image_of_another_size_is_refused(matcher):
    with pytest.raises(ValueError, match="network image is 320x240; the backend is built for 640x"):
        matcher.encode(np.zeros((240, 320), np.uint8))
