"""From two encoded images to points: mutual, capped, at corners, near the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scenes import motion, texture, view

from coarse_loftr_ros.backends.base import CoarseMatches, ModelFiles
from coarse_loftr_ros.backends.registry import create_backend
from coarse_loftr_ros.homography import transfer
from coarse_loftr_ros.matcher import Features, Matcher, _mutual
from coarse_loftr_ros.preprocessing import NetworkSize

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
    np.testing.assert_array_equal(matches.reference, encoded[0].corners[matches.cell])
    column, row = (matches.reference // 16).T
    np.testing.assert_array_equal(row * 40 + column, matches.cell)


def test_each_reference_cell_is_used_once(matcher, encoded):
    cells = matcher.match(*encoded, threshold=0.05, limit=2000).cell
    assert len(np.unique(cells)) == len(cells)


def test_a_higher_threshold_gives_a_subset_of_more_confident_matches(matcher, encoded):
    low = matcher.match(*encoded, threshold=0.05, limit=2000)
    high = matcher.match(*encoded, threshold=0.4, limit=2000)
    assert 0 < len(high) < len(low)
    assert set(high.cell) <= set(low.cell) and high.confidence.min() >= 0.4


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


def coarse_matches(weight):
    weight = np.array(weight, np.float32)
    sums, maxima = (weight.sum(1), weight.sum(0)), (weight.max(1), weight.max(0))
    return CoarseMatches(weight, *sums, *maxima)


def test_only_mutual_best_cells_are_matched_and_confidence_is_the_dual_softmax():
    weight = [[9, 1, 0.1], [8, 2, 0.1], [0.1, 3, 0.5]]
    # Cell 1 prefers column 0 as well, which belongs to cell 0.
    cell, current_cell, confidence = _mutual(coarse_matches(weight), 0.1, 10)
    assert cell.tolist() == [0, 2] and current_cell.tolist() == [0, 1]
    expected = [9 / 10.1 * 9 / 17.1, 3 / 3.6 * 3 / 6]
    np.testing.assert_allclose(confidence, expected, rtol=1e-5)


@given(arrays(np.float32, (6, 6), elements=st.floats(-20, 20, width=32)), st.floats(0.01, 0.9))
def test_matches_are_the_mutual_maxima_of_the_similarity_above_the_threshold(scores, threshold):
    weight = np.exp(scores)
    confidence = weight**2 / np.outer(weight.sum(1), weight.sum(0))
    found = _mutual(coarse_matches(weight), threshold, 100)
    expected = {
        (i, j)
        for i, j in np.ndindex(6, 6)
        if j == weight[i].argmax()
        and weight[i, j] == weight[:, j].max()
        and confidence[i, j] >= threshold * 1.001
    }
    pairs = set(zip(found[0].tolist(), found[1].tolist(), strict=True))
    assert expected <= pairs
    np.testing.assert_allclose(found[2], confidence[found[0], found[1]], rtol=1e-3)
    assert (found[2] >= threshold).all()


def test_a_corner_is_found_where_it_was_drawn():
    image = np.full((64, 64), 40, np.uint8)
    image[21:, 37:] = 220
    corners = Features(image, None, 16).corners
    cell = (21 // 16) * 4 + 37 // 16
    np.testing.assert_allclose(corners[cell], (37, 21), atol=2)
