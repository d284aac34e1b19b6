"""Videos: times of the container, pixels as stored."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from recordings.conftest import HEIGHT, WIDTH

from coarse_loftr_ros.recordings.errors import RecordingError

BOXES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Eight images at 10 Hz as MPEG-4."""
    path = tmp_path / "video.mp4"
    size = 4 * WIDTH, 4 * HEIGHT
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10.0, size)
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no MPEG-4")
    for level in range(8):
        writer.write(np.full((size[1], size[0], 3), 20 * level, np.uint8))
    writer.release()
    return path


def make_rate_vary(path: Path, first: int) -> None:
    """The images from the ``first``-th on take three times as long."""
    content = bytearray(path.read_bytes())
    assert content.index(b"moov") > content.index(b"mdat"), "so no image moves"
    table = content.index(b"stts") + 4
    entries, count, delta = (
        int.from_bytes(content[table + at : table + at + 4], "big") for at in (4, 8, 12)
    )
    assert entries == 1
    numbers = 2, first, delta, count - first, 3 * delta
    content[table + 4 : table + 16] = b"".join(number.to_bytes(4, "big") for number in numbers)
    for box in BOXES:  # each of which has grown
        at = content.index(box) - 4
        size = int.from_bytes(content[at : at + 4], "big") + 8
        content[at : at + 4] = size.to_bytes(4, "big")
    # An edit list would end the video where it ended before.
    path.write_bytes(content.replace(b"edts", b"free"))


def test_stamps_are_those_of_the_container(video: Path, read) -> None:
    make_rate_vary(video, 4)
    images, report = read(video)
    stamps = np.array([image.stamp for image in images]) / 1e9
    steps = np.diff(stamps)
    assert stamps[0] == 0 and len(stamps) == 8
    assert np.allclose(steps[:4], 0.1, atol=1e-3) and np.allclose(steps[4:], 0.3, atol=1e-3)
    assert [image.number for image in images] == list(range(8))
    assert report.notices == []


def test_a_video_that_asks_to_be_turned_is_taken_as_stored(video: Path, read) -> None:
    content = bytearray(video.read_bytes())
    upright = b"".join(v.to_bytes(4, "big") for v in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
    at = content.index(upright, content.index(b"tkhd"))
    one, minus_one = (1 << 16).to_bytes(4, "big"), (2**32 - (1 << 16)).to_bytes(4, "big")
    content[at : at + 20] = bytes(4) + one + bytes(4) + minus_one + bytes(4)
    video.write_bytes(content)
    capture = cv2.VideoCapture(str(video))
    assert capture.read()[1].shape[:2] == (4 * WIDTH, 4 * HEIGHT), "as a player turns it"
    images, report = read(video)
    assert images[0].frame.image.shape == (4 * HEIGHT, 4 * WIDTH)
    assert "taken as stored" in report.notices[0]


def test_the_rate_of_a_stream_without_a_container_is_assumed_and_said(tmp_path: Path, read) -> None:
    path = tmp_path / "stream.mjpeg"
    images = (np.full((4 * HEIGHT, 4 * WIDTH), 20 * level, np.uint8) for level in range(5))
    path.write_bytes(b"".join(cv2.imencode(".jpg", image)[1].tobytes() for image in images))
    images, report = read(path, rate=20.0)
    assert [image.stamp for image in images] == [k * 50_000_000 for k in range(5)]
    assert "20 images per second are assumed" in report.notices[0]


def test_what_is_no_video_is_refused(tmp_path: Path, read) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(RecordingError, match="neither a recording"):
        read(tmp_path / "text.mp4")
    with pytest.raises(RecordingError, match="no topics"):
        read(tmp_path / "text.mp4", "/image")
