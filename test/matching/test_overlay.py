"""The picture of a match result."""

from __future__ import annotations

import numpy as np
import pytest

from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.overlay import draw_overlay
from coarse_loftr_ros.matching.result import Correspondences, Homography, MatchResult, Status


def result(status: Status, count: int = 1, width: int = 320, height: int = 240) -> MatchResult:
    """Points on a row that move 40 px to the right in a black image."""
    frame = Frame(np.zeros((height, width), np.uint8))
    y = np.linspace(20, height - 21, count)
    reference = np.stack([np.full(count, 60.0), y], 1).astype(np.float32)
    lost = status == Status.LOST
    matrix = np.eye(3) if lost else np.array([[1, 0, 40], [0, 1, 0], [0, 0, 1.0]])
    inlier = np.full(count, not lost)
    points = Correspondences(
        reference,
        reference + np.float32([40, 0]),
        np.ones(count, np.float32),
        np.arange(count, dtype=np.uint32),
        inlier,
    )
    homography = Homography(matrix, count, int(inlier.sum()), count, 0.0, 0.1, status)
    return MatchResult(frame, frame, points, homography)


@pytest.mark.parametrize("status", Status)
def test_picture_is_the_image_below_a_banner(status):
    picture = draw_overlay(result(status))
    banner = picture.shape[0] - 240
    assert picture.dtype == np.uint8
    assert picture.shape[1:] == (320, 3)
    assert 10 < banner < 60


def test_an_inlier_is_a_coloured_line_and_an_outlier_a_grey_one():
    for status, coloured in ((Status.OK, True), (Status.LOST, False)):
        picture = draw_overlay(result(status))
        line = picture[picture.shape[0] - 240 + 20, 70:90].astype(int)
        assert (line.max(axis=1) > 60).all()
        assert (np.ptp(line, axis=1).max() > 50) == coloured


def test_outline_follows_the_homography():
    picture = draw_overlay(result(Status.OK))
    image = picture[-240:].astype(int)
    assert (image[100:140, 40].max(axis=1) > 100).all()
    assert image[230:, :30].max() < 60


def test_no_more_lines_than_asked_for():
    many = result(Status.LOST, 200)
    rows = [
        np.count_nonzero(draw_overlay(many, lines)[-240:, 70:90].max(axis=(1, 2)) > 60)
        for lines in (5, 50)
    ]
    assert 5 <= rows[0] <= 15 < rows[1]


@pytest.mark.parametrize("size", [(33, 20), (4000, 60), (60, 2000)])
def test_any_size_can_be_drawn(size):
    width, height = size
    assert draw_overlay(result(Status.DEGRADED, 3, width, max(height, 42))).shape[1] == width


def test_no_matches_can_be_drawn():
    draw_overlay(result(Status.LOST, 0))
