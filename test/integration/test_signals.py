"""Signals at many times of a node's life: it ends soon, with 0, and without a traceback."""

from __future__ import annotations

import signal
import time

import pytest
from first_line import wait_for_first_line
from odometry_harness import OdometryProcess
from ros_harness import NodeProcess

INT, TERM = signal.SIGINT, signal.SIGTERM
MOST_S = 5.0


def assert_ends_well(node: NodeProcess, delay: float, *signals: int, gap: float = 0.2) -> None:
    try:
        wait_for_first_line(node.process)
        time.sleep(delay)
        assert node.running, node.output
        begin = time.monotonic()
        for number in signals:
            if node.running:
                node.process.send_signal(number)
                time.sleep(gap)
        assert node.wait(10.0) == 0, node.output
        assert time.monotonic() - begin < MOST_S
        assert "Traceback" not in node.output, node.output
    finally:
        node.process.kill()


# Loading takes to about 0.4 s, configuring to about 1 s.
@pytest.mark.parametrize(
    ("delay", "signals"),
    [
        (0.0, (INT,)),
        (0.03, (INT, INT)),
        (0.1, (TERM,)),
        (0.25, (INT, INT, TERM)),
        (0.5, (INT, INT)),
        (0.8, (INT, TERM)),
        (1.2, (INT, INT, INT)),
    ],
)
def test_a_matcher_ends_well_at_any_time(delay, signals):
    assert_ends_well(NodeProcess("/stopped", "threads:=1"), delay, *signals)


@pytest.mark.parametrize(("delay", "signals"), [(0.02, (INT, INT)), (0.4, (INT, INT, INT))])
def test_an_odometry_node_ends_well_at_any_time(delay, signals):
    assert_ends_well(OdometryProcess("/stopped"), delay, *signals, gap=0.1)
