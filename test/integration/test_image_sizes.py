"""Images of several sizes on one topic."""

from __future__ import annotations

import numpy as np
from ros_harness import camera_info, scene, view

from coarse_loftr_msgs.msg import HomographyStamped

PICTURE = scene()


def test_a_flood_of_sizes_is_refused_in_words_and_the_usual_images_are_answered(start):
    process, client = start(
        "/sizes", "freshness:=all", "queue_depth:=100", "diagnostics_period:=0.2"
    )
    client.send(client.message(view(PICTURE, 0, 0)))
    stamps = []
    for number in range(20):
        client.send(client.message(np.zeros((64 + 16 * number, 500 - 20 * number), np.uint8)))
        usual = client.message(view(PICTURE, number, 0))
        stamps.append(usual.header.stamp)
        client.send(usual)
    answered = [client.result(stamp)[1] for stamp in stamps[-10:]]
    assert all(homography.status == homography.OK for homography in answered)
    assert process.output.count(": loaded in ") == 3
    assert "another size need the network loaded for" in process.output
    values = client.diagnostic("input")[2]
    assert int(values["rejected: image size"]) >= 15


def test_two_sizes_in_turn_are_loaded_once_each(start):
    process, client = start("/turns", "freshness:=all", "queue_depth:=100")
    for number in range(12):
        height = (240, 200)[number % 2]
        client.send(client.message(view(PICTURE, number, 0, 320, height)))
    client.until(
        lambda: client.process.output.count(": loaded in ") >= 2, "the other size to be loaded"
    )
    client.until(
        lambda: int(client.diagnostic("matching")[2].get("reset: resolution", 0)) == 11,
        "all images to be used",
    )
    assert process.output.count(": loaded in ") == 2


def test_a_camera_info_of_another_size_is_left_out_in_words(start):
    process, client = start("/reduced", "freshness:=all", "diagnostics_period:=0.2")
    client.camera_info[0].publish(camera_info(640, 480, 400.0))
    sentence = (
        "camera_info left out: image is 320x240, camera_info describes 640x480 (where whole images "
        "are reduced 2 times, camera_info has to say so by binning_x and binning_y 2)"
    )
    usual = client.message(view(PICTURE, 0, 0))
    for number in range(1, 100):
        client.send(usual)
        usual = client.message(view(PICTURE, number, 0))
        client.spin(0.1)
        if sentence in process.output:
            break
    assert sentence in process.output
    # Matches need no camera.
    assert client.match(usual)[1].status == HomographyStamped.OK
    assert int(client.diagnostic("input")[2]["rejected: camera_info"]) >= 1
