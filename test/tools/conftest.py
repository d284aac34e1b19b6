"""Images, recordings and the real command line."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from coarse_loftr_ros.bags.messages import image_message
from coarse_loftr_ros.bags.writer import BagWriter
from coarse_loftr_ros.tools.flight import Flight
from coarse_loftr_ros.tools.scene import draw_landscape

RunTool = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="session")
def run_tool() -> RunTool:
    """Runs `coarse-loftr` as a user does: the installed script in a process of its own."""
    script = Path(sys.executable).parent / "coarse-loftr"
    command = [str(script)] if script.exists() else [sys.executable, "-m", "coarse_loftr_ros"]

    def run(*arguments: object) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*command, *map(str, arguments)], capture_output=True, text=True, timeout=180
        )

    return run


@pytest.fixture(scope="session")
def landscape() -> np.ndarray:
    return draw_landscape(1100, 900, seed=3)


@pytest.fixture(scope="session")
def flight(landscape: np.ndarray) -> Flight:
    """Ten frames, small so that matching them is fast."""
    return Flight(landscape, seconds=1.0, rate=10.0, width=320, height=256)


@pytest.fixture(scope="session")
def flight_bag(flight: Flight, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("flight") / "flight.mcap"
    with BagWriter(path) as writer:
        for frame in flight.frames():
            writer.write("/camera/image_raw", frame.stamp + 1_000_000, image_message(frame))
    return path
