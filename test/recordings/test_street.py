"""A rendered street: what is seen of it is where its poses say."""

import cv2
import numpy as np

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.recordings.rendered.street import Street

STREET = Street(seconds=0.3, rate=10.0, width=320, height=240, noise=0.0)


def ground(eye: Pose) -> np.ndarray:
    """The homography from places (x, z) on the ground to the pixels of an eye."""
    into = eye.inverse
    plane = np.column_stack(
        [
            into.rotation[:, 0],
            into.rotation[:, 2],
            into.apply(np.array([[0, STREET.camera_height, 0]]))[0],
        ]
    )
    return STREET.intrinsics.matrix() @ plane


def apart(first: np.ndarray, second: np.ndarray, moved: np.ndarray) -> float:
    """Mean difference of the near ground in the middle, grey levels; contrast is about 90."""
    height, width = first.shape
    warped = cv2.warpPerspective(second, moved, (width, height), flags=cv2.WARP_INVERSE_MAP)
    near = np.s_[height - 75 : height - 40, width // 2 - 60 : width // 2 + 60]
    return float(np.abs(first[near].astype(float) - warped[near]).mean())


def test_the_ground_moves_as_the_poses_say():
    frames, stamps = list(STREET.frames()), STREET.stamps
    first, second = (ground(STREET.pose(stamp)) for stamp in stamps[:2])
    moved = second @ np.linalg.inv(first)
    assert apart(frames[0].image, frames[1].image, moved) < 8.0
    assert apart(frames[0].image, frames[1].image, np.eye(3)) > 20.0


def test_the_right_eye_is_a_baseline_to_the_right():
    left, right = next(iter(STREET.frames())).image, next(iter(STREET.frames(right=True))).image
    eye = STREET.pose(STREET.stamps[0])
    other = eye @ Pose(np.eye(3), np.array([STREET.baseline, 0.0, 0.0]))
    moved = ground(other) @ np.linalg.inv(ground(eye))
    assert apart(left, right, moved) < 8.0
    assert apart(left, right, np.eye(3)) > 20.0


def test_the_same_seed_gives_the_same_street():
    again = Street(seconds=0.3, rate=10.0, width=320, height=240, noise=0.0)
    other = Street(seconds=0.3, rate=10.0, width=320, height=240, noise=0.0, seed=2)
    images = [next(iter(each.frames())).image for each in (STREET, again, other)]
    np.testing.assert_array_equal(images[0], images[1])
    assert (images[0] != images[2]).mean() > 0.5


def test_depths_are_those_of_the_image():
    eye = Pose(np.eye(3), np.array([0.3, 0.0, 4.0]))
    points = np.array([[160.0, 235.0], [100.0, 220.0]])
    on_ground = (points[:, 1] - STREET.intrinsics.cy) / STREET.intrinsics.fy / STREET.camera_height
    np.testing.assert_allclose(STREET.inverse_depths(eye, points), on_ground)
    sky_or_house = STREET.inverse_depths(eye, np.array([[160.0, 2.0]]))
    assert 0 < sky_or_house[0] < 0.1
