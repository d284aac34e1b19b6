"""Commands that are left before their end: by Ctrl-C, by SIGTERM, by the reader of their output."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from first_line import wait_for_first_line

from coarse_loftr_ros.recordings.rendered.scene import draw_landscape

INT, TERM = signal.SIGINT, signal.SIGTERM


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images that take long to replay."""
    import cv2

    folder = tmp_path_factory.mktemp("images")
    picture = draw_landscape(400, 300, seed=1)
    for number in range(300):
        cv2.imwrite(str(folder / f"{number:03d}.png"), picture)
    return folder


def start(*arguments: object, **options: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "coarse_loftr_ros", *map(str, arguments)]
    return subprocess.Popen(command, text=True, **options)


@pytest.mark.parametrize(
    ("delay", "signals", "status"),
    [
        (0.0, (INT,), 130),
        (0.05, (INT, INT), 130),
        (0.2, (TERM,), 143),
        (0.4, (INT, INT, INT), 130),
        (0.9, (INT, TERM), 130),
    ],
)
def test_a_command_ends_at_once_and_says_so(folder, tmp_path, delay, signals, status):
    tool = start(
        "replay",
        *(folder, "-o", tmp_path / "out.mcap", "--threads", "1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        wait_for_first_line(tool)
        time.sleep(delay)
        begin = time.monotonic()
        for number in signals:
            tool.send_signal(number)
            time.sleep(0.1)
        _, said = tool.communicate(timeout=10)
        assert tool.returncode == status, said
        assert time.monotonic() - begin < 5
        assert "Traceback" not in said
        assert said.splitlines()[-1] == "coarse-loftr: interrupted"
    finally:
        tool.kill()


@pytest.mark.parametrize("both", [False, True], ids=["stdout", "stdout and stderr"])
@pytest.mark.parametrize("command", [["--help"], ["match", "a.png", "b.png"]])
def test_a_command_whose_reader_has_left_ends_quietly(folder, command, both):
    files = [folder / "000.png" if word.endswith(".png") else word for word in command]
    reader, writer = os.pipe()
    os.close(reader)
    tool = start(*files, stdout=writer, stderr=writer if both else subprocess.PIPE)
    os.close(writer)
    _, said = tool.communicate(timeout=60)
    assert not said
    assert tool.returncode in (0, 128 + signal.SIGPIPE)
