"""The truth of the flight is true, or a demonstration would prove nothing."""

import cv2
import numpy as np
import pytest

from coarse_loftr_ros.matching.homography import transfer
from coarse_loftr_ros.recordings.rendered.flight import Flight
from coarse_loftr_ros.recordings.rendered.scene import draw_landscape


def test_the_true_homography_carries_one_frame_onto_another(flight: Flight) -> None:
    frames = list(flight.frames())
    reference, current = frames[0], frames[6]
    truth = flight.between(reference.stamp, current.stamp)
    size = (current.width, current.height)
    warped = cv2.warpPerspective(reference.image, truth, size)
    seen = cv2.warpPerspective(np.full_like(reference.image, 255), truth, size) == 255
    # Moved by the truth the images agree; as they are, they do not.
    correlation = np.corrcoef(warped[seen], current.image[seen])[0, 1]
    unmoved = np.corrcoef(reference.image[seen], current.image[seen])[0, 1]
    assert seen.mean() > 0.4
    assert correlation > 0.95 > 0.6 > unmoved


def test_the_truth_is_exact_to_a_small_part_of_a_pixel(flight: Flight) -> None:
    """Dense alignment (ECC) started at the truth stays there."""
    frames = list(flight.frames())
    reference, current = frames[2], frames[4]
    truth = flight.between(reference.stamp, current.stamp)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-7)
    _, aligned = cv2.findTransformECC(
        reference.image,
        current.image,
        truth.astype(np.float32),
        cv2.MOTION_HOMOGRAPHY,
        stop,
        None,
        5,
    )
    corners = np.array([[0, 0], [319, 0], [319, 255], [0, 255]], float)
    shift = transfer(aligned.astype(float), corners) - transfer(truth, corners)
    assert np.linalg.norm(shift, axis=1).mean() < 0.15


def test_truths_chain(flight: Flight) -> None:
    a, b, c = flight.stamps[0], flight.stamps[4], flight.stamps[9]
    chained = flight.between(b, c) @ flight.between(a, b)
    np.testing.assert_allclose(chained / chained[2, 2], flight.between(a, c), atol=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_a_small_landscape_is_drawn_too(seed: int) -> None:
    assert draw_landscape(100, 130, seed).shape == (130, 100)


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    first = draw_landscape(400, 300, seed=1)
    np.testing.assert_array_equal(first, draw_landscape(400, 300, seed=1))
    assert (first != draw_landscape(400, 300, seed=2)).mean() > 0.5


def test_frames_are_evenly_spaced_and_textured(flight: Flight) -> None:
    frames = list(flight.frames())
    assert len(frames) == len(flight) == 10
    assert np.diff([frame.stamp for frame in frames]) == pytest.approx(1e8)
    assert all(frame.image.std() > 20 for frame in frames)


def test_poses_and_homographies_tell_of_one_flight(landscape):
    flight = Flight(landscape, seconds=1.0, rate=10.0, width=320, height=256)
    first, last = flight.stamps[0], flight.stamps[-1]
    motion = flight.pose(last).inverse @ flight.pose(first)
    # The plane z = 0 in the first camera: n x = d.
    normal = flight.pose(first).rotation.T @ np.array([0.0, 0.0, 1.0])
    distance = -flight.pose(first).translation[2]
    camera = flight.intrinsics.matrix()
    induced = motion.rotation + np.outer(motion.translation, normal) / distance
    homography = camera @ induced @ np.linalg.inv(camera)
    assert np.allclose(homography / homography[2, 2], flight.between(first, last), atol=1e-9)


def test_another_eye_sees_the_landscape_shifted_by_the_disparity(landscape):
    flight = Flight(landscape, seconds=1.0, rate=10.0, width=320, height=256)
    stamp = flight.stamps[3]
    left, right = (flight.from_landscape(stamp, shift) for shift in (0.0, 40.0))
    point = np.array([550.0, 450.0, 1.0])
    a, b = (matrix @ point for matrix in (left, right))
    assert a[2] == b[2], "both eyes are as far from the plane"
    shift = a[:2] / a[2] - b[:2] / b[2]
    assert np.allclose(shift, [flight.intrinsics.fx * 40.0 / a[2], 0.0])
