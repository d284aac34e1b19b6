"""`coarse-loftr demo` with real processes over real DDS."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scenes import texture

from coarse_loftr_ros.commands.demo.report import DemoReport, summarise
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.recordings.bags.messages import image_message
from coarse_loftr_ros.recordings.bags.writer import BagWriter

pytest.importorskip("rclpy", reason="no ROS in this environment")


def test_the_node_s_answers_are_measured_and_drawn(run_tool, tmp_path: Path) -> None:
    done = run_tool("demo", "--seconds", "3", "--rate", "8", "--output", tmp_path, "--keep")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("images sent", "latency p50 / p95", "OK / DEGRADED / LOST", "homography error"):
        assert name in done.stdout
    assert "24" in next(line for line in done.stdout.splitlines() if "images sent" in line)
    assert (np.ptp(cv2.imread(str(tmp_path / "overlay.png")).astype(int), axis=2) > 60).any()
    (video,) = (p for p in tmp_path.iterdir() if p.stem == "overlay" and p.suffix != ".png")
    capture = cv2.VideoCapture(str(video))
    pictures = 0
    while capture.read()[0]:
        pictures += 1
    assert pictures >= 6
    assert (tmp_path / "flight.mcap").is_file()


def test_a_recording_of_one_s_own_is_played_without_a_truth(
    run_tool, flight_bag: Path, tmp_path: Path
) -> None:
    done = run_tool("demo", "--bag", flight_bag, "--output", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "homography error" not in done.stdout
    assert flight_bag.name in done.stdout and "/camera/image_raw" in done.stdout
    assert (tmp_path / "overlay.png").is_file()
    assert flight_bag.is_file()


def test_a_node_that_cannot_start_is_reported_with_its_last_words(
    run_tool, flight_bag: Path, tmp_path: Path
) -> None:
    arguments = ("demo", "--bag", flight_bag, "--output", tmp_path, "--backend", "magic")
    done = run_tool(*arguments)
    assert done.returncode == 2
    assert "the node ended with code" in done.stderr and "magic" in done.stderr


def test_images_larger_than_the_middlewares_memory_arrive(run_tool, tmp_path: Path) -> None:
    """Fast DDS has 0.5 MiB by default, a 1080p colour image is 6 MiB."""
    ground, bag = texture(2000, 1160, seed=1), tmp_path / "large.mcap"
    with BagWriter(bag) as writer:
        for number in range(10):
            at = 8 * number
            frame = Frame(ground[at : at + 1080, at : at + 1920], 10**18 + number * 250_000_000)
            pixels = np.repeat(frame.image.reshape(-1), 3)
            message = replace(image_message(frame), encoding="bgr8", step=3 * 1920, data=pixels)
            writer.write("/image", frame.stamp, message)
    done = run_tool("demo", "--bag", bag, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    answered = next(line for line in done.stdout.splitlines() if "images answered" in line)
    assert int(answered.split()[2]) >= 8, done.stdout


def test_what_the_node_says_of_images_that_it_cannot_use_is_shown(run_tool, tmp_path: Path) -> None:
    bag = tmp_path / "odd.mcap"
    with BagWriter(bag) as writer:
        for number in range(3):
            frame = Frame(texture(64, 48), 10**18 + number * 100_000_000)
            writer.write("/image", frame.stamp, replace(image_message(frame), encoding="odd7"))
    done = run_tool("demo", "--bag", bag, "--output", tmp_path)
    assert done.returncode == 1
    assert "0 of 2 images were answered" in done.stderr and "'odd7'" in done.stderr


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("photo.png", "photo.png cannot be read"), ("taken", "taken is not a folder")],
)
def test_what_cannot_be_played_or_written_is_said_in_a_sentence(
    refusal, flight_bag: Path, tmp_path: Path, name: str, sentence: str
) -> None:
    (tmp_path / name).write_bytes(b"x" * 99)
    bag, output = (flight_bag, tmp_path / name) if name == "taken" else (tmp_path / name, tmp_path)
    assert sentence in refusal("demo", "--bag", bag, "--output", output)


def report(**changes) -> DemoReport:
    good = {
        "sent": 101,
        "answered": 100,
        "rate_hz": 15.0,
        "latency_ms": np.full(100, 20.0),
        "statuses": [Status.OK] * 100,
        "references": 9,
        "matches": np.full(100, 500),
        "inliers": np.full(100, 400),
        "errors_px": np.full(100, 0.2),
    }
    return DemoReport(**{**good, **changes})


def test_a_good_report_has_no_faults() -> None:
    assert report().faults() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"answered": 10, "statuses": [Status.OK] * 10}, "10 of 100 images were answered"),
        ({"statuses": [Status.OK] * 70 + [Status.LOST] * 30}, "30 of 100 answers are LOST"),
        ({"errors_px": np.full(100, 7.5)}, "7.50 px"),
        ({"answered": 0, "statuses": [], "errors_px": np.array([])}, "0 of 100 images"),
    ],
)
def test_each_fault_is_named(changes: dict, words: str) -> None:
    (fault,) = report(**changes).faults()
    assert words in fault


def test_figures_come_from_answers_that_are_complete() -> None:
    class Message:
        """The fields of HomographyStamped that are read."""

        def __init__(self, reference: int, shift: float, status: int = 0) -> None:
            self.matrix = [1, 0, shift, 0, 1, 0, 0, 0, 1]
            self.match_count, self.inlier_count, self.status = 50, 40, status
            self.reference_width, self.reference_height = 640, 480
            stamp = type("Stamp", (), {"sec": 0, "nanosec": reference})
            self.reference_header = type("Header", (), {"stamp": stamp})

    sent = {1: 10.0, 2: 11.0, 3: 12.0, 4: 13.0}
    received = {2: 11.02, 3: 12.04, 4: 13.06}  # the homography of 4 never came
    homographies = {2: Message(1, 3.0), 3: Message(1, 5.0, status=2)}
    found = summarise(sent, received, homographies, lambda reference, current: np.eye(3))
    assert (found.sent, found.answered, found.references) == (4, 2, 1)
    assert found.latency_ms == pytest.approx([20, 40])
    # The LOST one says nothing about the homography's accuracy.
    assert found.errors_px == pytest.approx([3.0])
