import cv2
import numpy as np
import pytest

from coarse_loftr_lab.evaluation.estimators import estimate_homography, estimate_pose
from coarse_loftr_lab.evaluation.metrics import mean_corner_error
from coarse_loftr_ros.features.pair_matcher import PointMatches

HOMOGRAPHY = np.array([[1.05, 0.04, 12.3], [-0.03, 0.97, -8.1], [4e-5, -3e-5, 1.0]])
CAMERA = np.array([[500.0, 0, 319.5], [0, 510.0, 239.5], [0, 0, 1]])
OTHER = np.array([[800.0, 0, 400.0], [0, 790.0, 310.0], [0, 0, 1]])


def matches_of(reference, current):
    confidence = np.ones(len(reference), np.float32)
    return PointMatches(reference.astype(np.float32), current.astype(np.float32), confidence)


def plane_matches(count=300, wrong=90):
    random = np.random.default_rng(0)
    reference = random.uniform([0, 0], [640, 480], (count, 2))
    current = cv2.perspectiveTransform(reference[:, None], HOMOGRAPHY)[:, 0]
    current += random.normal(0, 0.3, current.shape)
    current[:wrong] = random.uniform([0, 0], [640, 480], (wrong, 2))
    return matches_of(reference, current)


def scene_matches(rotation, translation, count=400, wrong=120, current=CAMERA):
    random = np.random.default_rng(0)
    points = random.uniform([-4, -3, 4], [4, 3, 20], (count, 3))
    views = []
    for R, t, camera in ((np.eye(3), np.zeros(3), CAMERA), (rotation, translation, current)):
        seen = (points @ R.T + t) @ camera.T
        views.append(seen[:, :2] / seen[:, 2:] + random.normal(0, 0.2, (count, 2)))
    views[1][:wrong] = random.uniform([0, 0], [640, 480], (wrong, 2))
    return matches_of(*views)


def test_the_homography_survives_three_wrong_matches_in_ten():
    estimate = estimate_homography(plane_matches())
    assert estimate.success
    assert mean_corner_error(estimate.matrix, HOMOGRAPHY, 640, 480) < 0.3
    assert estimate.matrix[2, 2] == 1
    assert estimate.inlier[90:].mean() > 0.95
    assert estimate.inlier[:90].mean() < 0.05


@pytest.mark.parametrize("current", [CAMERA, OTHER], ids=["one camera", "two cameras"])
@pytest.mark.parametrize("translation", [[0.1, 0.05, 1.0], [1.0, 0, 0], [-0.3, 0.2, -0.8]])
def test_the_pose_survives_three_wrong_matches_in_ten(translation, current):
    rotation = cv2.Rodrigues(np.radians([2.0, -5.0, 1.0]))[0]
    matches = scene_matches(rotation, np.array(translation), current=current)
    estimate = estimate_pose(matches, CAMERA, current)
    assert estimate.success
    rotation_deg, direction_deg = estimate.errors(rotation, np.array(translation))
    assert rotation_deg < 0.5 and direction_deg < 1.0
    # Points before the camera settle the sign, which the direction error does not look at.
    assert estimate.translation @ np.array(translation) > 0
    assert np.linalg.norm(estimate.translation) == pytest.approx(1)
    assert estimate.inlier.shape == (400,)


def test_the_same_matches_give_the_same_estimates_to_the_bit():
    plane, scene = plane_matches(), scene_matches(np.eye(3), np.array([0.2, 0, 1.0]))
    first, second = estimate_homography(plane), estimate_homography(plane)
    assert np.array_equal(first.matrix, second.matrix)
    assert np.array_equal(first.inlier, second.inlier)
    poses = estimate_pose(scene, CAMERA, OTHER), estimate_pose(scene, CAMERA, OTHER)
    assert np.array_equal(poses[0].rotation, poses[1].rotation)
    assert np.array_equal(poses[0].translation, poses[1].translation)


def test_too_few_matches_are_a_failure_and_not_an_exception():
    for count in (0, 1, 3):
        points = np.random.default_rng(0).uniform(0, 400, (count, 2))
        estimate = estimate_homography(matches_of(points, points))
        assert not estimate.success
        assert np.array_equal(estimate.matrix, np.eye(3))
        assert estimate.inlier.shape == (count,)
    four = np.random.default_rng(0).uniform(0, 400, (4, 2))
    pose = estimate_pose(matches_of(four, four + 1), CAMERA, CAMERA)
    assert not pose.success
    assert pose.errors(np.eye(3), np.array([1.0, 0, 0])) == (np.inf, np.inf)


def test_matches_on_one_spot_are_a_failure_or_no_homography_of_use():
    spot = np.full((20, 2), 100.0)
    assert not estimate_homography(matches_of(spot, spot)).success


def test_the_threshold_counts_pixels_whatever_the_focal_lengths():
    """Doubling both images doubles all distances: half the noise at the threshold stays inside."""
    scene = scene_matches(np.eye(3), np.array([1.0, 0, 0.2]), wrong=0)
    double = np.diag([2.0, 2.0, 1.0])
    larger = matches_of(scene.reference_points * 2, scene.current_points * 2)
    small = estimate_pose(scene, CAMERA, CAMERA, threshold_px=0.3)
    same = estimate_pose(larger, double @ CAMERA, double @ CAMERA, threshold_px=0.6)
    fewer = estimate_pose(larger, double @ CAMERA, double @ CAMERA, threshold_px=0.3)
    assert abs(int(small.inlier.sum()) - int(same.inlier.sum())) <= 8
    assert fewer.inlier.sum() < 0.8 * same.inlier.sum()
