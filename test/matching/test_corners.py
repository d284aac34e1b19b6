"""The points of each cell that are looked for."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scenes import motion, texture, view

from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.corners import CornerFinder
from coarse_loftr_ros.matching.densification import with_second_points
from coarse_loftr_ros.matching.homography import transfer
from coarse_loftr_ros.matching.matcher import Features, NetworkMatches
from coarse_loftr_ros.matching.viewpoint import FirstHomography


def cell_corners(image, stride):
    height, width = image.shape
    return CornerFinder(NetworkSize(width, height), stride).find(image)


PICTURE = view(texture(), np.eye(3), 160, 128)
CORNERS = cell_corners(PICTURE, 16)
CELLS = 10 * 8


def matches_of(truth, cells, confidence=None):
    reference = CORNERS.first[cells]
    sure = np.ones(len(cells), np.float32) if confidence is None else confidence
    return NetworkMatches(reference, transfer(truth, reference).astype(np.float32), sure, cells)


def test_a_corner_is_found_where_it_was_drawn():
    image = np.full((64, 64), 40, np.uint8)
    image[21:, 37:] = 220
    cell = (21 // 16) * 4 + 37 // 16
    np.testing.assert_allclose(cell_corners(image, 16).first[cell], (37, 21), atol=2)


def test_both_corners_lie_in_their_cell_apart_from_each_other():
    column, row = np.arange(CELLS) % 10, np.arange(CELLS) // 10
    assert CORNERS.has_second.all()
    for corner in (CORNERS.first, CORNERS.second):
        np.testing.assert_array_equal(corner // 16, np.stack([column, row], axis=1))
        assert (corner >= 4).all() and (corner <= (155, 123)).all()
    assert (np.abs(CORNERS.first - CORNERS.second).max(axis=1) >= 5).all()


def test_a_cell_whose_border_leaves_no_room_has_one_corner():
    image = np.full((16, 16), 40, np.uint8)
    image[7:, 7:] = 220
    corners = cell_corners(image, 16)
    np.testing.assert_allclose(corners.first[0], (8, 8), atol=0.5)
    assert not corners.has_second[0]


def test_several_threads_find_what_one_does():
    images = [view(texture(seed=seed), np.eye(3), 160, 128) for seed in range(4)] * 5
    finder = CornerFinder(NetworkSize(160, 128), 16)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(finder.find, images))
    for image, corners in zip(images, found, strict=True):
        expected = cell_corners(image, 16)
        np.testing.assert_array_equal(corners.first, expected.first)
        np.testing.assert_array_equal(corners.second, expected.second)


def test_corners_begun_beside_other_work_are_those_found_when_asked_for():
    finder = CornerFinder(NetworkSize(160, 128), 16)
    begun, asked = (Features(PICTURE, None, finder) for _ in range(2))
    with ThreadPoolExecutor(1) as pool:
        begun.begin_corners(pool)
    np.testing.assert_array_equal(begun.corners.first, asked.corners.first)
    assert begun.corners is begun.corners


def test_corners_are_found_when_asked_for_where_python_starts_no_thread_any_more():
    finder = CornerFinder(NetworkSize(160, 128), 16)
    features = Features(PICTURE, None, finder)
    pool = ThreadPoolExecutor(1)
    pool.shutdown()  # as all are when the main thread has ended
    features.begin_corners(pool)
    np.testing.assert_array_equal(features.corners.first, CORNERS.first)


@given(st.floats(-20, 20), st.floats(-20, 20), st.floats(-180, 180), st.floats(0.5, 2))
def test_second_points_go_where_a_homography_that_explains_the_first_sends_them(
    dx, dy, angle, zoom
):
    truth = motion(dx, dy, angle, zoom)
    cells = np.arange(0, CELLS, 3)
    first = FirstHomography(truth, len(cells), 1.0)
    both = with_second_points(matches_of(truth, cells), CORNERS, first, 1000)
    assert len(both) == 2 * len(cells)
    np.testing.assert_array_equal(both.point[len(cells) :], cells + CELLS)
    np.testing.assert_array_equal(both.reference[len(cells) :], CORNERS.second[cells])
    np.testing.assert_allclose(both.current, transfer(truth, both.reference), atol=1e-3)


def test_without_one_they_go_the_way_of_their_first():
    cells = np.arange(CELLS)
    matches = matches_of(motion(7, -3), cells)
    both = with_second_points(matches, CORNERS, FirstHomography(None, 0, 0.0), 1000)
    np.testing.assert_allclose(both.current - both.reference, [(7, -3)] * 2 * CELLS, atol=1e-4)


def test_the_limit_leaves_out_the_second_points_of_the_least_confident_cells():
    cells = np.arange(20)
    sure = np.linspace(0.3, 0.9, 20).astype(np.float32)
    matches = matches_of(np.eye(3), cells, sure)
    both = with_second_points(matches, CORNERS, FirstHomography(None, 0, 0.0), 25)
    np.testing.assert_array_equal(both.point, [*range(20), *(CELLS + np.arange(15, 20))])
    full = with_second_points(matches, CORNERS, FirstHomography(None, 0, 0.0), 20)
    np.testing.assert_array_equal(full.point, cells)
