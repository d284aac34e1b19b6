"""A node in a process of its own outlives what its callbacks raise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("coarse_loftr_msgs", reason="coarse_loftr_msgs is not built")

NODE_WHOSE_TIMER_RAISES = """
import os, signal
from coarse_loftr_ros.node.odometry.node import OdometryNode
from coarse_loftr_ros.node.common.program import run_node

class Failing(OdometryNode):
    calls = 0

    def __init__(self):
        super().__init__()
        self.create_timer(0.02, self.fail)

    def fail(self):
        self.calls += 1
        if self.calls == 5:
            print(self._active.diagnose()[-1].message, flush=True)
            os.kill(os.getpid(), signal.SIGINT)
        raise RuntimeError("a defect")

raise SystemExit(run_node(lambda: Failing, "odometry", None))
"""


def test_what_a_callback_raises_is_counted_and_ends_nothing():
    repository = Path(__file__).resolve().parents[2]
    node = subprocess.run(
        [sys.executable, "-c", NODE_WHOSE_TIMER_RAISES, "--ros-args", "-p", "publish_tf:=false"],
        cwd=repository,
        env=os.environ | {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert node.returncode == 0, node.stderr
    assert "errors while answering the executor: 4, see the log" in node.stdout
    assert "RuntimeError: a defect" in node.stdout + node.stderr
