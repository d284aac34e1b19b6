"""A node whose camera is not rectified yet."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from ros_harness import MatcherClient, camera_info, scene, view

PICTURE = scene()
WIDTH, HEIGHT, FOCAL = 320, 240, 200.0
BARREL = (-0.35, 0.12, 0.0, 0.0, 0.0)
SHIFT = 8


@pytest.fixture(scope="module")
def client(start) -> MatcherClient:
    return start("/raw", "rectify:=true", "freshness:=all", "diagnostics_period:=0.2")[1]


def seen_raw(x: int) -> np.ndarray:
    """What a camera with barrel distortion sees of the scene."""
    info = camera_info(WIDTH, HEIGHT, FOCAL)
    camera = np.array(info.k).reshape(3, 3)
    columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    pixels = np.stack([columns, rows], axis=-1).reshape(-1, 1, 2).astype(np.float64)
    straight = cv2.undistortPoints(pixels, camera, np.array(BARREL), P=camera)
    maps = (straight + 40).reshape(HEIGHT, WIDTH, 2).astype(np.float32)
    wider = view(PICTURE, x - 40, -40, WIDTH + 80, HEIGHT + 80)
    return cv2.remap(wider, maps, None, cv2.INTER_LINEAR)


def test_without_calibration_images_are_rejected_with_the_reason(client):
    client.send(client.message(seen_raw(0)))
    client.until(lambda: "no camera_info has come yet" in client.process.output, "the reason")
    assert client.diagnostic("input")[2]["rejected: camera_info"] == "1"


def test_matches_are_in_pixels_of_the_rectified_image(client):
    client.camera_info[0].publish(camera_info(WIDTH, HEIGHT, FOCAL, distortion=BARREL))
    client.spin(0.3)
    client.send(client.message(seen_raw(0)))
    correspondences, homography = client.match(client.message(seen_raw(SHIFT)))
    shift = np.reshape(correspondences.current_points, (-1, 2)) - np.reshape(
        correspondences.reference_points, (-1, 2)
    )
    assert homography.status == homography.OK
    # The scene is flat and the motion sideways: without distortion all points shift alike.
    assert np.percentile(np.abs(shift - (-SHIFT, 0)), 90) < 0.5
