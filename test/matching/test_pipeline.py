"""Frames in, results out: the reference's life, resets, track ids, coordinates, determinism."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from scenes import corner_error, motion, texture, view

from coarse_loftr_ros.backends.base import Reports
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.homography import transfer
from coarse_loftr_ros.matching.homography_estimate import HomographySettings
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
from coarse_loftr_ros.matching.reference_policy import Consecutive, Keyframe, KeyframeRule
from coarse_loftr_ros.matching.result import Status

PLANE = texture()


def frame(step, **changes):
    """A camera that moves 6 px to the side and turns half a degree at each step."""
    truth = motion(6.0 * step, 2.0 * step, 0.5 * step)
    values = {
        "image": view(PLANE, truth, seed=step), "stamp": step * 33_000_000, "frame_id": "camera",
    }  # fmt: skip
    return Frame(**{**values, **changes})


def between(first, second):
    a, b = (motion(6.0 * s, 2.0 * s, 0.5 * s) for s in (first, second))
    return b @ np.linalg.inv(a)


def test_the_first_frame_becomes_the_reference(pipeline):
    first = frame(0)
    assert pipeline.process(first) is None
    assert pipeline.reference is first


def test_consecutive_frames_are_matched_to_a_fraction_of_a_pixel(pipeline):
    pipeline.process(frame(0))
    for step in (1, 2, 3):
        result = pipeline.process(frame(step))
        assert result.reference.stamp == (step - 1) * 33_000_000
        assert result.current.stamp == step * 33_000_000
        assert result.homography.status == Status.OK
        assert corner_error(result.homography.matrix, between(step - 1, step), 640, 480) < 0.5


def test_correspondences_are_float32_and_within_both_images(pipeline):
    pipeline.process(frame(0))
    points = pipeline.process(frame(1)).correspondences
    n = len(points)
    assert points.reference_points.shape == points.current_points.shape == (n, 2)
    assert points.reference_points.dtype == points.current_points.dtype == np.float32
    assert points.track_id.dtype == np.uint32 and points.inlier.dtype == np.bool_
    for side in (points.reference_points, points.current_points):
        assert (side >= -0.5).all() and (side <= (639.5, 479.5)).all()
    assert (points.confidence > 0).all() and (points.confidence <= 1).all()


@pytest.mark.parametrize("policy", [Consecutive, Keyframe])
def test_equal_images_give_equal_matches_after_a_time_jump_and_a_reset(pipeline, policy):
    pipeline.policy = policy()
    covered = np.zeros((480, 640), np.uint8)
    frames = [frame(0), frame(1), frame(2), frame(3, image=covered), frame(4), frame(5)]

    def points():
        results = [pipeline.process(each) for each in frames]
        assert results[0] is None
        return [
            (r.reference.stamp, r.new_reference, r.correspondences.current_points.tobytes())
            for r in results[1:]
        ]

    first = points()
    assert points() == first  # time goes back
    pipeline.reset()
    assert points() == first


def test_a_keyframe_stays_and_its_tracks_keep_their_identity(pipeline):
    pipeline.policy = Keyframe(KeyframeRule(min_inliers=10, min_coverage=0.0, max_age=0))
    key = frame(0)
    pipeline.process(key)
    results = [pipeline.process(frame(step)) for step in range(1, 5)]
    assert all(r.reference is key and r.new_reference == "" for r in results)
    places = {}
    for points in (r.correspondences for r in results):
        for track, place in zip(points.track_id, points.reference_points, strict=True):
            assert np.array_equal(places.setdefault(track, place), place)
    common = set.intersection(*(set(r.correspondences.track_id) for r in results))
    assert len(common) > 100


def test_track_ids_of_different_references_differ(pipeline):
    pipeline.process(frame(0))
    first, second = (set(pipeline.process(frame(s)).correspondences.track_id) for s in (1, 2))
    assert not first & second


def test_a_replaced_keyframe_says_why(pipeline):
    pipeline.policy = Keyframe(KeyframeRule(max_age=2))
    pipeline.process(frame(0))
    assert pipeline.process(frame(1)).new_reference == ""
    assert pipeline.process(frame(2)).new_reference == "age 2 frames"
    assert pipeline.reference.stamp == 2 * 33_000_000


@pytest.mark.parametrize(("turn_deg", "status"), [(0.0, Status.OK), (40.0, Status.DEGRADED)])
def test_confidence_is_asked_for_where_an_image_is_seen_from_elsewhere(pipeline, turn_deg, status):
    """Of several viewpoints one may agree by chance; what matches as it is had no choice."""
    sure = HomographySettings(good_confidence=1.0)
    pipeline.match_settings = replace(pipeline.match_settings, homography=sure)
    turned = Frame(view(PLANE, motion(6.0, 2.0, turn_deg), seed=1))
    homography = pipeline.process_pair(frame(0), turned).homography
    assert homography.inlier_count > 300
    assert homography.status == status
    assert ("confidence" in homography.reason) == (status == Status.DEGRADED)


@pytest.mark.parametrize("before", [Status.OK, Status.DEGRADED])
def test_what_is_followed_is_trusted_as_it_was_trusted_before(pipeline, before):
    """A stream that goes on where it was sure chooses nothing; a doubt does not wear off."""
    asking = HomographySettings(good_confidence=1.0)

    def turned(degrees):
        image = view(PLANE, motion(6.0, 2.0, degrees), seed=int(degrees))
        return Frame(image, stamp=int(degrees) * 33_000_000, frame_id="camera")

    if before == Status.DEGRADED:
        pipeline.match_settings = replace(pipeline.match_settings, homography=asking)
    pipeline.policy = Keyframe()
    pipeline.process(turned(0.0))
    assert pipeline.process(turned(20.0)).homography.status == before
    pipeline.match_settings = replace(pipeline.match_settings, homography=asking)
    for degrees in (22.0, 24.0):
        assert pipeline.process(turned(degrees)).homography.status == before


def test_an_unrelated_image_is_lost(pipeline):
    pipeline.process(frame(0))
    other = Frame(view(texture(seed=7), np.eye(3)), stamp=10**9, frame_id="camera")
    result = pipeline.process(other)
    assert result.homography.status == Status.LOST
    assert not result.correspondences.inlier.any()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_image_is_lost_and_harmless(pipeline, level):
    pipeline.process(frame(0))
    blank = Frame(np.full((480, 640), level, np.uint8), stamp=10**9, frame_id="camera")
    assert pipeline.process(blank).homography.status == Status.LOST
    back = pipeline.process(frame(40))
    assert back.homography.status == Status.LOST
    assert pipeline.process(frame(41)).homography.status == Status.OK


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"stamp": 5}, "time went back by"),
        ({"encoding": "bgr8"}, "encoding changed from mono8 to bgr8"),
        ({"frame_id": "rear"}, "frame_id changed from 'camera' to 'rear'"),
    ],
)
def test_a_break_in_the_stream_resets_the_reference(pipeline, changes, why):
    pipeline.process(frame(3))
    broken = frame(4, **changes)
    assert why in pipeline.discontinuity(broken)
    assert pipeline.process(broken) is None
    assert pipeline.reference is broken


def test_another_resolution_resets_the_reference_and_then_works():
    sentences = []
    pipeline = Pipeline(
        PipelineSettings(threads=1),
        MatchSettings(),
        Consecutive(),
        reports=Reports(sentences.append),
    )
    pipeline.process(frame(0))
    small = [Frame(f.image[::2, ::2].copy(), f.stamp, "camera") for f in (frame(1), frame(2))]
    assert "resolution changed from 640x480 to 320x240" in pipeline.discontinuity(small[0])
    assert pipeline.process(small[0]) is None
    result = pipeline.process(small[1])
    assert result.homography.status == Status.OK
    loaded = [sentence for sentence in sentences if "loaded in" in sentence]
    assert len(loaded) == 2 and "320x256" in loaded[1]
    assert all(sentence.startswith("backend auto: takes") for sentence in sentences[::2])


@pytest.mark.parametrize("size", [(1280, 960), (1226, 370), (500, 700)])
def test_points_are_in_pixels_of_the_image_as_received(pipeline, size):
    width, height = size
    plane = texture(1500, 1200)
    truth = np.array([[1, 0, 17.0], [0, 1, -11.0], [0, 0, 1]])
    a, b = (Frame(view(plane, m, width, height)) for m in (np.eye(3), truth))
    result = pipeline.process_pair(a, b)
    points = result.correspondences
    error = points.current_points - transfer(truth, points.reference_points)
    assert corner_error(result.homography.matrix, truth, width, height) < 0.5
    assert np.abs(np.median(error, axis=0)).max() < 0.1


def test_larger_images_are_aligned_on_finer_pixels_than_the_network_sees():
    plane = texture(1500, 1200)
    truth = np.array([[1.02, 0.01, 17.3], [-0.01, 0.99, -11.4], [0, 0, 1]])
    frames = [Frame(view(plane, m, 1280, 960, noise=0.3)) for m in (np.eye(3), truth)]

    def median_error(detail_pixels):
        settings = PipelineSettings(threads=1, detail_pixels=detail_pixels)
        points = Pipeline(settings, MatchSettings(), Consecutive()).process_pair(*frames)
        points = points.correspondences
        error = points.current_points - transfer(truth, points.reference_points)
        return np.median(np.linalg.norm(error, axis=1))

    assert median_error(1280 * 960) < 0.7 * median_error(512 * 384)


def test_the_mask_keeps_matches_off_the_robots_own_arm(pipeline):
    mask = np.full((480, 640), 255, np.uint8)
    mask[:, :320] = 0
    result = pipeline.process_pair(frame(0, mask=mask), frame(1))
    assert len(result.correspondences) > 50
    assert (result.correspondences.reference_points[:, 0] > 319).all()
    result = pipeline.process_pair(frame(0), frame(1, mask=mask))
    assert len(result.correspondences) > 50
    assert (result.correspondences.current_points[:, 0] > 319).all()


def test_two_runs_give_the_same_bits(pipeline):
    def run():
        pipeline.reset()
        return [pipeline.process(frame(step)) for step in range(4)][1:]

    for first, second in zip(run(), run(), strict=True):
        assert first.homography.matrix.tobytes() == second.homography.matrix.tobytes()
        a, b = first.correspondences, second.correspondences
        assert a.current_points.tobytes() == b.current_points.tobytes()
        assert a.confidence.tobytes() == b.confidence.tobytes()


def test_a_pipeline_that_starts_over_gives_the_track_ids_of_a_new_one(pipeline):
    def run():
        pipeline.start_over()
        results = [pipeline.process(frame(step)) for step in range(3)][1:]
        return [result.correspondences.track_id.tobytes() for result in results]

    assert run() == run()


def test_settings_may_change_between_two_frames(pipeline):
    pipeline.process(frame(0))
    assert len(pipeline.process(frame(1)).correspondences) > 100
    pipeline.match_settings = MatchSettings(max_matches=50)
    assert len(pipeline.process(frame(2)).correspondences) <= 50


def test_timings_name_every_stage_and_add_up(pipeline):
    pipeline.process(frame(0))
    timings = pipeline.process(frame(1)).timings_ms
    assert list(timings) == ["encode", "match", "refine", "homography", "total"]
    assert timings["total"] == pytest.approx(sum(list(timings.values())[:-1]))


@pytest.mark.parametrize("bad", [{"confidence_threshold": 1.5}, {"max_matches": 3}])
def test_match_settings_that_make_no_sense_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        MatchSettings(**bad)


@pytest.mark.parametrize(
    "bad",
    [{"network_pixels": 16}, {"network_pixels": 2**23}, {"detail_pixels": 0}, {"threads": -1}],
)
def test_pipeline_settings_that_make_no_sense_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        PipelineSettings(**bad)


def test_the_newest_frame_becomes_the_keyframe_after_a_pair_of_another_size(pipeline):
    pipeline.policy = Keyframe()
    pipeline.process(frame(0))
    newest = frame(1)
    pipeline.process(newest)
    wide = Frame(frame(0).image[:240])
    pipeline.process_pair(wide, wide)
    assert pipeline.set_keyframe() is newest
    assert pipeline.process(frame(2)).homography.status == Status.OK


@pytest.mark.parametrize("policy", [Consecutive, Keyframe])
def test_a_second_thread_changes_no_result(pipeline, policy):
    """Consecutive references have corners that another thread found; one thread has none."""
    frames = [frame(step) for step in range(4)]
    two_threads = Pipeline(PipelineSettings(threads=2), MatchSettings(), policy())
    pipeline.policy = policy()
    pipeline.start_over()  # track ids are counted from the beginning
    for each in frames:
        alone, beside = pipeline.process(each), two_threads.process(each)
        if alone is not None:
            for name in ("reference_points", "current_points", "track_id", "inlier"):
                np.testing.assert_array_equal(
                    getattr(alone.correspondences, name), getattr(beside.correspondences, name)
                )


def test_one_thread_starts_no_other_for_corners():
    def corner_threads_of(threads):
        before = set(threading.enumerate())
        pipeline = Pipeline(PipelineSettings(threads=threads), MatchSettings(), Consecutive())
        for step in range(3):
            pipeline.process(frame(step))
        started = set(threading.enumerate()) - before
        return pipeline, [each for each in started if each.name.startswith("corners")]

    assert corner_threads_of(threads=1)[1] == []
    pipeline, [thread] = corner_threads_of(threads=2)
    del pipeline
    thread.join(10.0)
    assert not thread.is_alive()
