"""The estimator finds the truth among outliers and says how far to trust it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import corner_error, motion

from coarse_loftr_ros.matching.homography import fit_homography, polished, transfer
from coarse_loftr_ros.matching.homography_estimate import (
    HomographySettings,
    coverage,
    estimate_homography,
)
from coarse_loftr_ros.matching.result import Status

TRUTH = motion(dx=25, dy=-12, degrees=14, zoom=1.15, tilt=1.5e-4)


def matches(count=300, outliers=0.0, noise=0.3, seed=0, area=(640, 480)):
    rng = np.random.default_rng(seed)
    reference = rng.uniform((0, 0), area, (count, 2))
    current = transfer(TRUTH, reference) + rng.standard_normal((count, 2)) * noise
    wrong = rng.random(count) < outliers
    current[wrong] = rng.uniform((0, 0), (640, 480), (int(wrong.sum()), 2))
    return reference.astype(np.float32), current.astype(np.float32), wrong


def estimate(reference, current, **settings):
    return estimate_homography(reference, current, 640, 480, HomographySettings(**settings))


def test_good_matches_give_the_true_homography_and_ok():
    homography, inlier = estimate(*matches()[:2])
    assert homography.status == Status.OK and homography.reason == ""
    assert corner_error(homography.matrix, TRUTH, 640, 480) < 0.3
    assert homography.inlier_count == inlier.sum() > 290
    assert 0.25 < homography.rms_px < 0.6  # noise of 0.3 px in x and in y


def test_outliers_are_named_and_do_not_bend_the_homography():
    reference, current, wrong = matches(outliers=0.4)
    homography, inlier = estimate(reference, current)
    assert corner_error(homography.matrix, TRUTH, 640, 480) < 0.5
    assert (inlier & wrong).sum() <= 2
    assert (inlier & ~wrong).sum() > 0.95 * (~wrong).sum()


@pytest.mark.parametrize("seed", range(4))
def test_a_nearer_surface_beside_a_small_common_part_does_not_turn_the_plane(seed):
    """A quarter of the matches, at one side, is 1 to 4 px off: within the threshold."""
    reference, current, _ = matches(400, noise=0.2, seed=seed, area=(250, 200))
    nearer = (reference[:, 0] > 190) & (reference[:, 1] > 40)
    current[nearer, 0] += np.linspace(1, 4, np.count_nonzero(nearer), dtype=np.float32)
    one_step = fit_homography(reference, current, 4.0)
    agreeing = one_step.inlier
    one_step = polished(one_step.matrix, reference[agreeing], current[agreeing])
    settled = estimate(reference, current, threshold_px=4.0)[0].matrix
    ours, before = (corner_error(each, TRUTH, 640, 480) for each in (settled, one_step))
    assert ours < 0.6 * before, (ours, before)


def test_random_matches_are_lost():
    rng = np.random.default_rng(1)
    a, b = (rng.uniform((0, 0), (640, 480), (200, 2)).astype(np.float32) for _ in range(2))
    homography, inlier = estimate(a, b)
    assert homography.status == Status.LOST
    assert "cells, fewer than 15" in homography.reason
    assert not inlier.any() and homography.inlier_count == 0
    assert np.array_equal(homography.matrix, np.eye(3)) and homography.rms_px == np.inf


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_matches_are_lost(count):
    homography, inlier = estimate(*matches(count)[:2])
    assert homography.status == Status.LOST and len(inlier) == count


def test_matches_in_one_corner_are_degraded_for_their_coverage():
    homography, _ = estimate(*matches(area=(100, 80))[:2])
    assert homography.status == Status.DEGRADED
    assert "coverage" in homography.reason


def test_a_scene_that_mostly_does_not_follow_the_homography_is_degraded():
    homography, _ = estimate(*matches(outliers=0.7)[:2])
    assert homography.status == Status.DEGRADED
    assert "inlier ratio" in homography.reason


def two_motions(area, seen_through=False):
    """100 matches of a scene, then 250 of something that moves within an area."""
    rng = np.random.default_rng(5)
    scene = rng.uniform((0, 0), (640, 480), (1000, 2))
    covered = ((scene > area[0]) & (scene < area[1])).all(axis=1)
    scene = scene[seen_through | ~covered][:100]
    mover = rng.uniform(*area, (250, 2))
    elsewhere = motion(dx=-60, dy=40, degrees=-8, zoom=1.0, tilt=0.0)
    current = np.concatenate([transfer(TRUTH, scene), transfer(elsewhere, mover)])
    return np.concatenate([scene, mover]).astype(np.float32), current.astype(np.float32)


def test_a_scene_is_followed_not_what_moves_in_front_of_it_with_more_texture():
    homography, inlier = estimate(*two_motions(((180, 120), (420, 330))))
    assert corner_error(homography.matrix, TRUTH, 640, 480) < 0.5
    assert (inlier == (np.arange(350) < 100)).all()
    assert homography.status == Status.DEGRADED and "inlier ratio 0.29" in homography.reason


@pytest.mark.parametrize(
    ("area", "seen_through"),
    [(((180, 120), (420, 330)), True), (((0, 180), (640, 480)), False)],
    ids=["seen through each other", "side by side"],
)
def test_of_two_planes_of_a_scene_the_one_with_most_matches_is_followed(area, seen_through):
    _, inlier = estimate(*two_motions(area, seen_through))
    assert inlier[100:].all() and inlier[:100].sum() < 5


@pytest.mark.parametrize("good_inliers", [0, 1])
def test_a_user_may_ask_for_no_inliers_at_all(good_inliers):
    homography, _ = estimate(*matches(outliers=0.1)[:2], good_inliers=good_inliers)
    assert homography.status == Status.OK


def test_matches_that_the_network_doubts_are_degraded_however_well_they_agree():
    reference, current, _ = matches()
    doubted = np.linspace(0.5, 0.98, len(reference)).astype(np.float32)
    for confidence, status in ((doubted, Status.DEGRADED), (doubted + 0.12, Status.OK)):
        homography, inlier = estimate_homography(
            reference, current, 640, 480, HomographySettings(), confidence=confidence
        )
        assert homography.status == status
        assert inlier.sum() > 290
        assert ("confidence 0.74 below 0.85" in homography.reason) == (status != Status.OK)


def test_a_mirrored_view_is_lost():
    reference, _, _ = matches(noise=0)
    homography, _ = estimate(reference, (reference * (-1, 1) + (639, 0)).astype(np.float32))
    assert homography.status == Status.LOST and homography.inlier_count == 0


def test_a_collapsed_view_is_implausible():
    reference, _, _ = matches(noise=0)
    homography, _ = estimate(reference, (reference * 0.02 + 100).astype(np.float32))
    assert homography.status == Status.LOST and "area" in homography.reason


def test_the_same_matches_give_the_same_bits():
    reference, current, _ = matches(outliers=0.5)
    first, _ = estimate(reference, current)
    for _ in range(5):
        again, _ = estimate(reference, current)
        assert first.matrix.tobytes() == again.matrix.tobytes()


@given(st.lists(st.tuples(st.floats(0, 639), st.floats(0, 479)), max_size=80))
def test_coverage_is_a_share_that_never_falls_with_more_points(points):
    points = np.array(points).reshape(-1, 2)
    shares = [coverage(points[:n], 640, 480) for n in range(len(points) + 1)]
    assert shares == sorted(shares) and shares[0] >= 0 and shares[-1] <= 1
    assert {type(share) for share in shares} == {float}


@settings(max_examples=50)
@given(st.floats(-40, 40), st.floats(-40, 40), st.floats(-90, 90), st.floats(0.5, 2))
def test_transfer_by_the_inverse_comes_back(dx, dy, degrees, zoom):
    matrix = motion(dx, dy, degrees, zoom)
    points = np.array([[0, 0], [639, 0], [320, 200.5]])
    np.testing.assert_allclose(
        transfer(np.linalg.inv(matrix), transfer(matrix, points)), points, atol=1e-6
    )


def test_points_behind_the_camera_are_infinitely_far():
    tilted = motion(tilt=0.01)
    assert np.isinf(transfer(tilted, np.array([[0.0, 240.0]]))).all()


@pytest.mark.parametrize("bad", [{"threshold_px": 0}, {"threshold_px": -1}, {"min_inliers": 3}])
def test_settings_that_make_no_sense_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        HomographySettings(**bad)


def test_matches_of_one_cell_count_once_for_the_status():
    reference, current, _ = matches(30)
    pairs = np.repeat(np.arange(15), 2)

    def estimate_of(cell):
        settings = HomographySettings(min_inliers=20)
        return estimate_homography(reference, current, 640, 480, settings, cell=cell)[0]

    assert estimate_of(None).status != Status.LOST
    lost = estimate_of(pairs)
    assert lost.status == Status.LOST
    assert lost.reason == "inliers in 15 cells, fewer than 20"
