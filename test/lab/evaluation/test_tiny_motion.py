"""Tiny motions are rendered as their truth says, and methods are measured on them."""

from itertools import islice

import cv2
import numpy as np
import pytest

from coarse_loftr_lab.evaluation.data.tiny_motions import DOSES_PX, SURFACES, TinyMotions
from coarse_loftr_lab.evaluation.tiny_motion import evaluate_tiny_motion
from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.features.pair_matcher import PointMatches


@pytest.fixture(scope="module")
def pairs():
    """All pairs of one scene."""
    return list(TinyMotions(1))


class Exact:
    """A method that knows where points went, and errs by so much."""

    def __init__(self, name, pairs, error_px):
        self.name, self.settings = name, {}
        self._pairs = {id(pair.current): pair for pair in pairs}
        self._error_px = error_px

    def describe(self, image):
        return image

    def match(self, reference, current):
        random = np.random.default_rng(0)
        points = (random.uniform((20, 20), (620, 460), (400, 2))).astype(np.float32)
        moved = self._pairs[id(current)].moved(points)
        moved = moved + self._error_px * random.standard_normal(moved.shape)
        return PointMatches(points, moved.astype(np.float32), np.ones(400, np.float32))


def test_every_scene_is_seen_under_every_dose_on_every_surface(pairs):
    assert len(pairs) == len(TinyMotions(1)) == len(DOSES_PX) * len(SURFACES)
    grid = np.stack(np.meshgrid(np.arange(8, 640, 16.0), np.arange(8, 480, 16.0)), -1)
    for pair in pairs:
        turned = pair.moved(grid.reshape(-1, 2))
        alone = cv2.perspectiveTransform(
            grid.reshape(-1, 1, 2), pair.camera @ pair.motion.rotation @ np.linalg.inv(pair.camera)
        )[:, 0]
        parallax = np.median(np.linalg.norm(turned - alone, axis=1))
        assert parallax == pytest.approx(pair.dose, rel=0.01)


def test_images_move_as_the_truth_says(pairs):
    pair = next(p for p in pairs if p.surface == "textured" and p.dose == 3.0)
    points = cv2.goodFeaturesToTrack(pair.reference, 300, 0.01, 10)
    truth = pair.moved(points[:, 0]).astype(np.float32)
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        pair.reference, pair.current, points, truth[:, None].copy(), winSize=(16, 16),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )  # fmt: skip
    error = np.linalg.norm(found[:, 0] - truth, axis=1)[status[:, 0] > 0]
    assert np.median(error) < 0.08
    assert np.median(np.linalg.norm(truth - points[:, 0], axis=1)) > 1.0


def test_the_same_seed_gives_the_same_pairs():
    first, again = (next(iter(TinyMotions(1, seed=3))) for _ in range(2))
    np.testing.assert_array_equal(first.current, again.current)
    assert isinstance(first.motion, Pose)
    with pytest.raises(ValueError, match="count"):
        TinyMotions(0)


def test_noise_of_points_is_found_and_costs_direction(pairs):
    some = list(islice(pairs, 3 * len(SURFACES), None))  # 2 and 3 px
    report = evaluate_tiny_motion([Exact("good", some, 0.01), Exact("bad", some, 0.8)], some)
    good, bad = (
        [level for level in report.levels if level.method == name] for name in ("good", "bad")
    )
    assert len(good) == len(bad) == 2 * len(SURFACES)
    for better, worse in zip(good, bad, strict=True):
        assert better.noise_px == pytest.approx(0.01, rel=0.1)
        assert worse.typical_px == pytest.approx(0.8, rel=0.1)
        assert better.direction_deg < 2.0
    assert sum(r.direction_deg for r in good) < sum(r.direction_deg for r in bad)


def test_without_matches_nothing_is_known(pairs):
    class Blind(Exact):
        def match(self, reference, current):
            return PointMatches.none()

    level = evaluate_tiny_motion([Blind("blind", pairs[:1], 0.0)], pairs[:1]).levels[0]
    assert level.direction_deg == 90.0 and level.noise_px == float("inf") and level.matches == 0
