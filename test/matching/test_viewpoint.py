"""Other viewpoints of an image: where their pixels come from, and when they are needed."""

import cv2
import numpy as np
import pytest
from scenes import motion, texture, view

from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.homography import transfer
from coarse_loftr_ros.matching.matcher import NetworkMatches
from coarse_loftr_ros.matching.viewpoint import (
    fit_first_homography,
    overlap_window,
    render_view,
    view_change,
    zoom,
)

SIZE = NetworkSize(512, 384)


def matches(reference, current):
    count = len(reference)
    return NetworkMatches(
        np.float32(reference), np.float32(current), np.ones(count, np.float32), np.arange(count)
    )


@pytest.mark.parametrize("times", [0.4, 1.0, 2.5])
@pytest.mark.parametrize("turn", [0, 77, 180])
def test_a_zoom_is_told_whatever_turns_and_shifts(times, turn):
    moved = motion(13, -40, turn, times)
    assert zoom(moved, SIZE) == pytest.approx(times)
    assert zoom(-3 * moved, SIZE) == pytest.approx(times)


@pytest.mark.parametrize(
    "homography", [motion(0, 0, 30, 4.0), motion(400, -250), motion(0, 0, 0, 9)]
)
def test_a_window_shows_what_both_views_show(homography):
    window = overlap_window(homography, SIZE, SIZE, SIZE)
    rng = np.random.default_rng(0)
    points = rng.uniform((0, 0), (SIZE.width - 1, SIZE.height - 1), (2000, 2))
    moved = transfer(homography, points)
    both = ((moved >= 0) & (moved <= (SIZE.width - 1, SIZE.height - 1))).all(axis=1)
    inside = transfer(np.linalg.inv(window), points[both])
    assert (inside > -1).all() and (inside < (SIZE.width, SIZE.height)).all()
    assert zoom(window, SIZE) <= 0.5
    assert abs(np.arctan2(window[1, 0], window[0, 0])) <= np.pi / 4


def test_there_is_no_window_where_the_whole_view_does_as_well():
    for homography in (np.eye(3), motion(100, 0, 20, 1.3), motion(0, 0, 90, 0.3)):
        assert overlap_window(homography, SIZE, SIZE, SIZE) is None
    assert overlap_window(motion(9000, 0), SIZE, SIZE, SIZE) is None  # nothing in common
    assert overlap_window(motion(tilt=8e-3), SIZE, SIZE, SIZE) is None


def test_a_quarter_turn_shows_the_turned_image():
    square = NetworkSize(384, 384)
    image = texture(384, 384)
    turn = np.array([[0, -1, 383], [1, 0, 0], [0, 0, 1.0]])
    assert np.array_equal(render_view(image, turn, square), np.rot90(image))


def test_a_view_without_motion_is_the_image():
    image = texture(512, 384)
    np.testing.assert_array_equal(render_view(image, np.eye(3), SIZE), image)


def test_a_reduced_view_does_not_alias():
    """Stripes of one pixel become grey, not stripes of another width."""
    stripes = np.tile(np.array([0, 255], np.uint8), (768, 512))
    half = np.diag([2.0, 2.0, 1.0])
    assert render_view(stripes, half, SIZE)[10:-10, 10:-10].std() < 5


def test_a_reduced_view_keeps_its_pixels_in_place():
    plane = texture(1024, 768)
    half = np.array([[2.0, 0, 0.5], [0, 2.0, 0.5], [0, 0, 1]])
    expected = cv2.resize(plane, (512, 384), interpolation=cv2.INTER_AREA)
    shift, _ = cv2.phaseCorrelate(np.float64(render_view(plane, half, SIZE)), np.float64(expected))
    assert np.hypot(*shift) < 0.1


@pytest.mark.parametrize(
    ("turn", "zoom", "change"),
    [(0, 1, 0), (10, 1, 0.174), (-10, 1, 0.174), (180, 1, 2), (0, 1.3, 0.3), (0, 0.5, 0.5)],
)
def test_the_change_of_view_counts_rotation_and_zoom_but_no_shift(turn, zoom, change):
    assert view_change(motion(40, -25, turn, zoom), SIZE) == pytest.approx(change, abs=1e-3)


def test_the_change_of_view_counts_slant_and_is_infinite_behind_the_camera():
    assert view_change(motion(tilt=3e-4), SIZE) > 0.05
    assert view_change(motion(tilt=8e-3), SIZE) == float("inf")


def test_the_first_homography_needs_agreement():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 380, (200, 2))
    truth = motion(15, 5, 10, 1.1)
    moved = transfer(truth, points)
    moved[:80] = rng.uniform(0, 380, (80, 2))
    first = fit_first_homography(matches(points, moved))
    assert first.inliers >= 115 and first.explains()
    assert np.abs(transfer(first.matrix, points) - transfer(truth, points)).max() < 0.5
    unrelated = fit_first_homography(matches(points, rng.uniform(0, 380, (200, 2))))
    assert unrelated.inliers < 22 and not unrelated.explains()
    assert fit_first_homography(matches(points[:5], points[:5])).matrix is None


def test_what_the_matches_show_is_in_front_of_the_camera_of_the_first_homography():
    """Where the image's origin is not, the estimator scales the matrix the other way round."""
    truth = motion(tilt=4e-3)
    points = np.random.default_rng(0).uniform((300, 50), (600, 400), (80, 2))
    first = fit_first_homography(matches(points, transfer(truth, points)))
    assert first.inliers == 80
    assert np.abs(transfer(first.matrix, points) - transfer(truth, points)).max() < 0.5


def test_views_of_a_plane_can_be_rendered_from_each_other():
    plane = texture()
    homography = motion(20, -10, 60, 1.2)
    reference, current = view(plane, np.eye(3)), view(plane, homography)
    back = render_view(current, homography, NetworkSize(640, 480))
    inner = np.s_[150:330, 200:440]
    assert np.abs(back[inner].astype(float) - reference[inner]).mean() < 8
