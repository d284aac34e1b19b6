"""Which moments of a recording are kept as the worst ones."""

import cv2
import numpy as np

from coarse_loftr_ros.fleet.moments import WorstMoments
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.result import Correspondences, Homography, MatchResult, Status

SECOND = 1_000_000_000


def matched(seconds, status=Status.OK, coverage=0.9):
    """A match of an image with one a tenth of a second before."""
    stamp = round(seconds * SECOND)
    frames = [
        Frame(np.full((48, 64), 99, np.uint8), each, "camera")
        for each in (stamp - SECOND // 10, stamp)
    ]
    points = Correspondences(
        np.zeros((0, 2), np.float32),
        np.zeros((0, 2), np.float32),
        np.zeros(0, np.float32),
        np.zeros(0, np.uint32),
        np.zeros(0, bool),
    )
    return MatchResult(*frames, points, Homography(np.eye(3), 0, 0, 0, 0.0, coverage, status))


def worst(results, folder):
    moments = WorstMoments()
    for result in results:
        moments.offer(result)
    return moments.write(folder)


def test_the_worst_are_kept_by_status_and_then_by_coverage(tmp_path):
    results = [
        matched(10, coverage=0.2),
        matched(12, Status.LOST, 0.0),
        matched(14, coverage=0.1),
        matched(16, Status.DEGRADED, 0.8),
        matched(18, coverage=0.9),
    ]
    for order in (results, results[::-1]):
        captions = worst(order, tmp_path)
        assert [(each["status"], each["coverage"]) for each in captions] == [
            ("LOST", 0.0), ("DEGRADED", 0.8), ("OK", 0.1),
        ]  # fmt: skip
    assert [each["picture"] for each in captions] == [f"moment_{k}.webp" for k in (1, 2, 3)]
    for each in captions:
        assert cv2.imread(str(tmp_path / each["picture"])).shape[0] == 48


def test_of_one_second_the_worst_image_alone_is_kept(tmp_path):
    drop = [matched(10 + k / 10, coverage=c) for k, c in enumerate((0.5, 0.3, 0.1, 0.2, 0.4))]
    captions = worst([*drop, matched(20, coverage=0.6)], tmp_path)
    assert [(each["coverage"], round(each["after"], 6)) for each in captions] == [
        (0.1, 0.3), (0.6, 10.1),
    ]  # fmt: skip
