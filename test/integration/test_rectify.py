"""A node whose camera is not rectified yet."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from ros_harness import LATCHED, MatcherClient, camera_info, scene, view
from sensor_msgs.msg import CameraInfo

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
    sentence = "no camera_info that says how has come yet"
    client.until(lambda: sentence in client.process.output, "the reason")
    assert client.diagnostic("input")[2]["rejected: camera_info"] == "1"


def test_camera_infos_that_cannot_be_harm_nothing_and_are_counted(client):
    garbage = (
        {"width": 0, "height": 0},
        # Ended the process with a segmentation fault.
        {"width": 0, "height": 2**32 - 1, "binning_x": 2, "binning_y": 2},
        {"width": 2**32 - 1, "height": 2**32 - 1},
        {"r": [np.nan] * 9},
        {"d": [np.inf] * 5},
        {"p": [1e300] * 12},
    )
    for fields in garbage:
        info = camera_info(WIDTH, HEIGHT, FOCAL, distortion=BARREL)
        for name, value in fields.items():
            setattr(info, name, value)
        client.camera_info[0].publish(info)
        client.spin(0.1)
        client.send(client.message(seen_raw(0)))
    client.until(
        lambda: int(client.diagnostic("input")[2]["rejected: camera_info"]) >= 1 + 2 * len(garbage),
        "the rejections of all camera_info and all images",
    )
    assert "/raw/camera_info left out: camera_info describes images of 0x0" in client.process.output
    assert "Traceback" not in client.process.output


def test_a_camera_of_another_size_costs_no_memory_and_is_named(client):
    client.camera_info[0].publish(camera_info(20000, 20000, 20000.0, distortion=BARREL))
    sentence = "image is 320x240, camera_info describes 20000x20000"
    for _ in range(20):
        client.send(client.message(seen_raw(0)))
        client.spin(0.3)
        if sentence in client.process.output:
            break
    assert sentence in client.process.output
    peak = Path(f"/proc/{client.process.process.pid}/status").read_text()
    assert int(peak.split("VmHWM:")[1].split()[0]) < 1_000_000  # kB; the maps would take 4 GB


def test_a_latched_camera_info_from_before_the_node_is_received(start):
    _, client = start("/latched", "rectify:=true", "freshness:=all", active=False)
    publisher = client.node.create_publisher(CameraInfo, "camera_info", LATCHED)
    publisher.publish(camera_info(WIDTH, HEIGHT, FOCAL, distortion=BARREL))
    client.process.wait_for_output("matching ")
    client.connect()
    client.send(client.message(seen_raw(0)))
    _, homography = client.match(client.message(seen_raw(SHIFT)))
    assert homography.status == homography.OK


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
