"""Keypoints propose how far views lie in each other."""

import numpy as np
import pytest
from scenes import motion, texture, view

from coarse_loftr_ros.matching.homography import transfer
from coarse_loftr_ros.matching.keypoints import Keypoints, find_keypoints, propose_similarities

PLANE = texture()
START = motion(-130, -110)


def proposals(truth, contrast=1.0, most=3):
    images = [view(PLANE, each @ START, 640, 480) for each in (np.eye(3), truth)]
    reference, current = (find_keypoints(np.uint8(each * contrast)) for each in images)
    return propose_similarities(reference, current, 640, most)


@pytest.mark.parametrize("contrast", [1.0, 0.1])
@pytest.mark.parametrize(
    ("turn", "zoom"), [(0, 1), (37, 1), (180, 0.5), (-120, 2.5), (75, 0.3), (-20, 4.0)]
)
def test_any_turn_with_any_zoom_is_proposed_first(turn, zoom, contrast):
    truth = motion(20, -30, turn, zoom)
    middle = transfer(np.linalg.inv(truth), np.array([[320.0, 240.0], [330, 240], [320, 250]]))
    found = transfer(proposals(truth, contrast)[0], middle)
    expected = transfer(truth, middle)
    assert np.abs(found - expected).max() < 16


def test_at_most_so_many_are_proposed_and_no_two_are_alike():
    found = proposals(motion(5, 5), most=2)
    assert len(found) <= 2
    assert len({tuple(np.round(each, 2).ravel()) for each in found}) == len(found)


def test_points_are_in_pixels_of_the_image_that_was_reduced():
    image = view(PLANE, START)
    whole, half = find_keypoints(image), find_keypoints(image[::2, ::2], scale=2.0)
    (found, *_) = propose_similarities(half, whole, 640, 1)
    # Every second pixel, from the first on: half a pixel to the left of their middle.
    assert found == pytest.approx(np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]]), abs=0.5)


def test_images_without_keypoints_propose_nothing():
    blank, some = find_keypoints(np.full((240, 320), 90, np.uint8)), find_keypoints(PLANE)
    for pair in ((blank, some), (some, blank), (blank, blank)):
        assert propose_similarities(*pair, 640, 3) == []


@pytest.mark.parametrize("at_one_place", ["reference", "current", "both"])
def test_keypoints_of_one_place_say_nothing_of_another_view(at_one_place):
    spread, place = np.array([10 + 10j, 12 + 10j, 10 + 12j, 12 + 12j]), np.full(4, 10 + 10j)

    def keypoints(image):
        points = place if at_one_place in (image, "both") else spread
        return Keypoints(points, np.full(4, 8 + 0j), np.eye(4, dtype=np.float32))

    assert propose_similarities(keypoints("reference"), keypoints("current"), 640, 3) == []


def test_the_same_images_give_the_same_proposals():
    first, second = proposals(motion(0, 0, 100, 0.5)), proposals(motion(0, 0, 100, 0.5))
    assert len(first) == len(second) > 0
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
