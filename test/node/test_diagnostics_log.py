"""What of the diagnostics is logged as well, and how often."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from diagnostic_msgs.msg import DiagnosticStatus

from coarse_loftr_ros.node.common.diagnostics import Throttle, worth_logging


def test_the_log_repeats_warnings_of_the_input_and_every_error():
    def status(name: str, level: bytes) -> DiagnosticStatus:
        return DiagnosticStatus(name=f"/m: {name}", level=level, message="so it is")

    ok, warn, error = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
    statuses = [status("input", ok), status("matching", warn), status("input", warn)]
    assert worth_logging(statuses) == [("/m: input", "input: so it is")]
    assert worth_logging([status("matching", error)]) == [("/m: matching", "matching: so it is")]


def test_each_kind_of_log_has_its_own_period():
    occasionally = Throttle(3600.0)
    assert occasionally.now("a")
    assert occasionally.now("b")
    assert not occasionally.now("a")
