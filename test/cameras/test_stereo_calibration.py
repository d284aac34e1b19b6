"""Whether two cameras are calibrated as a stereo pair."""

import re
from dataclasses import replace

import numpy as np
import pytest
from example_calibration import PLAIN, PROJECTION

from coarse_loftr_ros.cameras.calibration import baseline_of, rows_correspond, why_no_pair
from coarse_loftr_ros.cameras.camera_info import intrinsics_of
from coarse_loftr_ros.odometry.observations import StereoRig
from coarse_loftr_ros.recordings.cameras import cameras_of_calibrations


def test_rows_correspond_when_both_projections_say_so():
    right = replace(PLAIN, projection=(*PROJECTION[:3], -28.0, *PROJECTION[4:]))
    assert right.baseline == pytest.approx(0.1)
    assert rows_correspond(PLAIN, right)
    assert not rows_correspond(right, PLAIN)
    assert not rows_correspond(PLAIN, PLAIN)
    lower = (*right.projection[:6], 121.0, *right.projection[7:])
    assert not rows_correspond(PLAIN, replace(right, projection=lower))
    assert not rows_correspond(replace(PLAIN, projection=(0.0,) * 12), right)


@pytest.mark.parametrize("name", ["fx", "fy", "cy"])
def test_one_check_of_rows_serves_matcher_and_odometry(name):
    place = {"fx": 0, "fy": 5, "cy": 6}[name]
    for apart, allowed in ((0.0005, True), (0.09, True), (0.11, False), (2.0, False)):
        projection = [*PROJECTION[:3], -28.0, *PROJECTION[4:]]
        projection[place] += apart
        right = replace(PLAIN, projection=tuple(projection))
        cameras = [intrinsics_of(each, PLAIN.width, PLAIN.height) for each in (PLAIN, right)]
        assert rows_correspond(PLAIN, right) is allowed
        if allowed:
            StereoRig(*cameras, 0.1)
            continue
        assert why_no_pair(PLAIN, right).startswith(f"{name} is ")
        with pytest.raises(ValueError, match=f"^{name} is "):
            StereoRig(*cameras, 0.1)


def test_what_is_allowed_moves_no_row_and_no_disparity_by_a_tenth_of_a_pixel():
    right = replace(
        PLAIN,
        projection=tuple(
            np.add(
                [*PROJECTION[:3], -28.0, *PROJECTION[4:]], [0.09, 0, 0, 0, 0, 0.05, 0.04] + [0] * 5
            )
        ),
    )
    assert rows_correspond(PLAIN, right)
    corners = np.array([[0, 0], [PLAIN.width - 1, 0], [0, PLAIN.height - 1]], float)
    a, b = (np.reshape(each.projection, (3, 4))[:, :3] for each in (PLAIN, right))
    rays = np.column_stack([corners, np.ones(3)]) @ np.linalg.inv(a).T
    assert np.abs((rays @ b.T)[:, :2] - corners).max() < 0.1


@pytest.mark.parametrize(
    ("left", "right", "sentence"),
    [
        (
            0.0,
            28.0,
            r"P\[3\] of right is 28; it must be negative: .* swapped, or of the wrong sign",
        ),
        (-28.0, 0.0, r"P\[3\] of right is 0; it must be less than -28, that of left: .* swapped"),
        (0.0, 0.0, r"P\[3\] of right is 0; it must be negative: minus the focal length"),
    ],
)
def test_a_baseline_that_cannot_be_is_named_by_its_number(left, right, sentence):
    cameras = [
        replace(PLAIN, projection=(*PROJECTION[:3], value, *PROJECTION[4:]))
        for value in (left, right)
    ]
    assert re.match(sentence, why_no_pair(*cameras))
    assert not rows_correspond(*cameras)


def test_both_cameras_may_be_counted_from_a_third_camera():
    # As KITTI's colour cameras are, which are cameras 2 and 3 of their rig.
    left = replace(PLAIN, projection=(*PROJECTION[:3], 14.0, *PROJECTION[4:]))
    right = replace(PLAIN, projection=(*PROJECTION[:3], -28.0, *PROJECTION[4:]))
    assert baseline_of(left, right) == pytest.approx(0.15)
    assert rows_correspond(left, PLAIN)
    assert not rows_correspond(right, PLAIN)
    assert cameras_of_calibrations([left, right]).baseline_m == pytest.approx(0.15)
