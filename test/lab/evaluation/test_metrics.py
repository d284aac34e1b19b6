import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarse_loftr_lab.evaluation.metrics import (
    area_under_curve,
    bootstrap_interval,
    matching_accuracy,
    mean_corner_error,
    transfer_error,
    wilson_interval,
)
from coarse_loftr_ros.cameras.angles import rotation_error, translation_direction_error

small = st.floats(-0.2, 0.2)
homographies = st.builds(
    lambda a, b, c, d, x, y, g, h: np.array(
        [[1 + a, b, 100 * x], [c, 1 + d, 100 * y], [g * 1e-3, h * 1e-3, 1.0]]
    ),
    *[small] * 8,
)
error_lists = st.lists(st.floats(0, 50) | st.just(math.inf), min_size=1, max_size=30)
thresholds = st.floats(0.1, 20)
axes = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda axis: np.linalg.norm(axis) > 0.1)


def rotation(axis, degrees):
    axis = np.array(axis) / np.linalg.norm(axis)
    return cv2.Rodrigues(axis * np.radians(degrees))[0]


def test_a_shift_of_3_and_4_pixels_is_a_corner_error_of_5():
    shifted = np.array([[1, 0, 3], [0, 1, 4], [0, 0, 1.0]])
    assert mean_corner_error(shifted, np.eye(3), 640, 480) == pytest.approx(5)


def test_corners_are_pixel_centres():
    # Twice as large about the first pixel's centre: corners move by their own coordinates.
    doubled = np.diag([2.0, 2.0, 1.0])
    expected = (0 + 3 + 4 + 5) / 4
    assert mean_corner_error(doubled, np.eye(3), width=4, height=5) == pytest.approx(expected)


def test_a_corner_sent_behind_the_camera_is_an_infinite_error():
    horizon_inside = np.array([[1, 0, 0], [0, 1, 0], [-1 / 100, 0, 1.0]])
    assert mean_corner_error(horizon_inside, np.eye(3), 640, 480) == math.inf


@given(homographies, homographies, st.floats(0.01, 100), st.booleans())
def test_the_corner_error_is_symmetric_and_ignores_the_scale_of_the_matrices(a, b, scale, negative):
    error = mean_corner_error(a, b, 640, 480)
    assert mean_corner_error(b, a, 640, 480) == pytest.approx(error)
    factor = -scale if negative else scale
    assert mean_corner_error(factor * a, b, 640, 480) == pytest.approx(error)
    assert mean_corner_error(a, a, 640, 480) == 0


@given(homographies, homographies, st.integers(2, 5))
def test_the_corner_error_grows_with_the_size_of_the_pixels(a, b, factor):
    bigger = np.diag([factor, factor, 1.0])
    smaller = np.linalg.inv(bigger)
    error = mean_corner_error(a, b, 64, 48)
    scaled = mean_corner_error(
        bigger @ a @ smaller, bigger @ b @ smaller, 63 * factor + 1, 47 * factor + 1
    )
    assert scaled == pytest.approx(factor * error)


def test_area_under_the_recall_curve_of_one_error():
    # Recall climbs linearly from 0 at 0 to 1 at the error, then stays.
    assert area_under_curve([1.0], 4.0) == pytest.approx(1 - 1 / 8)


def test_area_under_the_recall_curve_of_four_errors():
    # Trapezoids up to 1 and 2, then level at a half up to 4; the last two errors lie beyond.
    expected = (0.125 * 1 + 0.375 * 1 + 0.5 * 2) / 4
    assert area_under_curve([2.0, math.inf, 1.0, 4.5], 4.0) == pytest.approx(expected)


def test_perfect_estimates_fill_the_area_and_failures_leave_it_empty():
    assert area_under_curve([0.0, 0.0], 3.0) == 1
    assert area_under_curve([math.inf, 3.0], 3.0) == 0
    assert math.isnan(area_under_curve([], 3.0))


@given(error_lists, thresholds, thresholds)
def test_a_wider_threshold_never_lowers_the_area(errors, first, second):
    low, high = sorted([first, second])
    assert area_under_curve(errors, low) <= area_under_curve(errors, high) + 1e-9


@given(error_lists, thresholds, st.data())
def test_a_smaller_error_never_lowers_the_area(errors, threshold, data):
    index = data.draw(st.integers(0, len(errors) - 1))
    better = list(errors)
    better[index] = data.draw(st.floats(0, min(errors[index], 60)))
    area = area_under_curve(errors, threshold)
    assert area_under_curve(better, threshold) >= area - 1e-9
    assert 0 <= area <= 1
    assert area_under_curve(errors[::-1], threshold) == pytest.approx(area)


@pytest.mark.parametrize("threshold", [0, -1, math.nan])
def test_a_threshold_that_is_not_positive_is_refused(threshold):
    with pytest.raises(ValueError, match="threshold"):
        area_under_curve([1.0], threshold)


@pytest.mark.parametrize("error", [-0.1, math.nan])
def test_errors_that_are_no_errors_are_refused(error):
    with pytest.raises(ValueError, match="errors"):
        area_under_curve([1.0, error], 3)


@given(axes, axes, st.floats(0, 180), st.floats(0, 360))
def test_the_rotation_error_is_the_angle_between(axis, base_axis, degrees, base_degrees):
    base = rotation(base_axis, base_degrees)
    error = rotation_error(base, base @ rotation(axis, degrees))
    assert error == pytest.approx(degrees, abs=1e-6)


def test_tiny_rotation_errors_keep_their_digits():
    assert rotation_error(np.eye(3), rotation([1, 2, 3], 1e-7)) == pytest.approx(1e-7, rel=1e-6)


@pytest.mark.parametrize(
    ("estimate", "truth", "degrees"),
    [
        ([0, 0, 1], [0, 0, 9], 0),
        ([0, 0, -1], [0, 0, 9], 0),
        ([1, 0, 1], [0, 0, 1], 45),
        ([1, 0, -1], [0, 0, 1], 45),
        ([2, 0, 0], [0, 1, 0], 90),
    ],
)
def test_the_direction_error_knows_neither_length_nor_sign(estimate, truth, degrees):
    assert translation_direction_error(estimate, truth) == pytest.approx(degrees)


def test_a_translation_without_direction_is_refused():
    with pytest.raises(ValueError, match="true translation"):
        translation_direction_error([1, 0, 0], [0, 0, 0])


def test_the_bootstrap_interval_holds_the_statistic_and_narrows_with_more_values():
    random = np.random.default_rng(1)
    few, many = random.normal(5, 1, 20), random.normal(5, 1, 2000)
    low, high = bootstrap_interval(few, np.mean)
    assert low < few.mean() < high
    # The textbook interval of a mean: 1.96 standard errors either way.
    assert high - low == pytest.approx(2 * 1.96 * few.std() / math.sqrt(20), rel=0.15)
    narrow_low, narrow_high = bootstrap_interval(many, np.mean)
    assert narrow_high - narrow_low < (high - low) / 5
    assert bootstrap_interval(few, np.mean) == (low, high)


def test_failures_reach_the_interval_as_infinity_and_not_as_nan():
    low, high = bootstrap_interval([1.0, 2.0, math.inf], lambda sample: float(np.median(sample)))
    assert low == 1.0
    assert high == math.inf


def test_the_transfer_error_is_the_distance_from_where_the_truth_goes():
    truth = np.array([[2.0, 0, 1], [0, 2.0, 0], [0.5, 0, 1]])
    reference = np.array([[0, 0], [2, 2], [-4, 0]], np.float32)
    current = np.array([[1, 0], [2.5, 5], [0, 0]], np.float32)
    # The second goes to (5, 4) / 2; the third is behind the camera.
    assert transfer_error(reference, current, truth).tolist() == [0, 3, np.inf]
    assert matching_accuracy(reference, current, truth, (1, 3)) == pytest.approx((1 / 3, 2 / 3))
    nothing = np.zeros((0, 2), np.float32)
    assert matching_accuracy(nothing, nothing, truth, (1, 3)) == (0, 0)


@pytest.mark.parametrize(
    ("successes", "trials", "interval"),
    [(5, 10, (0.237, 0.763)), (0, 10, (0.0, 0.278)), (10, 10, (0.722, 1.0)), (0, 0, (0, 1))],
)
def test_the_interval_of_a_share_is_wilsons(successes, trials, interval):
    assert wilson_interval(successes, trials) == pytest.approx(interval, abs=1e-3)
