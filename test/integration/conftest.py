"""Nodes and clients of integration tests; the tests of a module share what it starts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("coarse_loftr_msgs", reason="coarse_loftr_msgs is not built")

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
# Two photographs sent at once do not fit Fast DDS's own shared memory, and one would be lost.
os.environ["FASTDDS_DEFAULT_PROFILES_FILE"] = str(
    Path(__file__).resolve().parents[2] / "config" / "fastdds_large_images.xml"
)

from detectors import bright_detector
from mask_harness import MaskClient, MaskProcess
from odometry_harness import OdometryClient, OdometryProcess
from ros_harness import Client, MatcherClient, NodeProcess

SMALL = ("expected_width:=320", "expected_height:=240", "threads:=1")


@contextmanager
def ending_well() -> Iterator[list[tuple[NodeProcess, Client]]]:
    """A list of nodes with their clients; all of them must end well at the end."""
    pairs: list[tuple[NodeProcess, Client]] = []
    try:
        yield pairs
        for node, _ in pairs:
            status = node.stop()
            assert status == 0, f"exit status {status}:\n{node.output}"
            assert "Traceback" not in node.output, node.output
    finally:
        for node, client in pairs:
            client.close()
            if node.process.poll() is None:
                node.process.kill()


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., tuple[NodeProcess, MatcherClient]]]:
    """Starts a matcher in a namespace with parameters, and a client connected to it."""
    with ending_well() as pairs:

        def begin(
            namespace: str, *parameters: str, stereo: bool = False, active: bool = True
        ) -> tuple[NodeProcess, MatcherClient]:
            node = NodeProcess(namespace, *SMALL, *parameters)
            client = MatcherClient(node, stereo)
            pairs.append((node, client))
            if active:
                node.wait_for_output("matching ")
                client.connect()
            return node, client

        yield begin


@pytest.fixture(scope="module")
def start_odometry() -> Iterator[Callable[..., OdometryClient]]:
    """Starts an odometry node in a namespace with parameters, and a client connected to it."""
    with ending_well() as pairs:

        def begin(namespace: str, *parameters: str) -> OdometryClient:
            node = OdometryProcess(namespace, *parameters)
            client = OdometryClient(node, stereo="mode:=stereo" in parameters)
            pairs.append((node, client))
            node.wait_for_output(" odometry of ")
            client.connect()
            return client

        yield begin


@pytest.fixture(scope="module")
def start_masking(tmp_path_factory) -> Iterator[Callable[..., MaskClient]]:
    """Starts a mask node that finds bright squares, and a client connected to it."""
    file = bright_detector(tmp_path_factory.mktemp("detector"))
    with ending_well() as pairs:

        def begin(namespace: str, *parameters: str, active: bool = True) -> MaskClient:
            given = (f"detector:={file}", "threads:=1", "diagnostics_period:=0.2", *parameters)
            process = MaskProcess(namespace, *given)
            client = MaskClient(process)
            pairs.append((process, client))
            if active:
                process.wait_for_output("masking images of ")
                client.connect()
            return client

        yield begin
