"""A stereo stream: matched in time and left with right, each image encoded once."""

from dataclasses import replace

import numpy as np
import pytest
from scenes import motion, texture, view

from coarse_loftr_ros.images.frame import Frame, Intrinsics
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.reference_policy import Consecutive, Keyframe, KeyframeRule
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.matching.stereo_matching import epipolar_inliers, why_not_rectified

PLANE = texture()
START = motion(-130, -110)
DISPARITY = 14.0


def stereo_pair(step, rows_apart=0.0):
    """A camera that moves 6 px to the side at each step, before a wall parallel to the image."""
    seen = motion(6.0 * step, 2.0 * step) @ START
    stamp = step * 33_000_000
    left = view(PLANE, seen, seed=2 * step)
    right = view(PLANE, motion(-DISPARITY, rows_apart) @ seen, seed=2 * step + 1)
    return Frame(left, stamp, "left"), Frame(right, stamp, "right")


def test_the_first_pair_is_matched_left_with_right_only(pipeline):
    left, right = stereo_pair(0)
    result = pipeline.process_stereo(left, right, rectified=True)
    assert result.temporal is None
    assert pipeline.reference is left
    assert (result.stereo.left, result.stereo.right) == (left, right)
    points = result.stereo.correspondences
    shift = points.current_points - points.reference_points
    assert len(points) > 150
    np.testing.assert_allclose(np.median(shift, axis=0), (-DISPARITY, 0), atol=0.1)


def test_left_frames_are_the_stream_that_a_single_camera_gives(pipeline):
    lefts = [stereo_pair(step)[0] for step in range(3)]
    alone = [pipeline.process(left) for left in lefts]
    pipeline.reset()
    both = [
        pipeline.process_stereo(*stereo_pair(step), rectified=True).temporal for step in range(3)
    ]
    for single, stereo in zip(alone[1:], both[1:], strict=True):
        a, b = single.correspondences, stereo.correspondences
        assert a.current_points.tobytes() == b.current_points.tobytes()
        assert stereo.homography.status == Status.OK


@pytest.mark.parametrize(
    "policy", [Consecutive(), Keyframe(KeyframeRule(min_inliers=10, min_coverage=0.0, max_age=2))]
)
def test_both_matches_of_a_left_image_name_its_points_alike(pipeline, policy):
    """Of the left image at some time: its match with the right one and, later, with others."""
    pipeline.policy = policy
    stereo, common = {}, []
    for step in range(6):
        result = pipeline.process_stereo(*stereo_pair(step), rectified=True)
        points = result.stereo.correspondences
        stereo[result.stereo.left.stamp] = dict(
            zip(points.track_id.tolist(), points.reference_points.tolist(), strict=True)
        )
        if result.temporal is None:
            continue
        later = result.temporal.correspondences
        earlier = stereo[result.temporal.reference.stamp]
        shared_ids = [i for i, track in enumerate(later.track_id.tolist()) if track in earlier]
        common.append(len(shared_ids))
        for i in shared_ids:
            assert earlier[int(later.track_id[i])] == later.reference_points[i].tolist()
    assert min(common) > 100


def test_matches_off_their_row_are_rejected_and_counted(pipeline):
    left, right = stereo_pair(0, rows_apart=4.0)
    stereo = pipeline.process_stereo(left, right, rectified=True).stereo
    assert len(stereo.correspondences) < 10
    assert stereo.off_row > 150
    assert stereo.row_offset_px == pytest.approx(4.0, abs=0.1)
    assert "are not on one row (right lies +4.0 px lower)" in why_not_rectified(stereo)


def test_matches_behind_the_camera_are_rejected(pipeline):
    left, right = stereo_pair(0)
    stereo = pipeline.process_stereo(right, left, rectified=True).stereo
    assert len(stereo.correspondences) < 10
    assert stereo.off_row > 150
    assert stereo.negative > 0.9 * stereo.off_row
    assert "have a negative disparity: left and right look swapped" in why_not_rectified(stereo)


def test_a_rectified_pair_is_not_taken_for_an_unrectified_one(pipeline):
    assert why_not_rectified(pipeline.process_stereo(*stereo_pair(0), rectified=True).stereo) == ""


def test_principal_points_say_where_infinity_is(pipeline):
    """A right image whose centre lies further right shows far things further right."""
    left, right = stereo_pair(0)
    camera = Intrinsics(500.0, 500.0, 319.5, 239.5)
    shifted = replace(camera, cx=camera.cx + 2 * DISPARITY)
    # The other way round, each point lies 14 px further right in the right image.
    stereo = pipeline.process_stereo(
        replace(right, intrinsics=camera), replace(left, intrinsics=shifted), rectified=True
    ).stereo
    assert len(stereo.correspondences) > 150
    assert stereo.off_row < 0.1 * len(stereo.correspondences)


@pytest.mark.parametrize(("rectified", "tolerance"), [(False, 1.5), (True, 0.0)])
def test_without_the_constraint_inliers_follow_the_epipolar_geometry(
    pipeline, rectified, tolerance
):
    pipeline.match_settings = MatchSettings(row_tolerance_px=tolerance)
    left, right = stereo_pair(0, rows_apart=4.0)
    stereo = pipeline.process_stereo(left, right, rectified).stereo
    assert stereo.off_row == 0
    assert stereo.correspondences.inlier.mean() > 0.9


def test_blank_eyes_are_harmless(pipeline):
    blank = Frame(np.zeros((480, 640), np.uint8))
    for rectified in (True, False):
        stereo = pipeline.process_stereo(blank, blank, rectified).stereo
        assert not stereo.correspondences.inlier.any()


def test_eyes_of_different_size_are_refused(pipeline):
    left, right = stereo_pair(0)
    small = Frame(right.image[::2, ::2].copy())
    with pytest.raises(ValueError, match="left frame is 640x480, right frame is 320x240"):
        pipeline.process_stereo(left, small, rectified=True)


def test_the_eyes_of_a_car_agree_with_the_calibration(pipeline, shared_dir):
    import cv2

    folder = shared_dir / "data/dev/vo/kitti06_stereo_51"
    names = sorted(path.name for path in (folder / "image_0").glob("*.png"))[:3]
    for name in names:
        pair = [
            Frame(cv2.imread(str(folder / camera / name), cv2.IMREAD_GRAYSCALE))
            for camera in ("image_0", "image_1")
        ]
        stereo = pipeline.process_stereo(*pair, rectified=True).stereo
        assert len(stereo.correspondences) > 200
        assert stereo.off_row < 0.1 * len(stereo.correspondences)
        assert abs(stereo.row_offset_px) < 0.2


@pytest.mark.parametrize("seed", [505, 506, 507])
def test_points_of_one_plane_are_classified_whatever_guess_the_estimator_makes(seed):
    # One of these ends OpenCV 5's recovery from a plane with an assertion.
    rng = np.random.default_rng(seed)
    left = rng.uniform(0, (240, 180), (20, 2)).astype(np.float32)
    right = left @ (np.eye(2) + rng.normal(0, 0.02, (2, 2))) - (7, 0)
    right += rng.normal(0, 0.2, left.shape)
    right[:6] += rng.uniform(-20, 20, (6, 2))
    assert epipolar_inliers(left, right.astype(np.float32))[6:].sum() >= 12
