"""Confidences whose worth is known, and the thresholds that follow."""

from itertools import pairwise

import numpy as np
import pytest

from coarse_loftr_lab.evaluation.confidence_calibration import (
    ConfidenceCalibration,
    ReliabilityBin,
    calibrate,
    calibration_curve,
    evaluate_calibration,
    recommended_threshold,
)
from coarse_loftr_lab.evaluation.data.homography_pair import HomographyPair
from coarse_loftr_ros.features.pair_matcher import PointMatches


def drawn(share_of, count=40_000):
    """Matches of which a share, a function of their confidence, is right."""
    random = np.random.default_rng(0)
    confidence = random.random(count, np.float32)
    return confidence, random.random(count) < share_of(confidence)


def test_an_honest_confidence_has_no_calibration_error():
    honest = calibrate("honest", *drawn(lambda c: c), pairs=10)
    assert honest.calibration_error < 0.01
    assert all(b.low - 0.02 < b.confidence < b.high + 0.02 for b in honest.bins)
    assert sum(b.matches for b in honest.bins) == honest.matches == 40_000
    assert honest.threshold == pytest.approx(0.5, abs=0.03)


def test_a_timid_confidence_has_an_error_and_a_low_threshold():
    timid = calibrate("timid", *drawn(lambda c: np.sqrt(c)), pairs=10)
    assert timid.calibration_error == pytest.approx(1 / 6, abs=0.01)
    assert timid.threshold == pytest.approx(0.25, abs=0.03)


def test_precision_rises_and_recall_falls_with_the_threshold():
    points = calibrate("honest", *drawn(lambda c: c), pairs=10).points
    assert points[0].recall == 1 and points[0].matches == 4000
    assert all(a.precision < b.precision for a, b in pairwise(points))
    assert all(a.recall > b.recall for a, b in pairwise(points))
    half = points[10]
    assert (half.threshold, half.precision, half.recall) == (
        pytest.approx(0.5),
        pytest.approx(0.75, abs=0.01),
        pytest.approx(0.75, abs=0.01),
    )


def test_no_threshold_helps_where_even_sure_matches_are_wrong():
    assert recommended_threshold(*drawn(lambda c: 0.2 * c)) == 1.0
    assert recommended_threshold(np.zeros(0, np.float32), np.zeros(0, bool)) == 1.0


def test_a_few_unlucky_matches_do_not_decide():
    confidence = np.concatenate([np.full(5, 0.99), np.full(200, 0.9), np.full(200, 0.1)])
    right = np.concatenate([np.zeros(5), np.ones(200), np.zeros(200)]).astype(bool)
    assert recommended_threshold(np.float32(confidence), right) == pytest.approx(0.9, abs=0.021)


def test_a_match_within_3_pixels_of_the_truth_is_right():
    class Offset:
        name, settings = "offset", {}

        def describe(self, image):
            return None

        def match(self, reference, current):
            points = np.float32([[10, 10], [20, 20], [30, 30]])
            offsets = np.float32([[0, 0], [0, 2.9], [3.1, 0]])
            return PointMatches(points, points + offsets, np.float32([0.95, 0.96, 0.97]))

    image = np.zeros((50, 50), np.uint8)
    pairs = [HomographyPair(str(k), image, image, np.eye(3)) for k in range(4)]
    calls = []
    report = evaluate_calibration([Offset()], pairs, lambda *step: calls.append(step[:2]))
    (result,) = report.calibrations
    assert (result.pairs, result.matches) == (4, 12)
    assert result.bins[0].precision == pytest.approx(2 / 3)
    assert calls == [(k, 4) for k in range(1, 5)]


def made_bins(*values):
    bins = tuple(ReliabilityBin(n, c, p, 0.0, 1.0) for c, p, n in values)
    total = sum(b.matches for b in bins)
    return ConfidenceCalibration("method", 1, total, 0.0, 0.5, bins, ())


def test_the_curve_rises_and_pools_bins_that_fall():
    curve = calibration_curve(made_bins((0.1, 0.5, 1000), (0.3, 0.9, 1000), (0.5, 0.7, 3000)))
    assert curve[:3] == [[0.0, 0.0], [0.1, 0.5], [0.45, 0.75]]
    assert curve[-1][0] == 1.0 and all(a[1] < b[1] for a, b in pairwise(curve))


def test_too_few_matches_make_no_curve():
    with pytest.raises(ValueError, match="900 matches are too few"):
        calibration_curve(made_bins((0.1, 0.5, 900)))
