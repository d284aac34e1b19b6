"""Pairs that the network cannot match as they are: turned, zoomed, lost and found again."""

import numpy as np
import pytest
from scenes import motion, texture, view

from coarse_loftr_lab.evaluation.metrics import mean_corner_error
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching import frame_matching
from coarse_loftr_ros.matching.pipeline import MatchSettings, Pipeline, PipelineSettings
from coarse_loftr_ros.matching.reference_policy import Consecutive, Keyframe, KeyframeRule
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.matching.search import SearchSettings

PLANE = texture()
# The plane lies in front of the camera with a margin for turns.
START = motion(-130, -110)


@pytest.fixture(scope="module")
def shared():
    return Pipeline(PipelineSettings(threads=1), MatchSettings(), Consecutive())


@pytest.fixture
def pipeline(shared):
    shared.reset()
    shared.policy = Keyframe(KeyframeRule(min_inliers=10, min_coverage=0.0, max_age=0))
    shared.match_settings = MatchSettings(search=SearchSettings(views=11))
    return shared


def seen(homography, stamp=0):
    return Frame(view(PLANE, homography @ START, seed=stamp), stamp=stamp)


def turned(angle, zoom=1.0):
    """About the middle of the view."""
    return motion(0, 0, angle, zoom)


@pytest.mark.parametrize(
    ("angle", "zoom"),
    [(90, 1), (-90, 1), (180, 1), (65, 1), (140, 1), (0, 2.2), (0, 0.45), (100, 1.6)],
)
def test_turned_and_zoomed_pairs_are_matched_to_a_fraction_of_a_pixel(pipeline, angle, zoom):
    truth = turned(angle, zoom)
    result = pipeline.process_pair(seen(np.eye(3)), seen(truth))
    assert result.homography.status == Status.OK
    assert mean_corner_error(result.homography.matrix, truth, 640, 480) < 1.5


@pytest.mark.parametrize("zoom", [0.5, 2.0])
def test_zoomed_pairs_are_aligned_on_all_pixels(pipeline, monkeypatch, zoom):
    truth = turned(5, zoom)
    pairs = [(seen(np.eye(3), stamp), seen(truth, stamp + 1)) for stamp in range(0, 10, 2)]

    def error():
        found = [pipeline.process_pair(*pair).homography.matrix for pair in pairs]
        return np.median([mean_corner_error(matrix, truth, 640, 480) for matrix in found])

    fine = error()
    monkeypatch.setattr(frame_matching, "_ZOOMED", np.inf)
    assert fine < error()
    assert fine < 0.2 * max(1.0, zoom**2)


def test_few_matches_that_agree_are_looked_at_once_more(pipeline):
    """At the edge of what the network matches: a second pass separates right from chance."""
    found = {}
    for promising in (11, 22):
        search = SearchSettings(views=0, promising_inliers=promising, second_pass=10)
        pipeline.match_settings = MatchSettings(search=search)
        found[promising] = [
            pipeline.process_pair(seen(np.eye(3)), seen(turned(angle))).homography.status
            for angle in (45, 50, 55, 60)
        ]
    assert found[11].count(Status.OK) > found[22].count(Status.OK)


def test_without_search_they_are_lost(pipeline):
    pipeline.match_settings = MatchSettings(search=SearchSettings(views=0))
    result = pipeline.process_pair(seen(np.eye(3)), seen(turned(120)))
    assert result.homography.status == Status.LOST


def test_search_finds_nothing_between_unrelated_images(pipeline):
    other = Frame(view(texture(seed=3), START))
    result = pipeline.process_pair(seen(np.eye(3)), other)
    assert result.homography.status == Status.LOST
    assert not result.correspondences.inlier.any()


def test_a_keyframe_is_followed_through_a_full_turn_without_a_search(pipeline):
    """Each frame is matched from where the one before it was seen."""
    pipeline.match_settings = MatchSettings(search=SearchSettings(views=0))
    pipeline.process(seen(np.eye(3)))
    for step in range(1, 25):
        truth = turned(15.0 * step)
        result = pipeline.process(seen(truth, stamp=step))
        assert result.homography.status == Status.OK, f"{15 * step} degrees"
        assert mean_corner_error(result.homography.matrix, truth, 640, 480) < 1.0


def test_a_wrong_expectation_does_no_harm(pipeline):
    """The camera jumps back while the pipeline expects it far away."""
    pipeline.process(seen(np.eye(3)))
    pipeline.process(seen(turned(50), stamp=1))
    result = pipeline.process(seen(turned(2), stamp=2))
    assert result.homography.status == Status.OK
    assert mean_corner_error(result.homography.matrix, turned(2), 640, 480) < 0.5


def test_a_stream_that_tries_one_viewpoint_per_frame_gets_through_all_of_them(pipeline):
    pipeline.match_settings = MatchSettings(search=SearchSettings(views=1))
    pipeline.policy = Keyframe(
        KeyframeRule(min_inliers=10, min_coverage=0.0, max_age=0, lost_patience=100)
    )
    pipeline.process(seen(np.eye(3)))
    states = [pipeline.process(seen(turned(180), stamp=i)).homography.status for i in range(1, 13)]
    assert states[0] == Status.LOST and states[-1] == Status.OK
    assert states.index(Status.OK) <= 11


def test_the_search_of_a_stream_goes_on_where_it_stopped_whatever_pairs_come_between(pipeline):
    pipeline.match_settings = MatchSettings(search=SearchSettings(views=1))

    def found_at():
        pipeline.reset()
        pipeline.policy = Keyframe(KeyframeRule(min_inliers=10, min_coverage=0.0, lost_patience=99))
        pipeline.process(seen(np.eye(3)))
        for step in range(1, 13):
            pair = pipeline.process_pair(seen(np.eye(3)), seen(motion(9, 0)))
            assert pair.homography.status == Status.OK
            if pipeline.process(seen(turned(180), stamp=step)).homography.status == Status.OK:
                return step
        return None

    first = found_at()
    assert first is not None and first > 1
    assert found_at() == first  # a reset starts the search afresh


def test_the_new_reference_of_a_far_frame_is_the_frame_as_it_is(pipeline):
    """After a match through a warped image, the frame itself is encoded before it serves."""
    pipeline.process(seen(np.eye(3)))
    pipeline.process(seen(turned(60), stamp=1))
    pipeline.process(seen(turned(62), stamp=2))
    assert pipeline.set_keyframe().stamp == 2
    result = pipeline.process(seen(turned(64), stamp=3))
    truth = turned(64) @ np.linalg.inv(turned(62))
    assert mean_corner_error(result.homography.matrix, truth, 640, 480) < 0.3


def test_a_negative_number_of_viewpoints_is_refused():
    with pytest.raises(ValueError, match="search views is -1"):
        SearchSettings(views=-1)
