"""Numbers of other sensors by time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coarse_loftr_ros.node.odometry.external import Samples

stamps = st.integers(0, 10_000)


@given(st.dictionaries(stamps, st.floats(0, 10), max_size=40), stamps, st.integers(0, 5_000))
def test_the_nearest_in_time_is_found_in_whatever_order_they_came(samples, stamp, tolerance):
    kept = Samples()
    for when, value in samples.items():
        kept.add(when, value)
    distances = {when: abs(when - stamp) for when in samples}
    found = kept.nearest(stamp, tolerance)
    least = min(distances.values(), default=tolerance + 1)
    if least > tolerance:
        assert found is None
    else:
        assert found in [samples[when] for when in samples if distances[when] == least]


def test_the_mean_is_of_what_lies_between_two_images():
    kept = Samples()
    for when, value in ((10, 1.0), (20, 2.0), (30, 4.0), (40, 8.0)):
        kept.add(when, value)
    assert kept.mean(10, 30, 0) == 3.0
    assert kept.mean(32, 38, 5) == kept.nearest(35, 5)
    assert kept.mean(41, 80, 5) is None
    assert Samples().mean(0, 10, 10**9) is None


def test_old_samples_are_forgotten():
    kept = Samples(capacity=3)
    for when in range(10):
        kept.add(when, float(when))
    assert kept.nearest(0, 6) is None
    assert kept.nearest(0, 7) == 7.0


def test_after_time_went_back_new_samples_are_kept_and_those_of_another_time_go():
    kept = Samples(capacity=3)
    for when in (100, 110, 120, 10, 20):
        kept.add(when, float(when))
    assert kept.nearest(20, 0) == 20.0
    assert kept.nearest(120, 0) == 120.0
    kept.restart(30)
    assert kept.nearest(120, 99) is None
    for when in (30, 40):
        kept.add(when, float(when))
    assert kept.mean(0, 200, 0) == 30.0


def test_numbers_of_the_pass_before_are_not_used_for_the_next_one():
    kept = Samples()
    for when in range(0, 200, 10):
        kept.add(when, 1.0)
    kept.restart(30)  # the sensor's own time has not gone back yet
    assert kept.nearest(10, 10) is None
    for when in range(0, 200, 10):
        kept.add(when, 2.0)
    for when in (0, 10):
        kept.add(when, 3.0)
    kept.restart(30)  # and now it has
    assert kept.mean(-1, 200, 0) == 3.0
