"""Thresholds are tried on what a loose setting has found."""

import numpy as np
import pytest
from scenes import motion, texture, view

from coarse_loftr_lab.evaluation.data.homography_pair import HomographyPair
from coarse_loftr_lab.evaluation.homography_accuracy import evaluate_homography
from coarse_loftr_lab.evaluation.methods import BaselineWeights, loosest_baselines
from coarse_loftr_lab.evaluation.tuning import GRIDS, evaluate_thresholds
from coarse_loftr_ros.features.pair_matcher import PointMatches
from coarse_loftr_ros.features.sift import Sift


def pairs(count=3):
    plane = texture()
    truths = [motion(8 + 3 * k, -5, 2, 1.02) for k in range(count)]
    reference = view(plane, np.eye(3))
    return [
        HomographyPair(f"{k}", reference, view(plane, truth, noise=8, seed=k), truth)
        for k, truth in enumerate(truths)
    ]


def test_a_tried_threshold_gives_what_the_method_with_it_gives():
    tried = {t.value: t for t in evaluate_thresholds([Sift(ratio=1.0)], pairs()).tried}
    assert tuple(tried) == GRIDS["ratio"]
    (summary,) = evaluate_homography([Sift(ratio=0.8)], pairs()).summaries
    assert tried[0.8].auc == pytest.approx([figure.value for figure in summary.auc[:3]], abs=1e-6)


def test_the_best_threshold_is_the_one_that_leaves_the_right_matches():
    class Liar:
        """Right above 0.25, wrong in one and the same way below."""

        name, settings = "liar", {"minimum_confidence": 0.0}

        def describe(self, image):
            return image

        def match(self, reference, current):
            points = np.random.default_rng(0).uniform(20, 400, (90, 2)).astype(np.float32)
            confidence = np.where(np.arange(90) < 30, 0.4, 0.22).astype(np.float32)
            wrong = np.where(confidence[:, None] < 0.25, 40.0, 0.0).astype(np.float32)
            return PointMatches(points, points + wrong, confidence)

    image = np.zeros((480, 640), np.uint8)
    report = evaluate_thresholds([Liar()], [HomographyPair("one", image, image, np.eye(3))])
    assert [t.value for t in report.tried if t.best] == [0.3]
    assert [t.pairs for t in report.tried] == [1] * len(GRIDS["minimum_confidence"])


def test_every_loose_baseline_has_one_threshold_to_tune(shared_dir):
    for method in loosest_baselines(BaselineWeights.below(shared_dir / "weights")):
        (setting,) = GRIDS.keys() & method.settings.keys()
        loosest = max(GRIDS[setting]) if setting == "ratio" else min(GRIDS[setting])
        assert method.settings[setting] == loosest
