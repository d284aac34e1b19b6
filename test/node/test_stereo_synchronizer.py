"""Which temporal matches wait for which stereo matches, and for how long."""

from __future__ import annotations

import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("coarse_loftr_msgs", reason="coarse_loftr_msgs is not built")

from coarse_loftr_msgs.msg import Correspondences
from coarse_loftr_ros.node.common.conversion import stamp_ns, time_message
from coarse_loftr_ros.node.odometry.synchronizer import StereoSynchronizer

TIMEOUT_S = 0.1


class Message(Correspondences):
    """A message that knows in which pass of a recording it was sent, for weak references."""

    number: int


def matches(reference: int, stamp: int, number: int = 0) -> Message:
    """Of two images by their stamps."""
    message = Message()
    message.reference_header.stamp = time_message(reference)
    message.header.stamp = time_message(stamp)
    message.number = number
    return message


def stereo(stamp: int, number: int = 0) -> Message:
    return matches(stamp, stamp, number)


def identity(message: Message | None) -> tuple[int, int] | None:
    """Pass and stamp."""
    return message and (message.number, stamp_ns(message.header.stamp))


def test_without_stereo_nothing_waits():
    synchronizer = StereoSynchronizer(stereo=False, capacity=4)
    synchronizer.add_temporal(matches(1, 2), 0.0)
    assert synchronizer.next(0.0, TIMEOUT_S).stamp == 2
    assert synchronizer.next(0.0, TIMEOUT_S) is None


def test_matches_wait_for_the_stereo_matches_of_both_their_images():
    synchronizer = StereoSynchronizer(stereo=True, capacity=4)
    synchronizer.add_temporal(matches(1, 2), 0.0)
    assert synchronizer.next(0.0, TIMEOUT_S) is None
    synchronizer.add_stereo(stereo(1), 0.0)
    assert synchronizer.next(0.0, TIMEOUT_S) is None
    synchronizer.add_stereo(stereo(2), 0.0)
    assert synchronizer.next(0.0, TIMEOUT_S).stamp == 2
    assert identity(synchronizer.stereo_of(1)) == (0, 1)
    assert identity(synchronizer.stereo_of(2)) == (0, 2)


def test_a_reference_that_was_used_already_is_not_waited_for():
    synchronizer = StereoSynchronizer(stereo=True, capacity=4)
    for stamp in (1, 2):
        synchronizer.add_stereo(stereo(stamp), 0.0)
    synchronizer.add_temporal(matches(1, 2), 0.0)
    synchronizer.done(synchronizer.next(0.0, TIMEOUT_S))
    synchronizer.add_temporal(matches(2, 3), 0.0)
    synchronizer.add_stereo(stereo(3), 0.0)
    assert synchronizer.next(0.0, TIMEOUT_S).stamp == 3


def test_what_is_late_is_not_waited_for_any_longer():
    synchronizer = StereoSynchronizer(stereo=True, capacity=4)
    synchronizer.add_temporal(matches(1, 2), 5.0)
    assert synchronizer.next(5.09, TIMEOUT_S) is None
    assert synchronizer.next(5.11, TIMEOUT_S).stamp == 2
    assert synchronizer.stereo_of(2) is None


def test_more_than_the_capacity_do_not_wait():
    synchronizer = StereoSynchronizer(stereo=True, capacity=2)
    for stamp in (2, 3, 4):
        synchronizer.add_temporal(matches(stamp - 1, stamp), 0.0)
    assert synchronizer.next(0.0, TIMEOUT_S).stamp == 2
    assert synchronizer.next(0.0, TIMEOUT_S) is None
    assert len(synchronizer) == 2


def test_after_a_restart_the_reference_in_use_still_has_its_stereo_matches():
    synchronizer = StereoSynchronizer(stereo=True, capacity=4)
    for stamp in (1, 2, 3):
        synchronizer.add_stereo(stereo(stamp), 0.0)
        if stamp > 1:
            synchronizer.add_temporal(matches(1, stamp), 0.0)
            synchronizer.done(synchronizer.next(0.0, TIMEOUT_S))
    synchronizer.restart()
    synchronizer.add_temporal(matches(1, 4), 0.0)
    synchronizer.add_stereo(stereo(4), 0.0)
    assert synchronizer.next(0.0, TIMEOUT_S).stamp == 4
    assert identity(synchronizer.stereo_of(1)) == (0, 1)
    assert synchronizer.stereo_of(2) is None


def test_a_keyframe_outlasts_matches_that_cannot_be_used_yet():
    synchronizer = StereoSynchronizer(stereo=True, capacity=4)
    synchronizer.add_stereo(stereo(0), 0.0)
    for stamp in range(1, 100):
        synchronizer.add_stereo(stereo(stamp), 0.0)
        synchronizer.add_temporal(matches(0, stamp), 0.0)
        assert synchronizer.next(0.0, TIMEOUT_S).stamp == stamp  # and refused: no camera_info yet
    assert identity(synchronizer.stereo_of(0)) == (0, 0)
    assert identity(synchronizer.stereo_of(99)) == (0, 99)
    assert synchronizer.stereo_of(50) is None


@given(st.permutations([("temporal", k) for k in range(1, 9)] + [("stereo", k) for k in range(9)]))
def test_in_whatever_order_topics_arrive_nothing_is_lost_and_time_keeps_its_order(events):
    temporal_stamps = iter(range(1, 9))  # each topic keeps its own order
    stereo_stamps = iter(range(9))
    synchronizer = StereoSynchronizer(stereo=True, capacity=8)
    used = []
    for kind, _ in events:
        if kind == "temporal":
            stamp = next(temporal_stamps)
            synchronizer.add_temporal(matches(stamp - 1, stamp), 0.0)
        else:
            stamp = next(stereo_stamps)
            synchronizer.add_stereo(stereo(stamp), 0.0)
        while found := synchronizer.next(0.0, TIMEOUT_S):
            assert identity(synchronizer.stereo_of(found.stamp)) == (0, found.stamp)
            used.append(found.stamp)
            synchronizer.done(found)
    assert used == list(range(1, 9))


@given(st.lists(st.integers(0, 10**18), min_size=1, max_size=200))
def test_memory_is_bounded(stamps):
    synchronizer = StereoSynchronizer(stereo=True, capacity=4)
    held = []
    for stamp in stamps:
        message = stereo(stamp)
        held.append(weakref.ref(message))
        synchronizer.add_stereo(message, 0.0)
    assert sum(each() is not None for each in held) <= 32
    del message
    assert held[-1]() is not None


LENGTHS = st.lists(st.integers(3, 6), min_size=2, max_size=4)


@given(LENGTHS, st.data(), st.sampled_from([1, 100]))
def test_a_recording_that_loops_uses_nothing_of_the_pass_before(lengths, data, keyframe):
    """Each topic keeps its own order; of both together any order is possible."""
    temporal = [(n, k) for n, length in enumerate(lengths) for k in range(1, length)]
    stereo_matches = [(n, k) for n, length in enumerate(lengths) for k in range(length)]
    synchronizer = StereoSynchronizer(stereo=True, capacity=100)
    used, t, s = [], 0, 0
    while t < len(temporal) or s < len(stereo_matches):
        if s == len(stereo_matches) or (t < len(temporal) and data.draw(st.booleans())):
            number, stamp = temporal[t]
            reference = max(0, stamp - keyframe)
            synchronizer.add_temporal(matches(reference, stamp, number), 0.0)
            t += 1
        else:
            number, stamp = stereo_matches[s]
            synchronizer.add_stereo(stereo(stamp, number), 0.0)
            s += 1
        while found := synchronizer.next(0.0, TIMEOUT_S):
            number, stamp = identity(found.message)
            assert identity(synchronizer.stereo_of(stamp)) == (number, stamp)
            reference = found.reference_stamp
            if reference == 0 or not used:
                assert identity(synchronizer.stereo_of(reference)) == (number, reference)
            used.append((number, stamp))
            synchronizer.done(found)
    assert used == temporal


@given(LENGTHS, st.data())
def test_matches_that_are_late_get_nothing_of_another_pass_either(lengths, data):
    temporal = [(n, k) for n, length in enumerate(lengths) for k in range(1, length)]
    stereo_matches = [(n, k) for n, length in enumerate(lengths) for k in range(length)]
    synchronizer = StereoSynchronizer(stereo=True, capacity=2)
    t, s = 0, 0
    while t < len(temporal) or s < len(stereo_matches):
        if s == len(stereo_matches) or (t < len(temporal) and data.draw(st.booleans())):
            number, stamp = temporal[t]
            synchronizer.add_temporal(matches(stamp - 1, stamp, number), 0.0)
            t += 1
        else:
            number, stamp = stereo_matches[s]
            synchronizer.add_stereo(stereo(stamp, number), 0.0)
            s += 1
        while found := synchronizer.next(1.0 if data.draw(st.booleans()) else 0.0, TIMEOUT_S):
            number, stamp = identity(found.message)
            assert identity(synchronizer.stereo_of(stamp)) in (None, (number, stamp))
            assert identity(synchronizer.stereo_of(stamp - 1)) in (None, (number, stamp - 1))
            synchronizer.done(found)


@pytest.mark.parametrize("silent", ["temporal", "stereo"])
def test_where_the_end_of_a_pass_was_lost_on_one_topic_both_meet_again(silent):
    synchronizer = StereoSynchronizer(stereo=True, capacity=4)
    synchronizer.add_stereo(stereo(0), 0.0)
    synchronizer.add_stereo(stereo(1), 0.0)
    synchronizer.add_temporal(matches(0, 1), 0.0)
    synchronizer.done(synchronizer.next(0.0, TIMEOUT_S))
    # Time goes back to 1, which one of the topics does not show: its messages were lost until 2.
    if silent == "temporal":
        synchronizer.add_stereo(stereo(5), 0.0)
    else:
        synchronizer.add_temporal(matches(4, 5), 0.0)
        synchronizer.next(1.0, TIMEOUT_S)
    for stamp in range(2, 40):
        received = 1.0 + 0.1 * stamp
        synchronizer.add_stereo(stereo(stamp, 1), received)
        synchronizer.add_temporal(matches(stamp - 1, stamp, 1), received)
        found = synchronizer.next(received + 1.0, TIMEOUT_S)
        if received > 4.0:
            assert identity(synchronizer.stereo_of(stamp)) == (1, stamp)
        synchronizer.done(found)
