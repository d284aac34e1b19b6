"""The normalised error of motions whose errors are drawn from their covariances."""

from dataclasses import replace

import numpy as np
import pytest

from coarse_loftr_lab.evaluation.consistency import normalised_error, summarise
from coarse_loftr_ros.cameras.pose import Pose, exp_rotation
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.odometry.estimate import OdometryEstimate, Scale

MOVED = Pose(exp_rotation(np.array([0.01, 0.05, -0.02])), np.array([0.3, 0.1, 1.5]))


def estimates(count=3000, scale=Scale.METRIC, unit=1.0):
    rng = np.random.default_rng(0)
    spread = rng.normal(size=(6, 6)) * 0.004
    covariance = spread @ spread.T
    drawn = rng.multivariate_normal(np.zeros(6), covariance, count)
    carry = np.diag([unit] * 3 + [1.0] * 3)
    for stamp, error in enumerate(drawn, start=1):
        rotation = exp_rotation(error[3:]) @ MOVED.rotation
        pose = Pose(rotation, unit * (MOVED.translation + error[:3]))
        covariance_in_unit = carry @ covariance @ carry
        yield OdometryEstimate(
            stamp, 0, pose, covariance_in_unit, pose, covariance_in_unit, Status.OK, "", scale,
            100, 100, 100, 0.0,
        )  # fmt: skip


@pytest.mark.parametrize(("scale", "unit"), [(Scale.METRIC, 1.0), (Scale.UNIT, 0.2)])
def test_right_covariances_give_the_number_of_unknowns(scale, unit):
    squares = [normalised_error(each, MOVED) for each in estimates(scale=scale, unit=unit)]
    assert np.mean(squares) == pytest.approx(6.0, rel=0.05)


def test_covariances_that_are_four_times_too_small_give_four_times_as_much():
    sure = [replace(e, relative_covariance=e.relative_covariance / 4) for e in estimates(1000)]
    assert np.mean([normalised_error(e, MOVED) for e in sure]) == pytest.approx(24.0, rel=0.1)


def test_lost_images_are_counted_apart():
    found = list(estimates(200))
    start = replace(found[0], stamp=0, pose=Pose.identity())
    lost = [replace(each, status=Status.LOST) for each in found[:50]]
    truth = {0: Pose.identity(), **{each.stamp: MOVED for each in found}}
    summary = summarise([([start, *lost, *found[50:]], truth)])
    assert (summary.images, summary.lost) == (150, 50)
    assert summary.low < summary.mean < summary.high
    assert summary.path == pytest.approx(summary.mean)
    with pytest.raises(ValueError, match="no motion was measured"):
        summarise([([start, *lost], truth)])
