"""Places far apart in rendered streets: the truth is that of the images, the same every time."""

import cv2
import numpy as np
import pytest

from coarse_loftr_lab.evaluation.data.wide_baselines import WideBaselines
from coarse_loftr_lab.evaluation.estimators import estimate_pose
from coarse_loftr_lab.evaluation.pose_accuracy import evaluate_pose
from coarse_loftr_ros.features.sift import Sift


@pytest.fixture(scope="module")
def pair():
    return next(iter(WideBaselines(1)))


def test_keypoints_that_both_images_show_move_as_the_truth_says(pair):
    sift = Sift()
    matches = sift.match(sift.describe(pair.reference), sift.describe(pair.current))
    rays = [
        cv2.undistortPoints(points.reshape(-1, 1, 2), camera, None)[:, 0]
        for points, camera in (
            (matches.reference_points, pair.reference_camera),
            (matches.current_points, pair.current_camera),
        )
    ]
    first, second = (np.column_stack([each, np.ones(len(each))]) for each in rays)
    x, y, z = pair.translation / np.linalg.norm(pair.translation)
    essential = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ pair.rotation
    lines = first @ essential.T
    off = np.abs((second * lines).sum(axis=1)) / np.linalg.norm(lines[:, :2], axis=1)
    estimate = estimate_pose(matches, pair.reference_camera, pair.current_camera)
    assert estimate.inlier.sum() > 15
    assert np.median(off[estimate.inlier]) * pair.reference_camera[0, 0] < 1.0


def test_the_same_seed_gives_the_same_pair_and_another_one_another(pair):
    again, other = (next(iter(WideBaselines(1, seed))) for seed in (0, 1))
    assert np.array_equal(pair.current, again.current)
    assert not np.array_equal(pair.current, other.current)


def test_methods_are_measured_as_on_photographs():
    (summary,) = evaluate_pose([Sift()], WideBaselines(1)).summaries
    assert (summary.method, summary.pairs) == ("SIFT 2048", 1)


def test_no_pair_is_refused():
    with pytest.raises(ValueError, match="count is 0; it must be at least 1"):
        WideBaselines(0)
