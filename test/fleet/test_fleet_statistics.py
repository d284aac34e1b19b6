"""Differences of pairs."""

import numpy as np

from coarse_loftr_ros.fleet.statistics import paired_difference


def test_a_difference_that_all_pairs_share_is_sure():
    before = np.linspace(0, 50, 40)
    found = paired_difference(before, before + 1.0, sign=-1, least=0.5)
    assert found.sure
    assert (found.low, found.difference, found.high) == (1.0, 1.0, 1.0)
    assert (found.better, found.worse, found.pairs) == (0, 40, 40)


def test_of_a_few_pairs_nothing_is_sure():
    assert not paired_difference([1.0], [2.0]).sure
    assert not paired_difference([1.0] * 5, [2.0] * 5).sure
    assert paired_difference([1.0] * 6, [2.0] * 6).sure


def test_the_interval_holds_the_true_difference_nineteen_times_of_twenty():
    random = np.random.default_rng(3)
    held = 0
    for _ in range(100):
        before = random.normal(0, 10, 60)
        found = paired_difference(before, before + random.normal(0.5, 1.0, 60))
        held += found.low <= 0.5 <= found.high
    assert 88 <= held <= 100


def test_without_pairs_there_is_no_difference():
    assert paired_difference([], []) is None
