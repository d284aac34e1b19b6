"""The latest stereo images adjusted together."""

import sys
from itertools import pairwise

import numpy as np
import pytest
from odometry_scenes import CAMERA, RIG, Scene, cloud, drive, rotation_error_deg

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.odometry.adjustment import Observations, adjust
from coarse_loftr_ros.odometry.camera_rays import project
from coarse_loftr_ros.odometry.landmark_motion import LandmarkCamera
from coarse_loftr_ros.odometry.settings import StereoSettings
from coarse_loftr_ros.odometry.stereo import StereoOdometry

WITHOUT_SCIPY = "the window needs SciPy: pip install 'coarse_loftr_ros[refinement]'"


@pytest.fixture
def scipy():
    return pytest.importorskip("scipy", reason=WITHOUT_SCIPY)


def run(world, window, keyframe=5, lost=()):
    odometry = StereoOdometry(RIG, StereoSettings(window=window))
    estimates = [odometry.update(None, world.stereo(0))]
    for k in range(1, len(world.poses)):
        reference = (k - 1) // keyframe * keyframe
        matches = world.temporal(reference, k)
        estimates.append(odometry.update(matches, world.stereo(k), lost=k in lost))
    return estimates


def long_tracks(count, seed=0, **faults):
    """Slow enough for a point to stay in sight for dozens of images."""
    poses = drive(count, step=0.2)
    points = cloud(poses, 10 * count, np.random.default_rng(seed))
    return Scene(poses, points, seed=seed, **faults)


def drift(estimates, poses, length=20):
    """Mean position error over parts of some images, metres."""
    errors = []
    for k in range(len(poses) - length):
        found = estimates[k].pose.inverse @ estimates[k + length].pose
        truth = poses[k].inverse @ poses[k + length]
        errors.append(np.linalg.norm(found.translation - truth.translation))
    return float(np.mean(errors))


def test_a_window_without_scipy_is_refused_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ValueError, match=r"window is 4; that needs SciPy.*\[refinement\]"):
        StereoSettings(window=4)
    assert StereoSettings().window == 0


@pytest.mark.parametrize("window", [-1, 1, 2, 11])
def test_a_length_out_of_range_is_refused(window):
    with pytest.raises(ValueError, match=f"window is {window}; it must be 3 to 10, or 0"):
        StereoSettings(window=window)


@pytest.mark.usefixtures("scipy")
def test_adjusted_poses_are_those_that_the_points_were_seen_from():
    rng = np.random.default_rng(1)
    truth = drive(4)
    points = cloud(truth[:1], 60, rng, far=20.0)
    local = np.stack([pose.inverse.apply(points) for pose in truth], axis=1).reshape(-1, 3)
    image, point = np.tile(np.arange(4), len(points)), np.repeat(np.arange(len(points)), 4)
    disparity = RIG.depth_factor / local[:, 2]
    pixels = project(local, CAMERA)
    chained = np.where(image >= 2, np.arange(len(image)) - 1, -1)
    seen = Observations(image, point, pixels, disparity, disparity[::4] * 1.02, chained)
    moved = [
        pose @ Pose.exp(rng.normal(0.0, [0.01] * 3 + [0.001] * 3)) if k else pose
        for k, pose in enumerate(truth)
    ]
    found = adjust(LandmarkCamera(CAMERA, RIG.depth_factor, 0.3, 0.4), moved, seen)
    for pose, expected in zip(found, truth, strict=True):
        np.testing.assert_allclose(pose.matrix, expected.matrix, atol=1e-3)
    np.testing.assert_array_equal(found[0].matrix, truth[0].matrix)


@pytest.mark.usefixtures("scipy")
@pytest.mark.parametrize("keyframe", [1, 4])
def test_without_noise_the_path_stays_exact(keyframe):
    world = long_tracks(16)
    for truth, estimate in zip(world.poses, run(world, 4, keyframe), strict=True):
        np.testing.assert_allclose(estimate.pose.matrix, truth.matrix, atol=2e-3)
        assert estimate.status == Status.OK


@pytest.mark.usefixtures("scipy")
def test_long_tracks_drift_less_with_a_window_among_a_quarter_of_wrong_matches():
    world = long_tracks(100, noise_px=0.3, outliers=0.25)
    alone, together = run(world, 0), run(world, 5)
    assert drift(together, world.poses) < 0.8 * drift(alone, world.poses)
    assert rotation_error_deg(together[-1].pose, world.poses[-1]) < 0.2


@pytest.mark.usefixtures("scipy")
def test_a_correction_enters_with_the_image_after_and_does_not_jump():
    world = long_tracks(30, noise_px=0.3)
    alone, together = run(world, 0, keyframe=1), run(world, 4, keyframe=1)
    # Of three images the first correction is made when the third has its answer.
    for k in range(3):
        np.testing.assert_array_equal(alone[k].pose.matrix, together[k].pose.matrix)
    corrected = [
        np.linalg.norm((a.pose.inverse @ b.pose).translation - b.relative.translation)
        for a, b in pairwise(together)
    ]
    assert 0.0 < max(corrected) < 0.02


@pytest.mark.usefixtures("scipy")
def test_after_lost_images_the_window_starts_over():
    world = long_tracks(30, noise_px=0.3)
    estimates = run(world, 4, keyframe=1, lost=(12, 13))
    assert [e.stamp for e in estimates if e.status == Status.LOST] == [
        estimates[12].stamp,
        estimates[13].stamp,
    ]
    found = estimates[14].pose.inverse @ estimates[-1].pose
    truth = world.truth(14, 29)
    assert np.linalg.norm(found.translation - truth.translation) < 0.03
