"""Nodes and clients of integration tests; the tests of a module share what it starts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("coarse_loftr_msgs", reason="coarse_loftr_msgs is not built")

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"

from ros_harness import Client, NodeProcess

SMALL = ("expected_width:=320", "expected_height:=240", "threads:=1")


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., tuple[NodeProcess, Client]]]:
    """Starts a node in a namespace with parameters, and a client connected to it.

    All of them must end well at the end of the module.
    """
    pairs: list[tuple[NodeProcess, Client]] = []

    def begin(
        namespace: str, *parameters: str, stereo: bool = False, active: bool = True
    ) -> tuple[NodeProcess, Client]:
        node = NodeProcess(namespace, *SMALL, *parameters)
        client = Client(node, stereo)
        pairs.append((node, client))
        if active:
            node.wait_for_output("matching ")
            client.connect()
        return node, client

    try:
        yield begin
        for node, _ in pairs:
            status = node.stop()
            assert status == 0, f"exit status {status}:\n{node.output}"
            assert "Traceback" not in node.output, node.output
    finally:
        for node, client in pairs:
            client.close()
            if node.process.poll() is None:
                node.process.kill()
