"""Alignment on the images: to a fraction of a pixel, and never worse than it found the points."""

import cv2
import numpy as np
import pytest
from scenes import motion, texture, view

from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.appearance import mean_and_deviation
from coarse_loftr_ros.matching.corners import CornerFinder
from coarse_loftr_ros.matching.homography import transfer
from coarse_loftr_ros.matching.matcher import NetworkMatches
from coarse_loftr_ros.matching.refinement import RefinementSettings, refine
from coarse_loftr_ros.matching.viewpoint import fit_first_homography

PLANE = texture()


def disturbed(homography, error, seed=0):
    """Matches of two views at corners, whose current points are off by up to ``error`` px."""
    rng = np.random.default_rng(seed)
    corners = CornerFinder(NetworkSize(640, 480), 16).find(view(PLANE, np.eye(3))).first
    truth = transfer(homography, corners)
    inside = ((corners > 30) & (corners < (610, 450)) & (truth > 30) & (truth < (610, 450))).all(1)
    reference, truth = corners[inside], truth[inside]
    current = (truth + rng.uniform(-error, error, truth.shape)).astype(np.float32)
    ones = np.ones(len(truth), np.float32)
    return NetworkMatches(reference, current, ones, np.arange(len(truth))), truth


def refine_as_the_pipeline(matches, reference, current):
    first = fit_first_homography(matches)
    warp = first.matrix if first.explains() else None
    return refine(matches, reference, current, RefinementSettings(), warp)


@pytest.mark.parametrize(
    "homography",
    [motion(4, -3), motion(20, 10, 8, 1.1), motion(0, 0, 35, 1.3), motion(10, 0, 0, 0.8, 3e-4)],
)
def test_points_two_pixels_off_come_within_a_tenth(homography):
    matches, truth = disturbed(homography, 2.0)
    reference, current = view(PLANE, np.eye(3)), view(PLANE, homography, seed=1)
    refined = refine_as_the_pipeline(matches, reference, current)
    error = np.linalg.norm(refined.current - truth[refined.point], axis=1)
    assert len(refined) > 0.3 * len(matches)
    assert np.median(error) < 0.1
    assert np.percentile(error, 95) < 0.5


@pytest.mark.parametrize("off", [(0.3, 0.0), (-0.2, 0.25)])
def test_what_the_first_homography_is_wrong_by_does_not_stay_in_all_points(off):
    homography = motion(7.4, -3.7, 2, 1.02)
    matches, _ = disturbed(homography, 0.0)
    reference, current = view(PLANE, np.eye(3)), view(PLANE, homography, seed=1)
    warps = homography, motion(*off) @ homography
    exact, wrong = (
        refine(matches, reference, current, RefinementSettings(), warp) for warp in warps
    )
    _, first, second = np.intersect1d(exact.point, wrong.point, return_indices=True)
    apart = wrong.current[second] - exact.current[first]
    assert len(first) > 0.9 * len(exact)
    # One alignment leaves 4 to 6 % of it; residuals do not show what all points share.
    assert np.linalg.norm(np.median(apart, axis=0)) < 0.01 * np.linalg.norm(off)


def test_an_image_that_motion_has_blurred_keeps_points_that_are_right():
    homography = motion(8, -5, 3, 1.03)
    matches, truth = disturbed(homography, 2.0)
    reference = view(PLANE, np.eye(3))
    blurred = cv2.blur(view(PLANE, homography, seed=1), (21, 1))
    refined = refine_as_the_pipeline(matches, reference, blurred)
    error = np.linalg.norm(refined.current - truth[refined.point], axis=1)
    assert len(refined) > 0.3 * len(matches)
    assert np.median(error) < 0.7  # patches of the usual size: 150 points, 1.9 px


def test_a_darker_and_flatter_image_is_aligned_as_well():
    homography = motion(12, 5, 5)
    matches, truth = disturbed(homography, 2.0)
    dim = (view(PLANE, homography, seed=1) * 0.5 + 20).astype(np.uint8)
    refined = refine_as_the_pipeline(matches, view(PLANE, np.eye(3)), dim)
    error = np.linalg.norm(refined.current - truth[refined.point], axis=1)
    assert len(refined) > 0.3 * len(matches) and np.median(error) < 0.15


@pytest.mark.parametrize("period", [4, 8, 24])
def test_stripes_along_the_rows_are_no_change_of_brightness(period):
    """Steps, blinds, sleepers: rows some apart are all bright in one image, dark in the other."""
    homography = motion(3, period // 2, 0)
    matches, truth = disturbed(homography, 0.8)
    rows = np.arange(480)[:, None]
    reference, current = (
        (0.5 * plane + 64 + np.where(at % period < period / 2, 50, -50)).clip(0, 255)
        for plane, at in (
            (view(PLANE, np.eye(3)), rows),
            (view(PLANE, homography, seed=1), rows - period // 2),
        )
    )
    refined = refine(
        matches, reference.astype(np.uint8), current.astype(np.uint8), RefinementSettings()
    )
    error = np.linalg.norm(refined.current - truth[refined.point], axis=1)
    assert len(refined) > 0.4 * len(matches)
    assert np.median(error) < 0.15


@pytest.mark.parametrize("period", [2, 3, 4, 5, 8, 16, 24])
@pytest.mark.parametrize("phase", [0, 1])
def test_statistics_under_a_mask_are_those_of_all_rows_whatever_the_stripes(period, phase):
    rows = (np.arange(320)[:, None] + phase) % period
    image = np.repeat(np.where(rows < period / 2, 200, 40).astype(np.uint8), 448, axis=1)
    some = mean_and_deviation(image, np.full_like(image, 255))
    np.testing.assert_allclose(some, mean_and_deviation(image), atol=10)


def test_a_faint_scene_keeps_most_of_the_points_of_a_strong_one():
    homography = motion(3.4, -1.7)
    matches, truth = disturbed(homography, 1.0)
    images = [view(PLANE, np.eye(3)), view(PLANE, homography, seed=1)]
    strong = refine_as_the_pipeline(matches, *images)
    faint = refine_as_the_pipeline(matches, *(np.uint8(each * 0.15 + 100) for each in images))
    error = np.linalg.norm(faint.current - truth[faint.point], axis=1)
    assert len(faint) > 0.7 * len(strong)
    assert np.median(error) < 0.15


def test_points_that_do_not_follow_the_homography_keep_their_own_motion():
    homography = motion(10, 4, 3)
    matches, truth = disturbed(homography, 1.5)
    other = motion(10, 28, 3)
    reference, current = view(PLANE, np.eye(3)), view(PLANE, homography, seed=1)
    current[:, 400:] = view(PLANE, other, seed=1)[:, 400:]
    foreign = matches.reference[:, 0] > 440
    truth[foreign] = transfer(other, matches.reference[foreign].astype(float))
    matches.current[foreign] = truth[foreign] + 0.7
    refined = refine_as_the_pipeline(matches, reference, current)
    error = np.linalg.norm(refined.current - truth[refined.point], axis=1)
    kept_foreign = foreign[refined.point]
    assert kept_foreign.sum() > 0.3 * foreign.sum()
    assert np.median(error[kept_foreign]) < 0.15


def test_where_too_few_can_be_aligned_the_network_points_are_kept():
    matches, _ = disturbed(motion(3, 3), 1.0)
    grey = np.full((480, 640), 128, np.uint8)
    refined = refine(matches, grey, grey, RefinementSettings())
    assert len(refined) == len(matches)
    np.testing.assert_array_equal(refined.current, matches.current)


def test_unrelated_images_do_not_lend_their_points_false_precision():
    matches, _ = disturbed(motion(3, 3), 1.0)
    unrelated = view(texture(seed=9), np.eye(3))
    refined = refine_as_the_pipeline(matches, view(PLANE, np.eye(3)), unrelated)
    moved = np.linalg.norm(refined.current - matches.current[refined.point], axis=1) > 0
    assert moved.mean() < 0.35


def test_points_outside_the_image_and_at_infinity_do_no_harm():
    matches, _ = disturbed(motion(), 0.5)
    matches.current[:5] = np.inf
    matches.current[5:10] = -1e30
    matches.current[10:15] = np.nan
    image = view(PLANE, np.eye(3))
    refined = refine_as_the_pipeline(matches, image, image)
    assert np.isfinite(refined.current).all()
    assert not np.isin(np.arange(15), refined.point).any()


def test_disabled_refinement_gives_the_same_matches():
    matches, _ = disturbed(motion(), 0.5)
    image = view(PLANE, np.eye(3))
    assert refine(matches, image, image, RefinementSettings(enabled=False)) is matches


@pytest.mark.parametrize("window", [0, 15, -8])
def test_a_window_must_be_a_multiple_of_8(window):
    with pytest.raises(ValueError, match="window"):
        RefinementSettings(window=window)
