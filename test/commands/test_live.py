"""`coarse-loftr live` on a video and on a camera of the network that goes away."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from coarse_loftr_ros.commands.common.errors import UserError
from coarse_loftr_ros.commands.common.video import write_video
from coarse_loftr_ros.commands.live.window import window_size
from coarse_loftr_ros.recordings.rendered.flight import Flight

FAST = ("--threads", "1")


@pytest.fixture(scope="module")
def video(flight: Flight, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = (cv2.cvtColor(frame.image, cv2.COLOR_GRAY2BGR) for frame in flight.frames())
    return write_video(tmp_path_factory.mktemp("live") / "flight.mp4", pictures, (320, 256), 10.0)


@pytest.fixture
def camera(flight: Flight) -> Iterator[str]:
    """URL of a camera that sends the flight as Motion JPEG over HTTP, and then is gone."""
    pictures = [cv2.imencode(".jpg", frame.image)[1].tobytes() for frame in flight.frames()]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=image")
            self.end_headers()
            for picture in pictures:
                self.wfile.write(
                    b"--image\r\nContent-Type: image/jpeg\r\n"
                    + f"Content-Length: {len(picture)}\r\n\r\n".encode()
                    + picture
                    + b"\r\n"
                )

        def log_message(self, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/stream.mjpg"
        server.shutdown()
        thread.join()


def frames(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    images = []
    while True:
        good, image = capture.read()
        if not good:
            return images
        images.append(image)


def row(stdout: str, name: str) -> str:
    (value,) = re.findall(rf"^  {re.escape(name)} {{3,}}(.*)$", stdout, re.MULTILINE)
    return value


def test_every_image_of_a_video_is_matched_and_drawn(run_tool, video: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out.mp4"
    done = run_tool("live", video, "--headless", out, *FAST)
    assert done.returncode == 0, done.stderr
    assert row(done.stdout, "images") == "10"
    assert sum(map(int, row(done.stdout, "OK / DEGRADED / LOST").split(" / "))) == 9
    assert float(row(done.stdout, "latency, median").split()[0]) > 0
    (written,) = re.findall("^written: (.*)$", done.stdout, re.MULTILINE)
    pictures = frames(Path(written))
    assert len(pictures) == 10
    colour = [(np.ptp(picture.astype(int), axis=2) > 60).mean() for picture in pictures]
    assert colour[0] < 0.001, "the first image has nothing to match with"
    assert min(colour[1:]) > 0.01


def test_seconds_are_those_of_the_video(run_tool, video: Path, tmp_path: Path) -> None:
    done = run_tool("live", video, "--headless", tmp_path / "out.mp4", "--seconds", "0.5", *FAST)
    assert done.returncode == 0, done.stderr
    assert row(done.stdout, "images") == "5"


def test_a_camera_that_goes_away_ends_with_a_sentence_and_keeps_the_video(
    run_tool, camera: str, tmp_path: Path
) -> None:
    done = run_tool("live", camera, "--headless", tmp_path / "out.mp4", *FAST)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert f"the camera {camera} has gone" in done.stderr
    assert "Traceback" not in done.stderr
    images = int(row(done.stdout, "images"))
    (written,) = tmp_path.iterdir()
    assert len(frames(written)) == images >= 1


def test_what_cannot_be_opened_is_refused(refusal, video: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    out = ("--headless", tmp_path / "out.mp4")
    for arguments, words in (
        (("absent.mp4", *out), "absent.mp4 does not exist"),
        ((tmp_path / "text.mp4", *out), "nor a video"),
        (("/dev/video250", *out), "the camera /dev/video250 cannot be opened"),
        (("250", *out), "the camera 250 cannot be opened"),
        ((video, "--headless", "out.txt"), "must end with .mp4"),
        ((video, *out, "--seconds", "0"), "--seconds is 0.0"),
    ):
        assert words in refusal("live", *arguments), arguments


def test_without_a_window_it_is_said_what_to_do(refusal, video: Path, monkeypatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    sentence = refusal("live", video)
    assert "--headless OUT.mp4" in sentence
    assert "pip install opencv-python" in sentence or "DISPLAY is not set" in sentence


def test_the_name_chooses_the_format_and_no_other_file_is_touched(
    run_tool, video: Path, tmp_path: Path
) -> None:
    (tmp_path / "out.mp4").write_text("precious")
    done = run_tool("live", video, "--headless", tmp_path / "out.avi", "--seconds", "0.3", *FAST)
    assert done.returncode == 0, done.stderr
    assert len(frames(tmp_path / "out.avi")) == 3
    assert (tmp_path / "out.mp4").read_text() == "precious"


def test_images_too_small_for_a_video_leave_none(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    with pytest.raises(UserError, match="needs 16x16 or more"):
        write_video(out, [np.zeros((1, 1, 3), np.uint8)], (1, 1), 10.0)
    assert not out.exists()


def test_a_large_camera_s_window_fits_a_small_screen() -> None:
    assert window_size(320, 280) == (320, 280)
    width, height = window_size(6000, 4300)
    assert width <= 1280 and height <= 800
    assert width / height == pytest.approx(6000 / 4300, rel=0.01)
