"""Every suite's truth is exact, and its doses grow."""

import cv2
import numpy as np
import pytest
from scenes import texture

from coarse_loftr_lab.evaluation.data.homography_pair import HomographyPair
from coarse_loftr_lab.evaluation.data.stress_pairs import MixedStressPairs, StressPairs
from coarse_loftr_lab.evaluation.data.stress_suites import SUITES, Suite, line_kernel
from coarse_loftr_lab.evaluation.report_tables import report_tables
from coarse_loftr_lab.evaluation.stress_resistance import evaluate_stress
from coarse_loftr_ros.features.pair_matcher import PointMatches
from coarse_loftr_ros.features.sift import Sift
from coarse_loftr_ros.files.json_text import to_json


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    # The folder's name is part of the order of its pictures: it must not depend on other tests.
    path = tmp_path_factory.mktemp("stress") / "photographs"
    path.mkdir()
    for number in range(3):
        cv2.imwrite(str(path / f"{number}.png"), texture(600, 450, seed=number))
    return path


def pairs_of(folder, suite, dose, count=2, **options):
    return StressPairs(folder, suite, dose, count, keep=lambda path: True, **options)


def disagreement(pair, shift=(0.0, 0.0)):
    """Mean difference of the current image and the reference moved by the truth (and a shift)."""
    moved = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1.0]]) @ pair.homography
    blurred = cv2.GaussianBlur(np.float32(pair.reference), (0, 0), 2)
    warped = cv2.warpPerspective(blurred, moved, (640, 480), flags=cv2.INTER_AREA)
    inside = cv2.warpPerspective(np.ones_like(blurred), moved, (640, 480)) > 0.999
    inside = cv2.erode(np.uint8(inside), np.ones((9, 9))) > 0
    current = cv2.GaussianBlur(np.float32(pair.current), (0, 0), 2)
    # Correlation, because exposure changes brightness and contrast.
    return 1 - np.corrcoef(warped[inside], current[inside])[0, 1]


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_the_truth_fits_better_than_any_shift_of_it(folder, suite):
    for dose in (suite.doses[0], suite.doses[-1]):
        (pair, _) = pairs_of(folder, suite, dose)
        assert pair.reference.shape == pair.current.shape == (480, 640)
        assert pair.reference.dtype == pair.current.dtype == np.uint8
        exact = disagreement(pair)
        for shift in ((1.5, 0), (-1.5, 0), (0, 1.5), (0, -1.5)):
            assert exact < disagreement(pair, shift), (dose, shift)


def test_without_stress_all_suites_are_the_same_pairs(folder):
    calm = pairs_of(folder, None, 0.0)[1]
    turned = pairs_of(folder, SUITES["rotation"], 90.0)[1]
    noisy = pairs_of(folder, SUITES["noise"], 10.0)[1]
    assert np.array_equal(calm.homography, noisy.homography)
    assert np.abs(calm.reference.astype(int) - turned.reference).max() < 20  # sensor noise
    corner = turned.homography @ np.linalg.inv(calm.homography)
    assert np.allclose(corner[:2, :2] / corner[2, 2], [[0, -1], [1, 0]], atol=1e-9)


def test_the_same_index_is_the_same_pair_to_the_bit(folder):
    for suite in SUITES.values():
        first, second = (pairs_of(folder, suite, suite.doses[-1])[1] for _ in range(2))
        assert np.array_equal(first.reference, second.reference)
        assert np.array_equal(first.current, second.current)


def test_what_doses_say_is_what_is_done(folder):
    def of(name, dose):
        return pairs_of(folder, SUITES[name], dose)[0]

    calm = pairs_of(folder, None, 0.0)[0]
    scale = cv2.perspectiveTransform(
        np.array([[[300.0, 240]], [[340, 240]]]), of("scale", 2.0).homography
    )
    before = cv2.perspectiveTransform(np.array([[[300.0, 240]], [[340, 240]]]), calm.homography)
    grown = np.linalg.norm(scale[1] - scale[0]) / np.linalg.norm(before[1] - before[0])
    assert grown == pytest.approx(2, rel=0.35)  # the inverse of the viewpoint is in it
    assert np.mean(of("exposure", 3.0).current > 250) > np.mean(calm.current > 250) + 0.1
    assert of("exposure", -5.0).current.mean() < calm.current.mean() / 3
    assert of("low texture", 8.0).current.std() < 3 < calm.current.std()
    assert of("low light", 25.0).current.mean() < calm.current.mean()
    difference = of("noise", 40.0).reference.astype(float) - calm.reference
    assert 25 < difference.std() < 42


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_the_foreground_covers_its_share_and_is_not_where_the_truth_says(folder, share):
    moving, calm = pairs_of(folder, SUITES["moving foreground"], share), pairs_of(folder, None, 0.0)
    changed = np.abs(moving[0].reference.astype(int) - calm[0].reference) > 20
    filled = cv2.morphologyEx(np.uint8(changed), cv2.MORPH_CLOSE, np.ones((25, 25)))
    assert filled.mean() == pytest.approx(share, rel=0.15)
    assert disagreement(moving[0]) > 5 * disagreement(calm[0])


def test_a_blurred_point_stays_where_it_is():
    for length, angle in ((5, 0.3), (31, 1.2), (9, 3.0)):
        kernel = line_kernel(length, angle)
        grid = np.arange(len(kernel)) - len(kernel) // 2
        assert kernel.sum() == pytest.approx(1)
        assert (kernel.sum(0) * grid).sum() == pytest.approx(0, abs=1e-4)
        assert (kernel.sum(1) * grid).sum() == pytest.approx(0, abs=1e-4)
        extent = np.sqrt((kernel * (grid[:, None] ** 2 + grid**2)).sum())
        assert extent == pytest.approx(length / np.sqrt(12), rel=0.15)


def test_mixed_pairs_are_calm_every_other_time(folder):
    names = [pair.name for pair in MixedStressPairs(folder, 8, keep=lambda path: True)]
    assert all(name.startswith("calm") for name in names[::2])
    assert not any(name.startswith("calm") for name in names[1::2])


def test_what_cannot_give_pairs_is_refused(folder):
    with pytest.raises(ValueError, match="count is 0"):
        pairs_of(folder, None, 0.0, count=0)
    with pytest.raises(IndexError):
        pairs_of(folder, None, 0.0)[2]


class UpTo:
    """Knows the truth as long as the dose, which is the level of the current image, is small."""

    def __init__(self, dose):
        self.name, self.settings, self.dose = f"up to {dose}", {}, dose

    def describe(self, image):
        return int(image[0, 0])

    def match(self, reference, current):
        if current > self.dose:
            return PointMatches.none()
        points = np.random.default_rng(0).uniform(0, 100, (30, 2)).astype(np.float32)
        return PointMatches(points, points, np.ones(30, np.float32))


def plain_pairs(suite, dose):
    images = np.zeros((100, 100), np.uint8), np.full((100, 100), int(dose), np.uint8)
    return [HomographyPair(f"{dose} {k}", *images, np.eye(3)) for k in range(5)]


SUITE = Suite("weight", "kg", "0", (1.0, 2.0, 3.0, 4.0), None)


def test_success_falls_where_a_method_fails():
    calls = []
    report = evaluate_stress(
        [UpTo(2), UpTo(9)], [SUITE], plain_pairs, lambda *step: calls.append(step)
    )
    weak = [level for level in report.levels if level.method == "up to 2"]
    assert [(level.dose, level.success) for level in weak] == [
        (0.0, 1), (1.0, 1), (2.0, 1), (3.0, 0), (4.0, 0)
    ]  # fmt: skip
    assert (weak[0].low, weak[0].high) == (pytest.approx(0.566, abs=1e-3), 1.0)
    assert weak[-1].median_error_px == np.inf
    assert [(s.method, s.success, s.pairs, s.calm_success) for s in report.summaries] == [
        ("up to 2", 0.5, 20, 1.0),
        ("up to 9", 1.0, 20, 1.0),
    ]
    assert [step[:2] for step in calls] == [(done, 50) for done in range(1, 51)]


def test_there_is_a_table_for_all_suites_and_one_for_each():
    report = to_json(evaluate_stress([UpTo(2), UpTo(9)], [SUITE], plain_pairs))
    overview, weight = report_tables("stress", report).values()
    assert overview.header == ("method", "no stress", "weight")
    assert overview.rows[0] == ("up to 2", "100 [57, 100]", "50 [50, 50]")
    assert weight.header == ("method", "0", "1", "2", "3", "4")
    assert weight.rows[0][-1] == "0 [0, 43]"
    assert (1, 5) in weight.best and (0, 5) not in weight.best


def test_sift_bears_a_quarter_turn_and_not_eight_grey_levels(folder):
    suites = [SUITES["rotation"], SUITES["low texture"]]
    few = [Suite(s.name, s.quantity, s.calm, (dose,), s.make)
           for s, dose in zip(suites, (90.0, 8.0), strict=True)]  # fmt: skip
    report = evaluate_stress([Sift()], few, lambda suite, dose: pairs_of(folder, suite, dose))
    turned, flat = report.summaries
    assert (turned.success, turned.calm_success, flat.success) == (1, 1, 0)
