"""Match results as messages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("coarse_loftr_msgs", reason="coarse_loftr_msgs is not built")

from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from coarse_loftr_msgs.msg import Correspondences as CorrespondencesMessage
from coarse_loftr_msgs.msg import HomographyStamped
from coarse_loftr_ros.images.decoding import decode_image
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.result import Correspondences, Homography, MatchResult, Status
from coarse_loftr_ros.node.common.conversion import (
    correspondences_message,
    homography_message,
    image_message,
    stamp_ns,
    time_message,
)

stamps = st.integers(0, (2**31 - 1) * 10**9 + 999_999_999)
# A string on the wire ends at NUL.
words = st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=20)
finite = st.floats(-1e4, 1e4, width=32)


@st.composite
def results(draw) -> MatchResult:
    count = draw(st.integers(0, 20))
    frames = [
        Frame(
            np.zeros(draw(st.tuples(st.integers(1, 9), st.integers(1, 9))), np.uint8), stamp, name
        )
        for stamp, name in draw(st.lists(st.tuples(stamps, words), min_size=2, max_size=2))
    ]
    points = [draw(arrays(np.float32, (count, 2), elements=finite)) for _ in range(2)]
    homography = Homography(
        draw(arrays(np.float64, (3, 3), elements=st.floats(-1e6, 1e6))),
        count,
        draw(st.integers(0, count)),
        draw(st.integers(0, count)),
        draw(st.floats(0, allow_nan=False, width=32)),
        draw(st.floats(0, 1, width=32)),
        draw(st.sampled_from(Status)),
        draw(words),
    )
    return MatchResult(
        frames[0],
        frames[1],
        Correspondences(
            *points,
            draw(arrays(np.float32, count, elements=st.floats(0, 1, width=32))),
            draw(arrays(np.uint32, count)),
            draw(arrays(np.bool_, count)),
        ),
        homography,
    )


@given(stamps)
def test_stamps_survive(ns):
    assert stamp_ns(time_message(ns)) == ns


@given(results())
def test_correspondences_survive_the_wire(result):
    sent = serialize_message(correspondences_message(result))
    message = deserialize_message(sent, CorrespondencesMessage)
    points = result.correspondences
    np.testing.assert_array_equal(
        np.reshape(message.reference_points, (-1, 2)), points.reference_points
    )
    np.testing.assert_array_equal(
        np.reshape(message.current_points, (-1, 2)), points.current_points
    )
    np.testing.assert_array_equal(message.confidence, points.confidence)
    np.testing.assert_array_equal(message.track_id, points.track_id)
    np.testing.assert_array_equal(np.asarray(message.inlier, bool), points.inlier)
    check_headers(message, result)


@given(results())
def test_homography_survives_the_wire(result):
    sent = serialize_message(homography_message(result))
    message = deserialize_message(sent, HomographyStamped)
    homography = result.homography
    np.testing.assert_array_equal(message.matrix.reshape(3, 3), homography.matrix)
    assert message.status == homography.status
    assert message.reason == homography.reason
    assert message.rms_px == np.float32(homography.rms_px)
    assert message.coverage == np.float32(homography.coverage)
    assert message.inlier_ratio == np.float32(homography.inlier_ratio)
    assert (message.match_count, message.inlier_count) == (
        homography.match_count,
        homography.inlier_count,
    )
    check_headers(message, result)


def check_headers(message, result):
    assert stamp_ns(message.header.stamp) == result.current.stamp
    assert stamp_ns(message.reference_header.stamp) == result.reference.stamp
    assert message.header.frame_id == result.current.frame_id
    assert message.reference_header.frame_id == result.reference.frame_id
    assert (message.width, message.height) == (result.current.width, result.current.height)
    assert (message.reference_width, message.reference_height) == (
        result.reference.width,
        result.reference.height,
    )


def test_status_constants_are_those_of_the_message():
    for status in Status:
        assert getattr(HomographyStamped, status.name) == status


@given(arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20))))
def test_images_decode_to_what_was_sent(image):
    sent = serialize_message(image_message(image, Header()))
    np.testing.assert_array_equal(decode_image(deserialize_message(sent, Image)), image)
