"""Pairs that the network cannot match as they are: turned, zoomed, lost and found again."""

import numpy as np
import pytest
from scenes import motion, texture, view

from coarse_loftr_lab.evaluation.metrics import mean_corner_error
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching import frame_matching, search
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
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
    monkeypatch.setattr(frame_matching, "FINE_ZOOM", np.inf)
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


def test_a_stream_that_tries_one_viewpoint_per_image_finds_far_views(pipeline):
    pipeline.match_settings = MatchSettings(search=SearchSettings(views=1))
    pipeline.process(seen(np.eye(3)))
    for step, truth in enumerate([turned(180), motion(9, 0), turned(-100, 0.4), turned(30, 3.0)]):
        result = pipeline.process(seen(truth, stamp=step + 1))
        assert result.homography.status != Status.LOST
        assert mean_corner_error(result.homography.matrix, truth, 640, 480) < 3


def test_an_image_that_matches_nothing_costs_no_more_viewpoints_than_set(pipeline, monkeypatch):
    tried = []

    def count(*arguments, **named):
        tried.append(arguments)
        return SearchResult(*arguments, **named)

    def propose(reference, current, side, most):
        return [turned(40 * k) for k in range(9)][:most]

    SearchResult = search.SearchResult
    monkeypatch.setattr(search, "propose_similarities", propose)
    monkeypatch.setattr(search, "SearchResult", count)
    other = Frame(view(texture(seed=3), START))
    for views in (0, 1, 3):
        tried.clear()
        pipeline.match_settings = MatchSettings(search=SearchSettings(views))
        pipeline.process_pair(seen(np.eye(3)), other)
        assert len(tried) == 1 + views  # one is the plain match


def test_pairs_that_match_as_they_are_need_no_keypoints(pipeline, monkeypatch):
    monkeypatch.setattr(search, "propose_similarities", None)
    for truth in (motion(9, 4), turned(20, 1.2)):
        assert pipeline.process_pair(seen(np.eye(3)), seen(truth)).homography.status == Status.OK


def test_the_points_of_a_window_share_no_identity_with_any_others(pipeline):
    """They are not the reference's points, and another image has another window."""
    pipeline.process(seen(np.eye(3)))
    ids = {}
    for step, truth in enumerate([motion(5, 0), turned(40, 3.0), motion(6, 0), turned(70, 3.2)]):
        result = pipeline.process(seen(truth, stamp=step + 1))
        assert mean_corner_error(result.homography.matrix, truth, 640, 480) < 3
        ids[step] = set(result.correspondences.track_id.tolist())
    assert ids[0] & ids[2]
    assert not ids[1] & (ids[0] | ids[2] | ids[3])
    assert not ids[3] & (ids[0] | ids[2])
    pipeline.set_keyframe()
    result = pipeline.process(seen(turned(71, 3.2), stamp=9))
    assert not set(result.correspondences.track_id.tolist()) & set().union(*ids.values())


@pytest.mark.parametrize("zoom", [0.2, 4.0])
def test_what_both_show_may_be_a_small_part_of_one(pipeline, zoom):
    """A plane so large that the farther view is full of it."""
    plane = texture(3000, 2400)
    far = motion(-1100, -900)
    near = turned(130, max(zoom, 1 / zoom)) @ far
    nearer, farther = (Frame(view(plane, each)) for each in (near, far))
    truth = far @ np.linalg.inv(near)
    if zoom < 1:
        homography = pipeline.process_pair(nearer, farther).homography
        matrix = homography.matrix
    else:
        homography = pipeline.process_pair(farther, nearer).homography
        matrix = np.linalg.inv(homography.matrix)
    assert homography.status != Status.LOST
    assert mean_corner_error(matrix, truth, 640, 480) < 3


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
