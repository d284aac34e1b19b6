"""What diagnostics say of given numbers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from diagnostic_msgs.msg import DiagnosticStatus

from coarse_loftr_ros.node.diagnostics import Occasionally, idle_status, input_status
from coarse_loftr_ros.node.matching_diagnostics import matching_status
from coarse_loftr_ros.node.odometry.diagnostics import odometry_status
from coarse_loftr_ros.node.statistics import Statistics
from coarse_loftr_ros.odometry.estimate import OdometryEstimate, Scale
from coarse_loftr_ros.odometry.pose import Pose
from coarse_loftr_ros.result import Homography, Status

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
    assert snapshot.counts == {"received": 100, "published": 100, "OK": 100, "skipped": 2}
    assert snapshot.rejected == {"step": 1}
    assert snapshot.latency_ms["encode"] == pytest.approx((50.5, 95.05))
    assert snapshot.input_hz > 0


def test_rejections_warn_once_and_stay_counted():
    statistics = Statistics()
    statistics.received()
    statistics.rejected("encoding")
    first = statistics.snapshot()
    status = input_status("/matcher", "image", first, None, 2.0, "", None)
    assert status.level == DiagnosticStatus.WARN
    assert status.message == "unusable messages: 1 encoding"
    later = input_status("/matcher", "image", statistics.snapshot(), first, 2.0, "", None)
    assert later.level == DiagnosticStatus.OK
    assert values(later)["rejected: encoding"] == "1"


def test_silence_warns_with_its_cause():
    snapshot = dataclasses.replace(Statistics().snapshot(), silence_s=7.0)
    status = input_status(
        "/matcher", "image", snapshot, None, 2.0, "/image has no publisher", (3, 4)
    )
    assert status.level == DiagnosticStatus.WARN
    assert status.message == "no image for 7.0 s: /image has no publisher"
    assert (values(status)["unpaired left"], values(status)["unpaired right"]) == ("3", "4")


def test_lost_warns_even_when_it_has_passed_between_two_reports():
    statistics = Statistics()
    statistics.published(OK, {})
    before = statistics.snapshot()
    assert matching_status("/m", before, None, "b", "n").level == DiagnosticStatus.OK
    statistics.published(LOST, {})
    lost = matching_status("/m", statistics.snapshot(), before, "b", "n")
    assert lost.level == DiagnosticStatus.WARN
    assert lost.message == "LOST: no homography fits 5 matches"
    statistics.published(OK, {})
    passed = matching_status("/m", statistics.snapshot(), before, "b", "n")
    assert passed.level == DiagnosticStatus.WARN
    assert passed.message == "1 LOST since the last report, now OK"


def test_a_path_that_began_anew_unasked_is_a_warning():
    statistics = Statistics()
    statistics.reset("asked")
    statistics.published(ESTIMATE, {})
    before = statistics.snapshot()
    quiet = odometry_status("/o", "mono", before, None)
    assert (quiet.level, quiet.message) == (DiagnosticStatus.OK, "OK")
    for _ in range(3):
        statistics.reset("camera")
    restarted = odometry_status("/o", "mono", statistics.snapshot(), before)
    assert restarted.level == DiagnosticStatus.WARN
    assert restarted.message == "started over since the last report (3 camera), now OK"
    later = odometry_status("/o", "mono", statistics.snapshot(), statistics.snapshot())
    assert later.level == DiagnosticStatus.OK
    assert values(later)["reset: camera"] == "3"


def test_ranges_out_of_their_limits_are_shown():
    statistics = Statistics()
    statistics.count("ranges out of limits", 2)
    status = odometry_status("/o", "planar", statistics.snapshot(), None)
    assert values(status)["ranges out of limits"] == "2"


def test_a_device_that_failed_is_an_error_though_matching_goes_on():
    statistics = Statistics()
    statistics.published(OK, {})
    failure = "tensorrt failed: the GPU has no memory left to encode an image"
    status = matching_status("/m", statistics.snapshot(), None, "OpenVINO", "n", failure)
    assert status.level == DiagnosticStatus.ERROR
    assert status.message == f"{failure}; OK"
    assert values(status)["device failure"] == failure
    assert values(status)["backend"] == "OpenVINO"


def test_an_engine_in_the_making_is_shown_with_its_progress():
    busy = "building the fp16 engine 'encode' for 448x320: 40 %"
    idle = idle_status("/m", "matching", "unconfigured", busy)
    assert idle.message == f"not active (unconfigured): {busy}"
    active = matching_status("/m", Statistics().snapshot(), None, "b", "n", "", busy)
    assert (active.level, active.message) == (DiagnosticStatus.WARN, f"images wait: {busy}")


def test_each_kind_of_log_has_its_own_period():
    occasionally = Occasionally(3600.0)
    assert occasionally.now("a")
    assert occasionally.now("b")
    assert not occasionally.now("a")
