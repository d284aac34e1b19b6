"""Which left image is paired with which right one."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarse_loftr_ros.matching.stereo_pairing import StereoPairing, stamp_gap_ns


@dataclass(frozen=True)
class StampedImage:
    """An image: its stamp, and of which exposure it truly is."""

    stamp: int
    exposure: int = 0


def feed(pairing, left, right, order):
    """Both streams in their own order, interleaved as ``order`` says; the pairs that come out."""
    streams = {False: iter(left), True: iter(right)}
    pairs = [
        (pairing.add_right if side else pairing.add_left)(next(streams[side])) for side in order
    ]
    return [*filter(None, pairs), *pairing.rest()]


def in_time(left, right):
    """The order in which images of both streams come without any delay."""
    sides = [(image.stamp, False) for image in left] + [(image.stamp, True) for image in right]
    return [side for _, side in sorted(sides)]


def lagging(left, right, lag):
    """The order in which the right images come ``lag`` images after their time (or before)."""
    sides = [(k, False) for k in range(len(left))]
    sides += [(k + lag + 0.5, True) for k in range(len(right))]
    return [side for _, side in sorted(sides)]


def images(stamps):
    return [StampedImage(stamp) for stamp in stamps]


# As few as the frame period is measured from.
stamps = st.lists(st.integers(0, 1000), max_size=13).map(sorted)


@given(stamps, stamps, st.integers(0, 60), st.integers(0, 2**32 - 1))
def test_pairs_are_within_the_tolerance_in_order_and_use_each_frame_once(
    left, right, tolerance, seed
):
    pairing = StereoPairing(tolerance, queue=4)
    order = [False] * len(left) + [True] * len(right)
    np.random.default_rng(seed).shuffle(order)
    pairs = feed(pairing, images(left), images(right), order)
    assert all(abs(a.stamp - b.stamp) <= tolerance for a, b in pairs)
    assert len({id(a) for a, _ in pairs}) == len(pairs) == len({id(b) for _, b in pairs})
    for side in zip(*pairs, strict=True):
        assert [image.stamp for image in side] == sorted(image.stamp for image in side)
    assert pairing.unpaired_left <= len(left) - len(pairs)
    assert pairing.unpaired_right <= len(right) - len(pairs)


@given(stamps, stamps, st.integers(0, 60), st.integers(0, 2**32 - 1))
def test_frames_that_are_each_others_nearest_are_paired_in_whatever_order_they_come(
    left, right, tolerance, seed
):
    """Brute force over all pairs says which these are."""
    pairing = StereoPairing(tolerance, queue=100)
    # Two images 1 ns apart: a nearer partner may follow upon any that is not exact.
    feed(pairing, images([-1001, -1000]), images([-1001, -1000]), [False, True] * 2)
    order = [False] * len(left) + [True] * len(right)
    np.random.default_rng(seed).shuffle(order)
    pairs = feed(pairing, images(left), images(right), order)
    gaps = {(a, b): abs(a - b) for a in left for b in right}
    for (a, b), gap in gaps.items():
        left_nearest = sum(gaps[a, other] <= gap for other in right)
        right_nearest = sum(gaps[other, b] <= gap for other in left)
        if gap <= tolerance and left_nearest == right_nearest == 1:
            assert (a, b) in [(one.stamp, other.stamp) for one, other in pairs]


PERIOD = 1000


def at_least_apart(numbers, least):
    """Some of these numbers, no two of which are nearer to each other than this."""
    kept = []
    for number in sorted(numbers):
        if not kept or number - kept[-1] >= least:
            kept.append(number)
    return kept


@given(
    lag=st.integers(-12, 12),
    offset=st.integers(-200, 200),
    tolerance=st.sampled_from([250, 700, 1000, 3000]),
    events=st.dictionaries(
        st.integers(5, 60), st.tuples(st.integers(0, 1), st.sampled_from((0, 2)))
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_images_of_one_exposure_are_paired_whatever_is_late_lost_or_repeated(
    lag, offset, tolerance, events, seed
):
    """The best that can be done is known here: every exposure that both cameras took."""
    # What one camera takes at one exposure and the other at the next, and neither else, is a pair
    # to a tolerance that allows it.
    apart = 1 if tolerance < 500 else 8
    odd = {exposure: events[exposure] for exposure in at_least_apart(events, apart)}
    jitter = np.random.default_rng(seed).integers(-25, 26, (64, 2)).tolist()
    sides = ([], [])
    for exposure in range(64):
        for side, shift in enumerate((0, offset)):
            image = StampedImage(exposure * PERIOD + shift + jitter[exposure][side], exposure)
            which, times = odd.get(exposure, (side, 1))
            sides[side].extend([image] * (times if which == side else 1))
    pairing = StereoPairing(tolerance, queue=80)
    pairs = feed(pairing, *sides, lagging(*sides, lag))
    assert all(a.exposure == b.exposure for a, b in pairs)
    assert [a.exposure for a, _ in pairs] == [m for m in range(64) if odd.get(m, (0, 1))[1]]


@pytest.mark.parametrize("lag", [0, 1, 3, 4, 10])
def test_any_lag_that_the_queue_holds_is_bridged(lag):
    left = right = images(range(0, 100 * PERIOD, PERIOD))
    pairing = StereoPairing(5, queue=11)
    assert len(feed(pairing, left, right, lagging(left, right, lag))) == 100
    assert pairing.unpaired_left == pairing.unpaired_right == 0


def test_a_lost_image_does_not_shift_the_pairs_though_the_next_is_within_the_tolerance():
    left, right = images(range(0, 5000, 100)), images(range(1, 5000, 100))
    del right[20]
    pairs = feed(StereoPairing(150), left, right, [False, True] * 49 + [False])
    assert {b.stamp - a.stamp for a, b in pairs} == {1}
    assert len(pairs) == 49


def test_a_pair_is_given_at_once_when_no_nearer_partner_is_expected():
    pairing = StereoPairing(40)
    for stamp in (0, 100, 200):
        assert pairing.add_left(StampedImage(stamp)) is None
        assert pairing.add_right(StampedImage(stamp + 40)) is not None


@pytest.mark.parametrize("order", ["lrLR", "lLrR", "rlRL", "lrRL", "rRlL"])
def test_a_recording_that_loops_loses_no_pair(order):
    """Capitals are the images of the second loop, in the middle of which the first one ends."""
    loop = images(range(0, 8000, 1000))
    pairing = StereoPairing(5, queue=20)
    pairs = feed(pairing, loop[:-1], loop[:-1], [False, True] * 7)
    for letter in order:
        add = pairing.add_left if letter in "lL" else pairing.add_right
        pairs.append(add(loop[-1] if letter in "lr" else loop[0]))
    pairs += feed(pairing, loop[1:], loop[1:], [False, True] * 7)
    assert [a.stamp for a, _ in filter(None, pairs)] == 2 * list(range(0, 8000, 1000))
    assert pairing.unpaired_left == pairing.unpaired_right == 0


def test_the_first_pair_of_a_loop_survives_a_last_image_without_a_partner():
    pairing = StereoPairing(5)
    feed(pairing, images([0, 1000]), images([0, 1000]), [False, True] * 2)
    assert pairing.add_left(StampedImage(0)) is None
    assert pairing.add_right(StampedImage(2000)) is None
    assert pairing.add_right(StampedImage(0)) == (StampedImage(0), StampedImage(0))


def test_a_side_whose_time_went_back_by_itself_is_paired_again():
    pairing = StereoPairing(5, queue=10)
    left = images([0, 1000, 2000, 1990, 3000, 4000])
    right = images([0, 1000, 2000, 3000, 4000])
    order = [False, True] * 3 + [False, True, False, True, False]
    assert len(feed(pairing, left, right, order)) == 5
    assert (pairing.unpaired_left, pairing.unpaired_right) == (1, 0)


def test_images_far_apart_are_counted_as_they_come():
    left, right = images(range(0, 3000, 100)), images(range(12, 3000, 100))
    pairing = StereoPairing(5)
    assert feed(pairing, left, right, in_time(left, right)) == []
    assert pairing.unpaired_left + pairing.unpaired_right >= 58
    assert pairing.gap_ns == 12


def test_a_gap_that_opens_is_measured_soon():
    pairing = StereoPairing(5)
    left = images(range(0, 20000, 100))
    right = images([*range(0, 10000, 100), *range(10012, 20000, 100)])
    order = in_time(left, right)
    feed(pairing, left[:112], right[:112], order[:224])
    assert pairing.gap_ns == 12


def test_a_dead_camera_does_not_fill_the_memory():
    pairing = StereoPairing(5, queue=4)
    feed(pairing, images(range(1000)), [], [False] * 1000)
    assert pairing.unpaired_left == 996
    assert pairing.gap_ns is None


@given(
    st.lists(st.integers(0, 10**18), min_size=1, max_size=20),
    st.lists(st.integers(0, 10**18), min_size=1, max_size=20),
)
def test_the_gap_is_the_median_distance_to_the_nearest_stamp(left, right):
    inside = [a for a in left if min(right) <= a <= max(right)] or left
    assert stamp_gap_ns(left, right) == int(
        np.median([min(abs(a - b) for b in right) for a in inside])
    )


def test_the_gap_is_measured_where_both_cameras_sent_images():
    left, right = range(0, 6400, 100), range(7, 5600, 100)
    assert stamp_gap_ns(left, right) == 7
    assert stamp_gap_ns([], right) is None


@pytest.mark.parametrize("bad", [{"tolerance_ns": -1}, {"tolerance_ns": 0, "queue": 0}])
def test_a_pairing_that_makes_no_sense_is_refused(bad):
    with pytest.raises(ValueError, match="it must"):
        StereoPairing(**bad)
