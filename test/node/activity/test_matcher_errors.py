"""What an active matcher survives, and what /diagnostics shows of it."""

from __future__ import annotations

import re

from active_matcher import ActiveMatcher, with_parameters
from diagnostic_msgs.msg import DiagnosticStatus

from coarse_loftr_ros.node.common.conversion import stamp_ns


def test_an_error_while_publishing_costs_one_result(matcher):
    matcher.send()
    matcher.matched(matcher.send())
    gone = matcher.activity._outputs._homography
    matcher.activity._outputs._homography = None
    matcher.matched(matcher.send())
    matcher.until(lambda: matcher.activity._worker.busy_s == 0)
    status = matcher.matching_status()
    assert status.level == DiagnosticStatus.ERROR
    assert "errors while publishing: 1, see the log" in status.message
    matcher.activity._outputs._homography = gone
    last = matcher.send()
    matcher.matched(last)
    matcher.until(lambda: stamp_ns(matcher.homographies[-1].header.stamp) == last)
    assert matcher.matching_status().level == DiagnosticStatus.OK
    assert matcher.activity.failure is None


def test_an_error_while_drawing_costs_no_result(matcher, monkeypatch):
    def fail(*arguments: object) -> None:
        raise MemoryError("no room for a picture")

    monkeypatch.setattr("coarse_loftr_ros.node.matcher.outputs.draw_overlay", fail)
    matcher.until(matcher.activity._outputs._overlay.get_subscription_count)
    matcher.send()
    last = matcher.send()
    matcher.matched(last)
    matcher.until(lambda: matcher.homographies)
    matcher.until(lambda: matcher.activity._worker.busy_s == 0)
    status = matcher.matching_status()
    assert status.level == DiagnosticStatus.ERROR
    assert "errors while drawing the overlay: 1, see the log" in status.message
    assert matcher.activity._statistics.snapshot().counts["published"] == 1


def feed(matcher: ActiveMatcher) -> DiagnosticStatus:
    """Send images until the lack of results has lasted; what is said then."""
    status = matcher.matching_status()

    def lasted() -> bool:
        nonlocal status
        matcher.send()
        status = matcher.matching_status()
        return status.level == DiagnosticStatus.ERROR

    matcher.until(lasted)
    return status


@with_parameters(image_timeout=0.2)
def test_a_device_that_fails_for_long_is_an_error_that_says_so(matcher):
    matcher.device.fails = True
    assert re.search(
        r"images come, nothing was published for \d\.\d s: \d+ rejected \(backend\)",
        feed(matcher).message,
    )


@with_parameters(image_timeout=0.4)
def test_a_worker_that_hangs_is_an_error_that_says_so(matcher):
    matcher.device.free.clear()
    assert re.search(r"an image has been in work for \d\.\d s", feed(matcher).message)
