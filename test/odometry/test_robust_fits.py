"""The parts that all odometries stand on: least squares, linked points, lengths, the status."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarse_loftr_ros.odometry.camera_rays import cross, tangent_basis
from coarse_loftr_ros.odometry.depths import Depths, compare
from coarse_loftr_ros.odometry.least_squares import Residuals, fit_robustly
from coarse_loftr_ros.odometry.linking import nearest_points
from coarse_loftr_ros.odometry.observations import StereoMatches, TemporalMatches
from coarse_loftr_ros.odometry.scale import LogLength, fuse, weighted_median
from coarse_loftr_ros.odometry.settings import StereoSettings


def line(x, y):
    """Residuals of a line y = a x + b."""
    jacobian = np.stack([x, np.ones_like(x)], axis=1)[:, None]
    return lambda state: Residuals((jacobian[:, 0] @ state - y)[:, None], jacobian)


def plus(state, delta):
    return state + delta


@given(st.integers(0, 2**32 - 1))
def test_a_third_of_wrong_measurements_does_not_move_a_line(seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, 300)
    y = 2.0 * x + 1.0 + rng.normal(0, 0.1, 300)
    y[:100] += rng.uniform(5, 50, 100)
    fit = fit_robustly(np.array([1.5, 0.8]), line(x, y), plus, iterations=20)
    np.testing.assert_allclose(fit.state, [2.0, 1.0], atol=0.1)


def test_the_covariance_of_a_line_is_that_of_its_errors():
    rng = np.random.default_rng(0)
    squares = []
    for _ in range(300):
        x = rng.uniform(-1, 1, 80)
        y = 2.0 * x + 1.0 + rng.normal(0, 0.1, 80) * rng.choice([1.0, 1.5], 80)
        fit = fit_robustly(np.array([1.8, 0.9]), line(x, y), plus)
        error = fit.state - [2.0, 1.0]
        squares.append(error @ np.linalg.solve(fit.covariance, error))
    assert np.mean(squares) == pytest.approx(2.0, abs=0.5)


def test_a_direction_that_nothing_measures_gives_no_fit():
    x = np.full(50, 0.5)  # slope and offset cannot be separated
    y = np.linspace(0, 1, 50)
    assert fit_robustly(np.zeros(2), line(x, y), plus) is None


def test_errors_that_neighbours_share_count_as_what_they_are():
    """Measurements in groups of 20, each of which has one error."""
    rng = np.random.default_rng(3)
    squares, naive = [], []
    for _ in range(200):
        places = np.repeat(rng.uniform(0, 600, (60, 2)), 20, axis=0) + rng.uniform(0, 4, (1200, 2))
        x = places[:, 0] / 600
        shared = np.repeat(rng.normal(0, 0.1, 60), 20)
        y = 2.0 + 0.5 * x + shared + rng.normal(0, 0.05, len(x))
        for found, known in ((squares, places), (naive, None)):
            fit = fit_robustly(np.array([1.8, 0.6]), line(x, y), plus, places=known)
            error = fit.state - np.array([0.5, 2.0])
            found.append(error @ np.linalg.solve(fit.covariance, error))
    assert 1.5 < np.mean(squares) < 3.5
    assert np.mean(naive) > 10.0


def test_an_error_that_all_share_is_added_to_what_residuals_show():
    x = np.linspace(0, 1, 400)
    places = np.column_stack([600 * x, np.zeros(400)])
    y = 2.0 + 0.5 * x + np.random.default_rng(0).normal(0, 1e-3, 400)
    start = np.array([0.5, 2.0])
    without = fit_robustly(start, line(x, y), plus, places=places)
    fit = fit_robustly(start, line(x, y), plus, places=places, shared=0.01)
    assert np.sqrt(fit.covariance[1, 1]) > 3.0 * np.sqrt(without.covariance[1, 1])


def test_a_prior_holds_what_nothing_measures():
    x = np.full(50, 0.5)
    rng = np.random.default_rng(1)
    measured = line(x, 1.0 + rng.normal(0, 0.1, 50))

    def with_prior(state):
        data = measured(state)
        information = np.diag([1e4, 0.0])  # the slope is 0.2, give or take 0.01
        return Residuals(data.value, data.jacobian, information, information @ (state - [0.2, 0.0]))

    fit = fit_robustly(np.zeros(2), with_prior, plus)
    np.testing.assert_allclose(fit.state, [0.2, 0.9], atol=0.05)
    assert np.sqrt(fit.covariance[0, 0]) == pytest.approx(0.01, rel=0.1)


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 5.0))
def test_the_nearest_point_is_found_wherever_it_lies(seed, radius):
    rng = np.random.default_rng(seed)
    # Points on a jittered grid, far enough apart that no two share a square.
    grid = np.stack(np.meshgrid(np.arange(8), np.arange(6)), axis=-1).reshape(-1, 2)
    points = (grid * 3.0 + rng.uniform(-0.4, 0.4, grid.shape)) * radius
    query = rng.uniform(-5, 30, (100, 2)) * radius
    distance = np.linalg.norm(query[:, None] - points, axis=2)
    expected = np.where(distance.min(axis=1) <= radius, distance.argmin(axis=1), -1)
    np.testing.assert_array_equal(nearest_points(query, points, radius), expected)


def test_nothing_is_near_nothing():
    none = np.empty((0, 2))
    assert nearest_points(none, np.ones((3, 2)), 1.0).shape == (0,)
    np.testing.assert_array_equal(nearest_points(np.ones((3, 2)), none, 1.0), [-1, -1, -1])


directions = st.tuples(*3 * [st.floats(-1, 1)]).filter(lambda v: np.linalg.norm(v) > 0.1)


@given(directions)
def test_a_tangent_basis_is_square_to_its_direction(direction):
    direction = np.array(direction) / np.linalg.norm(direction)
    frame = np.column_stack([tangent_basis(direction), direction])
    np.testing.assert_allclose(frame.T @ frame, np.eye(3), atol=1e-12)
    assert np.linalg.det(frame) > 0


def test_cross_is_the_cross_product_with_broadcasting():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 1, 3)), rng.normal(size=(5, 2, 3))
    np.testing.assert_allclose(cross(a, b), np.cross(a, b))


def test_lengths_are_fused_by_their_variances():
    assert fuse(None, None) is None
    carried, measured = LogLength.of(2.0, 0.1), LogLength.of(4.0, 0.1)
    assert fuse(carried, None) == carried
    assert fuse(None, measured) == measured
    both = fuse(carried, measured)
    assert both.length == pytest.approx(np.sqrt(8.0))
    assert both.variance == pytest.approx(0.005)
    assert fuse(LogLength.of(2.0), measured).length == pytest.approx(2.0)


def test_the_weighted_median_follows_the_sure_values():
    values = np.array([1.0, 1.0, 1.0, 9.0, 9.0, 9.0, 9.0])
    sure = np.array([1e-4, 1e-4, 1e-4, 1.0, 1.0, 1.0, 1.0])
    assert weighted_median(values, sure)[0] == 1.0
    assert weighted_median(values, np.ones(7))[0] == 9.0


def test_a_length_by_known_depths_has_no_bias_at_small_parallax():
    rng = np.random.default_rng(0)
    count = 400
    depth = rng.uniform(5, 20, count)
    pixels = rng.uniform(0, 500, (count, 2))
    known = Depths(pixels, 1 / depth, 0.02 / depth)
    found = []
    for _ in range(50):
        # Inverse depths by a motion of length 0.1 whose parallax is as small as its noise.
        noisy = 0.1 / depth + rng.normal(0, 0.01, count)
        new = Depths(pixels, noisy, np.full(count, 0.01))
        found.append(compare(known, new).length)
    assert np.mean(found) == pytest.approx(0.1, rel=0.02)


def test_merged_depths_do_not_shrink_the_world():
    rng = np.random.default_rng(0)
    count = 2000
    pixels, sigma = np.zeros((count, 2)), np.full(count, 0.04)
    depths = Depths(pixels, 0.1 + rng.normal(0, 0.04, count), sigma)
    for _ in range(30):
        depths = depths.merged(Depths(pixels, 0.1 + rng.normal(0, 0.04, count), sigma))
    assert np.median(1 / depths.inverse) == pytest.approx(10.0, rel=0.02)


@pytest.mark.parametrize(
    ("name", "value"),
    [("threshold_px", 0.0), ("min_inliers", 3), ("coast_s", -1.0), ("lost_speed", np.nan)],
)
def test_settings_that_cannot_be_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        StereoSettings(**{name: value})


def matches(**changed):
    fields = {
        "reference_points": np.zeros((3, 2), np.float32),
        "current_points": np.zeros((3, 2), np.float32),
        "confidence": np.ones(3, np.float32),
        "track_id": np.arange(3, dtype=np.uint32),
    }
    return TemporalMatches(0, 1, **{**fields, **changed}, width=640, height=480)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"current_points": np.zeros((2, 2), np.float32)}, r"current_points has shape \(2, 2\)"),
        ({"reference_points": np.full((3, 2), np.nan, np.float32)}, "not finite"),
        ({"confidence": np.ones(4, np.float32)}, r"confidence has shape \(4,\)"),
    ],
)
def test_matches_that_do_not_fit_each_other_are_refused(changed, sentence):
    with pytest.raises(ValueError, match=sentence):
        matches(**changed)
    assert len(matches()) == 3


def test_stereo_matches_are_checked_likewise():
    points = np.zeros((3, 2), np.float32)
    with pytest.raises(ValueError, match="right_points has shape"):
        StereoMatches(0, points, points[:2], np.ones(3), np.arange(3))
