"""Nodes and clients of integration tests; each module starts its own few nodes and shares them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("coarse_loftr_msgs", reason="coarse_loftr_msgs is not built")

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"

from ros_harness import Client, NodeProcess


@pytest.fixture(scope="module")
def mono() -> Iterator[tuple[NodeProcess, Client]]:
    """A node with default parameters but a small network image, connected to a client."""
    yield from running("/mono", "freshness:=all", "expected_width:=320", "expected_height:=240")


def running(
    namespace: str, *parameters: str, stereo: bool = False
) -> Iterator[tuple[NodeProcess, Client]]:
    """Start a node, connect a client, and end both."""
    node = NodeProcess(namespace, *parameters)
    client = Client(namespace, stereo)
    try:
        node.wait_for_output("matching ")
        client.connect()
        yield node, client
        status = node.stop()
        assert status == 0, f"exit status {status}:\n{node.output}"
        assert "Traceback" not in node.output, node.output
    finally:
        client.close()
        node.process.kill()
