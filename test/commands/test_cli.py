"""What the command line says to people who err, and how it starts."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_fixtures import commands_of

from coarse_loftr_ros import __version__
from coarse_loftr_ros.commands import cli
from coarse_loftr_ros.commands.registry import make_parser

HEAVY = ("numpy", "cv2", "torch", "onnxruntime", "openvino", "rosbags", "rclpy")


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom coarse_loftr_ros.commands import cli\n"
        "try:\n    cli.main(['--help'])\n"
        f"finally:\n    print('heavy:', [m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "heavy: []" in done.stdout
    for command in ("demo", "match", "replay", "train", "export"):
        assert f"\n    {command} " in done.stdout


@pytest.mark.parametrize("name", commands_of(make_parser()))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([name, "--help"])
    assert stop.value.code == 0
    assert f"usage: coarse-loftr {name}" in capsys.readouterr().out


def test_the_version_is_the_package_s(run_tool) -> None:
    done = run_tool("--version")
    assert (done.returncode, done.stdout.split()[-1]) == (0, __version__)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    import cv2

    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (96, 128), np.uint8))
    return path


def assert_refused(done: subprocess.CompletedProcess, *words: str) -> None:
    """One sentence on stderr that holds these words, exit code 2, nothing on stdout."""
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0]


def test_a_missing_image_is_named(run_tool, picture: Path) -> None:
    assert_refused(run_tool("match", picture, "absent.png"), "absent.png", "does not exist")


def test_a_file_that_is_no_image_is_named(run_tool, picture: Path, tmp_path: Path) -> None:
    text, empty = tmp_path / "text.png", tmp_path / "empty.png"
    text.write_text("no image")
    empty.touch()
    assert_refused(run_tool("match", text, picture), "text.png", "not an image")
    assert_refused(run_tool("match", empty, picture), "empty.png", "not an image")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--backend", "magic"), ("magic", "openvino")),
        (("--backend", "tensorrt"), ("tensorrt", "not available")),
        (("--precision", "int4"), ("int4", "fp32, fp16, int8")),
        (("--threshold", "1.5"), ("1.5", "[0, 1]")),
        (("--network-pixels", "3"), ("3", "0, or 4096 to 4194304")),
        (("--threads", "-1"), ("-1", "negative")),
        (("--model", "nowhere"), ("nowhere", "model.json")),
    ],
)
def test_bad_values_are_refused_with_what_is_allowed(run_tool, picture, options, words) -> None:
    assert_refused(run_tool("match", picture, picture, *options), *words)


def test_an_overlay_of_no_image_format_is_refused(run_tool, picture: Path, tmp_path: Path) -> None:
    done = run_tool("match", picture, picture, "--overlay", tmp_path / "overlay.txt")
    assert_refused(done, "overlay.txt", ".png")


def test_replay_refuses_what_it_cannot_read(run_tool, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "broken.mcap").write_text("no recording")
    assert_refused(run_tool("replay", tmp_path / "absent"), "absent", "does not exist")
    assert_refused(run_tool("replay", tmp_path / "empty"), "empty", "no images")
    assert_refused(run_tool("replay", tmp_path / "broken.mcap"), "broken.mcap", "cannot be read")
    done = run_tool("replay", tmp_path / "text.mp4")
    assert done.returncode == 2
    assert "neither a recording" in done.stderr.strip().splitlines()[-1]


def test_replay_wants_both_eyes_or_none(run_tool, tmp_path: Path) -> None:
    assert_refused(run_tool("replay", tmp_path, "--left", "l"), "--left and --right")


def test_replay_does_not_overwrite_without_being_asked(
    run_tool, flight_bag: Path, tmp_path: Path
) -> None:
    taken = tmp_path / "taken.mcap"
    taken.write_text("precious")
    done = run_tool("replay", flight_bag, "-o", taken, "--threads", "1")
    assert done.returncode == 2
    assert "taken.mcap exists already" in done.stderr
    assert taken.read_text() == "precious"


def test_demo_refuses_a_recording_that_is_not_there(run_tool, tmp_path: Path) -> None:
    pytest.importorskip("rclpy", reason="no ROS in this environment")
    done = run_tool("demo", "--bag", tmp_path / "absent.mcap", "--output", tmp_path / "out")
    assert_refused(done, "absent.mcap", "does not exist")


def test_training_commands_say_what_is_missing(run_tool, tmp_path: Path) -> None:
    try:
        import torch  # noqa: F401
    except ImportError:
        done = run_tool("export", "last.pt", tmp_path / "model")
        assert_refused(done, "torch", "pip install 'coarse_loftr_lab[train]'")
    else:
        done = run_tool("export", tmp_path / "last.pt", tmp_path / "model")
        assert_refused(done, "last.pt", "does not exist")
