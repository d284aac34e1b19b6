"""Which matches in time wait for which stereo matches, and for how long."""

from __future__ import annotations

from weakref import WeakSet

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarse_loftr_ros.node.odometry.arrivals import Arrivals, Waiting

PATIENCE = 0.1


def match(reference: int, stamp: int, received: float = 0.0) -> Waiting[str]:
    return Waiting(f"{reference}-{stamp}", reference, stamp, received)


def test_without_stereo_nothing_waits():
    arrivals = Arrivals(stereo=False, capacity=4)
    arrivals.add(match(1, 2))
    assert arrivals.next(0.0, PATIENCE).stamp == 2
    assert arrivals.next(0.0, PATIENCE) is None


def test_matches_wait_for_the_stereo_matches_of_both_their_images():
    arrivals = Arrivals(stereo=True, capacity=4)
    arrivals.add(match(1, 2))
    assert arrivals.next(0.0, PATIENCE) is None
    arrivals.add_stereo(1, "one", 0.0)
    assert arrivals.next(0.0, PATIENCE) is None
    arrivals.add_stereo(2, "two", 0.0)
    assert arrivals.next(0.0, PATIENCE).stamp == 2
    assert (arrivals.stereo_of(1), arrivals.stereo_of(2)) == ("one", "two")


def test_a_reference_that_was_used_already_is_not_waited_for():
    arrivals = Arrivals(stereo=True, capacity=4)
    for stamp in (1, 2):
        arrivals.add_stereo(stamp, "", 0.0)
    arrivals.add(match(1, 2))
    arrivals.done(arrivals.next(0.0, PATIENCE))
    arrivals.add(match(2, 3))
    arrivals.add_stereo(3, "", 0.0)
    assert arrivals.next(0.0, PATIENCE).stamp == 3


def test_what_is_late_is_not_waited_for_any_longer():
    arrivals = Arrivals(stereo=True, capacity=4)
    arrivals.add(match(1, 2, received=5.0))
    assert arrivals.next(5.09, PATIENCE) is None
    assert arrivals.next(5.11, PATIENCE).stamp == 2
    assert arrivals.stereo_of(2) is None


def test_more_than_the_capacity_do_not_wait():
    arrivals = Arrivals(stereo=True, capacity=2)
    for stamp in (2, 3, 4):
        arrivals.add(match(stamp - 1, stamp))
    assert arrivals.next(0.0, PATIENCE).stamp == 2
    assert arrivals.next(0.0, PATIENCE) is None
    assert len(arrivals) == 2


def test_after_a_restart_the_reference_in_use_still_has_its_stereo_matches():
    arrivals = Arrivals(stereo=True, capacity=4)
    for stamp in (1, 2, 3):
        arrivals.add_stereo(stamp, str(stamp), 0.0)
        if stamp > 1:
            arrivals.add(match(1, stamp))
            arrivals.done(arrivals.next(0.0, PATIENCE))
    arrivals.restart()
    arrivals.add(match(1, 4))
    arrivals.add_stereo(4, "4", 0.0)
    assert arrivals.next(0.0, PATIENCE).stamp == 4
    assert arrivals.stereo_of(1) == "1"
    assert arrivals.stereo_of(2) is None


def test_a_keyframe_outlasts_matches_that_cannot_be_used_yet():
    arrivals = Arrivals(stereo=True, capacity=4)
    arrivals.add_stereo(0, "0", 0.0)
    for stamp in range(1, 100):
        arrivals.add_stereo(stamp, str(stamp), 0.0)
        arrivals.add(match(0, stamp))
        assert arrivals.next(0.0, PATIENCE).stamp == stamp  # and refused: no camera_info yet
    assert (arrivals.stereo_of(0), arrivals.stereo_of(99)) == ("0", "99")
    assert arrivals.stereo_of(50) is None


@given(st.permutations([("time", k) for k in range(1, 9)] + [("across", k) for k in range(9)]))
def test_in_whatever_order_topics_arrive_nothing_is_lost_and_time_keeps_its_order(events):
    times = iter(range(1, 9))  # each topic keeps its own order
    acrosses = iter(range(9))
    arrivals = Arrivals(stereo=True, capacity=8)
    used = []
    for kind, _ in events:
        if kind == "time":
            stamp = next(times)
            arrivals.add(match(stamp - 1, stamp))
        else:
            stamp = next(acrosses)
            arrivals.add_stereo(stamp, stamp, 0.0)
        while found := arrivals.next(0.0, PATIENCE):
            assert arrivals.stereo_of(found.stamp) == found.stamp
            used.append(found.stamp)
            arrivals.done(found)
    assert used == list(range(1, 9))


@given(st.lists(st.integers(0, 10**18), min_size=1, max_size=200))
def test_memory_is_bounded(stamps):
    arrivals = Arrivals(stereo=True, capacity=4)
    alive = WeakSet()
    for stamp in stamps:
        item = Item()
        alive.add(item)
        arrivals.add_stereo(stamp, item, 0.0)
    assert len(alive) <= 32
    assert item in alive


class Item:
    """What a weak reference can hold."""


LENGTHS = st.lists(st.integers(3, 6), min_size=2, max_size=4)


@given(LENGTHS, st.data(), st.sampled_from([1, 100]))
def test_a_recording_that_loops_uses_nothing_of_the_pass_before(lengths, data, keyframe):
    """Each topic keeps its own order; of both together any order is possible."""
    times = [(n, k) for n, length in enumerate(lengths) for k in range(1, length)]
    acrosses = [(n, k) for n, length in enumerate(lengths) for k in range(length)]
    arrivals = Arrivals(stereo=True, capacity=100)
    used, t, s = [], 0, 0
    while t < len(times) or s < len(acrosses):
        if s == len(acrosses) or (t < len(times) and data.draw(st.booleans())):
            number, stamp = times[t]
            reference = max(0, stamp - keyframe)
            arrivals.add(Waiting((number, stamp), reference, stamp, 0.0))
            t += 1
        else:
            number, stamp = acrosses[s]
            arrivals.add_stereo(stamp, (number, stamp), 0.0)
            s += 1
        while found := arrivals.next(0.0, PATIENCE):
            number, stamp = found.item
            assert arrivals.stereo_of(stamp) == (number, stamp)
            if found.reference_stamp == 0 or not used:
                assert arrivals.stereo_of(found.reference_stamp) == (number, found.reference_stamp)
            used.append(found.item)
            arrivals.done(found)
    assert used == times


@given(LENGTHS, st.data())
def test_matches_that_are_late_get_nothing_of_another_pass_either(lengths, data):
    times = [(n, k) for n, length in enumerate(lengths) for k in range(1, length)]
    acrosses = [(n, k) for n, length in enumerate(lengths) for k in range(length)]
    arrivals = Arrivals(stereo=True, capacity=2)
    t, s = 0, 0
    while t < len(times) or s < len(acrosses):
        if s == len(acrosses) or (t < len(times) and data.draw(st.booleans())):
            number, stamp = times[t]
            arrivals.add(Waiting((number, stamp), stamp - 1, stamp, 0.0))
            t += 1
        else:
            number, stamp = acrosses[s]
            arrivals.add_stereo(stamp, (number, stamp), 0.0)
            s += 1
        while found := arrivals.next(1.0 if data.draw(st.booleans()) else 0.0, PATIENCE):
            number, stamp = found.item
            assert arrivals.stereo_of(stamp) in (None, (number, stamp))
            assert arrivals.stereo_of(stamp - 1) in (None, (number, stamp - 1))
            arrivals.done(found)


@pytest.mark.parametrize("silent", ["time", "across"])
def test_where_the_end_of_a_pass_was_lost_on_one_topic_both_meet_again(silent):
    arrivals = Arrivals(stereo=True, capacity=4)
    arrivals.add_stereo(0, "old", 0.0)
    arrivals.add_stereo(1, "old", 0.0)
    arrivals.add(match(0, 1))
    arrivals.done(arrivals.next(0.0, PATIENCE))
    # Time goes back to 1, which one of the topics does not show: its messages were lost until 2.
    if silent == "time":
        arrivals.add_stereo(5, "old", 0.0)
    else:
        arrivals.add(match(4, 5))
        arrivals.next(1.0, PATIENCE)
    for stamp in range(2, 40):
        received = 1.0 + 0.1 * stamp
        arrivals.add_stereo(stamp, stamp, received)
        arrivals.add(match(stamp - 1, stamp, received))
        found = arrivals.next(received + 1.0, PATIENCE)
        if received > 4.0:
            assert arrivals.stereo_of(stamp) == stamp
        arrivals.done(found)
