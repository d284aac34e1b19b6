"""What diagnostics say of given numbers."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from diagnostic_msgs.msg import DiagnosticStatus

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.matching.result import Homography, MovingShare, Status
from coarse_loftr_ros.node.common.defects import Defects
from coarse_loftr_ros.node.common.diagnostics import idle_status
from coarse_loftr_ros.node.common.input_diagnostics import Expectations, input_status
from coarse_loftr_ros.node.common.statistics import InputStatistics, Snapshot, Statistics
from coarse_loftr_ros.node.matcher.diagnostics import matching_status
from coarse_loftr_ros.node.odometry.diagnostics import odometry_status
from coarse_loftr_ros.odometry.estimate import OdometryEstimate, Scale

OK = Homography(np.eye(3), 100, 90, 60, 0.5, 0.8, Status.OK)
LOST = Homography(
    np.eye(3), 5, 0, 0, float("inf"), 0.0, Status.LOST, "no homography fits 5 matches"
)

ESTIMATE = OdometryEstimate(
    stamp=2,
    reference_stamp=1,
    pose=Pose.identity(),
    covariance=np.eye(6),
    relative=Pose.identity(),
    relative_covariance=np.eye(6),
    status=Status.OK,
    reason="",
    scale=Scale.UNIT,
    matches=50,
    landmarks=0,
    inliers=40,
    timing_ms=1.0,
)


IMAGES = Expectations("image", 2.0, lambda names: f"ask {names}")
BOTH = ("left", "right")


def after(statistics: Statistics, seconds: float, **inputs: InputStatistics) -> Snapshot:
    """The numbers when the last result, the start and what came next are so many seconds ago."""
    now = statistics.snapshot()
    inputs = now.inputs | inputs
    return dataclasses.replace(
        now, inputs=inputs, active_s=seconds, since_result_s=seconds, waiting_s=seconds
    )


def values(status: DiagnosticStatus) -> dict[str, str]:
    return {pair.key: pair.value for pair in status.values}


def test_counts_and_percentiles():
    statistics = Statistics()
    for ms in range(1, 101):
        statistics.received()
        statistics.published(OK, {"encode": float(ms)})
    statistics.count("skipped", 2)
    statistics.rejected("step")
    snapshot = statistics.snapshot()
    assert snapshot.counts == {"published": 100, "OK": 100, "skipped": 2}
    assert snapshot.received == 100
    assert snapshot.rejected == {"step": 1}
    assert snapshot.latency_ms["encode"] == pytest.approx((50.5, 95.05))
    assert snapshot.inputs[""].rate_hz > 0


def test_rejections_warn_once_and_stay_counted():
    statistics = Statistics()
    statistics.received()
    statistics.rejected("encoding")
    first = statistics.snapshot()
    status = input_status("/matcher", first, None, IMAGES)
    assert status.level == DiagnosticStatus.WARN
    assert status.message == "unusable messages: 1 encoding"
    later = input_status("/matcher", statistics.snapshot(), first, IMAGES)
    assert later.level == DiagnosticStatus.OK
    assert values(later)["rejected: encoding"] == "1"


def test_silence_warns_with_its_cause():
    snapshot = dataclasses.replace(
        Statistics().snapshot(), inputs={"": InputStatistics(0, 0.0, 7.0)}
    )
    status = input_status("/matcher", snapshot, None, IMAGES)
    assert status.level == DiagnosticStatus.WARN
    assert status.message == "no image for 7.0 s: ask ['']"


def test_a_dead_eye_is_named_and_no_result_is_an_error_when_it_lasts():
    """Thirty images a second of the left eye, none of the right one any more."""
    statistics = Statistics(BOTH)
    statistics.published(OK, {})
    statistics.lost("unpaired left", 210)
    cameras = {"left": InputStatistics(900, 30.0, 0.01), "right": InputStatistics(690, 0.0, 7.0)}
    status = input_status("/m", after(statistics, 7.0, **cameras), None, IMAGES)
    assert status.level == DiagnosticStatus.WARN
    assert status.message == "no right image for 7.0 s: ask ['right']"
    assert values(status)["input rate (Hz) left"] == "30.0"
    assert (values(status)["received"], values(status)["received right"]) == ("1590", "690")
    for seconds, level in (
        (1.0, DiagnosticStatus.OK),
        (3.0, DiagnosticStatus.WARN),
        (7.0, DiagnosticStatus.ERROR),
    ):
        snapshot = after(statistics, seconds, **cameras)
        assert matching_status("/m", snapshot, None, IMAGES, "b", "n").level == level
    assert matching_status("/m", snapshot, None, IMAGES, "b", "n").message == (
        "images come, nothing was published for 7.0 s: 210 unpaired left; the latest result was OK"
    )


def test_a_camera_that_is_switched_on_late_is_no_error_at_its_first_image():
    statistics = Statistics()
    assert statistics.snapshot().waiting_s == 0.0
    statistics.received()
    time.sleep(0.01)
    statistics.received()
    now = statistics.snapshot()
    assert 0.01 <= now.waiting_s < 1.0
    first = dataclasses.replace(now, since_result_s=60.0)
    assert matching_status("/m", first, None, IMAGES, "b", "n").level == DiagnosticStatus.WARN
    later = dataclasses.replace(first, waiting_s=7.0)
    assert matching_status("/m", later, None, IMAGES, "b", "n").level == DiagnosticStatus.ERROR
    statistics.published(OK, {})
    assert statistics.snapshot().waiting_s == 0.0


@pytest.mark.parametrize(
    ("happened", "said"),
    [
        (lambda s: [s.rejected("camera_info") for _ in range(120)], "120 rejected (camera_info)"),
        (lambda s: s.reset("frame_id"), "1 starts over (frame_id)"),
        (lambda s: s.lost("skipped", 30), "30 skipped"),
        (lambda s: None, "none of them was used"),
    ],
)
def test_whatever_keeps_results_from_coming_is_said(happened, said):
    statistics = Statistics()
    statistics.published(OK, {})
    happened(statistics)
    snapshot = after(statistics, 5.0)
    status = matching_status("/m", snapshot, None, IMAGES, "b", "n")
    assert status.level == DiagnosticStatus.WARN
    assert f"images come, nothing was published for 5.0 s: {said}; the latest" in status.message
    statistics.published(OK, {})
    assert matching_status("/m", statistics.snapshot(), snapshot, IMAGES, "b", "n").message == "OK"


def test_what_images_wait_for_is_said_first():
    statistics = Statistics()
    statistics.lost("skipped", 3)
    stuck = matching_status(
        "/m", after(statistics, 5.0), None, IMAGES, "b", "n", doing="10 left waiting for a partner"
    )
    assert stuck.message == (
        "images come, nothing was published for 5.0 s: 10 left waiting for a partner, 3 skipped"
    )


def test_without_images_nothing_is_ok_and_no_error_of_this_node():
    snapshot = after(Statistics(), 60.0, **{"": InputStatistics(0, 0.0, 60.0)})
    status = matching_status("/m", snapshot, None, IMAGES, "b", "n")
    assert status.level == DiagnosticStatus.WARN
    assert status.message == "no image comes, nothing was published for 60.0 s"


def test_the_first_seconds_are_no_warning():
    statistics = Statistics(BOTH)
    statistics.lost("unpaired left", 10)
    snapshot = after(statistics, 1.0)
    assert input_status("/m", snapshot, None, IMAGES).level == DiagnosticStatus.OK
    assert matching_status("/m", snapshot, None, IMAGES, "b", "n").level == DiagnosticStatus.OK


@pytest.mark.parametrize(
    ("gap_s", "said"),
    [
        (0.012, "are 12.0 ms apart (median), stereo.tolerance is 5.0 ms"),
        (0.001, "are 1.0 ms apart (median), within stereo.tolerance (5.0 ms): some are missing or"),
    ],
)
def test_images_without_a_partner_are_a_warning_with_the_measured_gap(gap_s, said):
    statistics = Statistics(BOTH)
    statistics.lost("unpaired left", 5)
    before = after(statistics, 10.0)
    expected = dataclasses.replace(IMAGES, gap_s=gap_s, tolerance_s=0.005)
    assert input_status("/m", before, before, expected).level == DiagnosticStatus.OK
    statistics.lost("unpaired left", 2)
    statistics.lost("unpaired right", 3)
    status = input_status("/m", after(statistics, 11.0), before, expected)
    assert status.level == DiagnosticStatus.WARN
    assert status.message.startswith("images without a partner: 2 left, 3 right; the stamps of")
    assert said in status.message
    assert (values(status)["unpaired left"], values(status)["unpaired right"]) == ("7", "3")


def test_a_node_that_should_use_every_image_warns_when_it_cannot_keep_up():
    statistics = Statistics()
    statistics.lost("skipped", 4)
    snapshot = statistics.snapshot()
    assert input_status("/m", snapshot, None, IMAGES).level == DiagnosticStatus.OK
    every = dataclasses.replace(IMAGES, lossless=True)
    status = input_status("/m", snapshot, None, every)
    assert (status.level, status.message) == (
        DiagnosticStatus.WARN,
        "4 images skipped: they come faster than they are used",
    )


def test_images_lost_by_the_middleware_are_a_warning():
    statistics = Statistics()
    statistics.lost("lost by the middleware", 2)
    status = input_status("/m", statistics.snapshot(), None, IMAGES)
    assert (status.level, status.message) == (
        DiagnosticStatus.WARN,
        "2 images lost by the middleware",
    )


def test_a_survived_error_is_an_error_once_and_stays_counted():
    statistics, logged = Statistics(), []
    defects = Defects(statistics, lambda kind, text: logged.append((kind, text)))
    with defects.survived("publishing"):
        raise MemoryError("no room")
    statistics.published(OK, {})
    first = statistics.snapshot()
    status = matching_status("/m", first, None, IMAGES, "b", "n")
    assert status.level == DiagnosticStatus.ERROR
    assert status.message == "errors while publishing: 1, see the log; the latest result was OK"
    ((kind, text),) = logged
    assert kind == "publishing" and "MemoryError: no room" in text and "Traceback" in text
    later = matching_status("/m", statistics.snapshot(), first, IMAGES, "b", "n")
    assert (later.level, later.message) == (DiagnosticStatus.OK, "OK")
    assert values(later)["errors: publishing"] == "1"


def test_what_is_meant_to_end_a_process_is_not_survived():
    with pytest.raises(SystemExit), Defects(Statistics(), print).survived("publishing"):
        raise SystemExit(1)


def test_lost_warns_even_when_it_has_passed_between_two_reports():
    statistics = Statistics()
    statistics.published(OK, {})
    before = statistics.snapshot()
    assert matching_status("/m", before, None, IMAGES, "b", "n").level == DiagnosticStatus.OK
    statistics.published(LOST, {})
    lost = matching_status("/m", statistics.snapshot(), before, IMAGES, "b", "n")
    assert lost.level == DiagnosticStatus.WARN
    assert lost.message == "LOST: no homography fits 5 matches"
    statistics.published(OK, {})
    passed = matching_status("/m", statistics.snapshot(), before, IMAGES, "b", "n")
    assert passed.level == DiagnosticStatus.WARN
    assert passed.message == "1 LOST since the last report, now OK"


def test_a_path_that_began_anew_unasked_is_a_warning():
    statistics = Statistics()
    statistics.reset("asked")
    statistics.published(ESTIMATE, {})
    before = statistics.snapshot()
    quiet = odometry_status("/o", "mono", before, None, IMAGES)
    assert (quiet.level, quiet.message) == (DiagnosticStatus.OK, "OK")
    for _ in range(3):
        statistics.reset("camera")
    restarted = odometry_status("/o", "mono", statistics.snapshot(), before, IMAGES)
    assert restarted.level == DiagnosticStatus.WARN
    assert restarted.message == "started over since the last report (3 camera), now OK"
    later = odometry_status("/o", "mono", statistics.snapshot(), statistics.snapshot(), IMAGES)
    assert later.level == DiagnosticStatus.OK
    assert values(later)["reset: camera"] == "3"


def test_ranges_out_of_their_limits_are_shown():
    statistics = Statistics()
    statistics.count("ranges out of limits", 2)
    status = odometry_status("/o", "planar", statistics.snapshot(), None, IMAGES)
    assert values(status)["ranges out of limits"] == "2"


def test_a_device_that_failed_is_an_error_though_matching_goes_on():
    statistics = Statistics()
    statistics.published(OK, {})
    failure = "tensorrt failed: the GPU has no memory left to encode an image"
    status = matching_status("/m", statistics.snapshot(), None, IMAGES, "OpenVINO", "n", failure)
    assert status.level == DiagnosticStatus.ERROR
    assert status.message == f"{failure}; OK"
    assert values(status)["device failure"] == failure
    assert values(status)["backend"] == "OpenVINO"


@pytest.mark.parametrize(
    ("moving", "said"),
    [
        (MovingShare(0.124), "12%"),
        (MovingShare(0.0, "nothing: 70% of the matched area would move"), "nothing: 70% of the"),
        (None, ""),
    ],
)
def test_how_much_is_left_out_as_moving_is_shown_where_it_was_asked_for(moving, said):
    snapshot = Statistics().snapshot()
    status = matching_status("/m", snapshot, None, IMAGES, "b", "n", moving=moving)
    assert values(status).get("left out as moving", "").startswith(said)
    assert ("left out as moving" in values(status)) == (moving is not None)


def test_an_engine_in_the_making_is_shown_with_its_progress():
    busy = "building the fp16 engine 'encode' for 448x320: 40 %"
    idle = idle_status("/m", "matching", "unconfigured", busy)
    assert idle.message == f"not active (unconfigured): {busy}"
    active = matching_status("/m", Statistics().snapshot(), None, IMAGES, "b", "n", "", busy)
    assert (active.level, active.message) == (DiagnosticStatus.WARN, f"images wait: {busy}")


def test_pairs_that_look_swapped_warn_while_they_come():
    statistics = Statistics(BOTH)
    statistics.published(OK, {})
    statistics.count("pairs that look wrong", 8)
    first = statistics.snapshot()
    status = matching_status("/m", first, None, IMAGES, "b", "n")
    assert status.level == DiagnosticStatus.WARN
    assert status.message == ("8 stereo pairs look swapped or not rectified, see the log; OK")
    later = matching_status("/m", statistics.snapshot(), first, IMAGES, "b", "n")
    assert (later.level, later.message) == (DiagnosticStatus.OK, "OK")
    assert values(later)["pairs that look wrong"] == "8"
