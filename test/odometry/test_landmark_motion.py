"""What a motion by points of known distance says of its own error."""

from __future__ import annotations

import numpy as np
from odometry_scenes import CAMERA

from coarse_loftr_ros.cameras.pose import Pose, exp_rotation, log_rotation
from coarse_loftr_ros.odometry.camera_rays import project, rays_of
from coarse_loftr_ros.odometry.landmark_motion import (
    LandmarkCamera,
    Landmarks,
    MotionFit,
    refine_motion,
)
from coarse_loftr_ros.odometry.two_views import triangulate


def test_a_motion_by_distances_of_the_motion_before_is_no_surer_than_that_one():
    """Monte Carlo: distances are triangulated by a motion with an error, which the next repeats."""
    rng = np.random.default_rng(8)
    count, trials, step = 150, 60, np.array([0.05, 0.02, -0.4])
    points = rng.uniform((-4, -3, 5), (4, 3, 14), (count, 3))
    before, true = project(points, CAMERA), Pose(np.eye(3), step)
    root = np.diag([0.01, 0.01, 0.0, 0.002, 0.002, 0.002])
    camera = LandmarkCamera(CAMERA, 0.0, 0.3, 1.0)
    found = {True: [], False: []}
    for _ in range(trials):
        error = root @ rng.standard_normal(6)
        wrong = Pose(exp_rotation(error[3:]), step + error[:3])
        after = project(true.apply(points), CAMERA)
        inverse, _ = triangulate(before, after, CAMERA, wrong.rotation, wrong.translation)
        near = inverse > 0.02
        depths = rays_of(before[near], CAMERA) / inverse[near, None]
        # The next motion is as long, and the points before it are about the same.
        pixels = after[near] + rng.normal(0, 0.3, (np.count_nonzero(near), 2))
        landmarks = Landmarks(
            depths, np.full(len(depths), 0.02), pixels, np.full(len(depths), np.nan)
        )
        for known, errors in found.items():
            inherited = root @ root.T / (step @ step) if known else None
            fit = refine_motion(camera, landmarks, true, 1.5, inherited)
            errors.append(nees(fit, true))
    assert np.mean(found[True]) < 9.0
    assert np.mean(found[False]) > 15.0


def nees(fit: MotionFit, true: Pose) -> float:
    turn = log_rotation(fit.into_current.rotation @ true.rotation.T)
    error = np.concatenate([fit.into_current.translation - true.translation, turn])
    return float(error @ np.linalg.solve(fit.covariance, error))


def test_where_the_image_is_stretched_neighbouring_matches_err_more_alike():
    rng = np.random.default_rng(9)
    points = rng.uniform((-4, -3, 6), (4, 3, 14), (400, 3))
    camera = LandmarkCamera(CAMERA, 0.0, 0.1, 1.0)
    deviations = []
    for ahead in (0.0, 3.0):
        true = Pose(np.eye(3), np.array([0.3, 0.0, -ahead]))
        pixels = project(true.apply(points), CAMERA) + rng.normal(0, 0.02, (400, 2))
        landmarks = Landmarks(points, np.full(400, 1e-4), pixels, np.full(400, np.nan))
        fit = refine_motion(camera, landmarks, true, 1.5)
        deviations.append(np.sqrt(np.diag(fit.covariance)))
    assert (deviations[1] > 3.0 * deviations[0]).all()
