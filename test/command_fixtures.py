"""Images, recordings and the real command line."""

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from coarse_loftr_ros.commands import cli
from coarse_loftr_ros.recordings.bags.messages import image_message
from coarse_loftr_ros.recordings.bags.writer import BagWriter
from coarse_loftr_ros.recordings.rendered.flight import Flight
from coarse_loftr_ros.recordings.rendered.scene import draw_landscape
from coarse_loftr_ros.recordings.trajectories.files import kitti_text
from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory

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


STEREO_SCALE = 0.05  # metres per pixel of the landscape
STEREO_BASELINE_PX = 40.0


@pytest.fixture(scope="session")
def kitti_folder(flight: Flight, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The flight in KITTI's layout, filmed by two cameras, with times and poses in metres."""
    folder = tmp_path_factory.mktemp("kitti") / "sequence"
    for name, right in (("image_0", 0.0), ("image_1", STEREO_BASELINE_PX)):
        (folder / name).mkdir(parents=True)
        for number, frame in enumerate(flight.frames(right)):
            cv2.imwrite(str(folder / name / f"{number:06d}.png"), frame.image)
    camera = flight.intrinsics
    lines = []
    for name, right in (("P0", 0.0), ("P1", STEREO_BASELINE_PX * STEREO_SCALE)):
        projection = np.column_stack([camera.matrix(), [-camera.fx * right, 0, 0]])
        lines.append(f"{name}: " + " ".join(f"{value:.12e}" for value in projection.ravel()))
    (folder / "calib.txt").write_text("\n".join(lines) + "\n")
    times = [(stamp - flight.stamps[0]) / 1e9 for stamp in flight.stamps]
    (folder / "times.txt").write_text("".join(f"{time:e}\n" for time in times))
    path = Trajectory.of(flight.stamps, [flight.pose(stamp) for stamp in flight.stamps])
    (folder / "poses.txt").write_text(kitti_text(path.scaled(STEREO_SCALE).from_first()))
    return folder


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture) -> Callable[..., str]:
    """Runs `coarse-loftr` in this process and gives the sentence with which it refuses."""

    def run(*arguments: object) -> str:
        code = cli.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert (code, said.out) == (2, ""), said
        return said.err.splitlines()[-1]

    return run


def commands_of(parser: argparse.ArgumentParser) -> list[str]:
    """The sub-commands of a command line."""
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return list(commands.choices)
