"""What is wrong with a recording costs what it must and no more, and is said."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from coarse_loftr_ros.commands import cli
from coarse_loftr_ros.images.frame import Frame, Intrinsics
from coarse_loftr_ros.recordings.bags.messages import camera_info_message, image_message
from coarse_loftr_ros.recordings.bags.writer import BagWriter
from coarse_loftr_ros.recordings.rendered.flight import Flight
from coarse_loftr_ros.recordings.trajectories.files import read_trajectory

FAST = ("--threads", "1")
BASELINE_M = 2.0  # of the folder
LENGTH_M = 5.6

Tool = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tool(capsys: pytest.CaptureFixture) -> Tool:
    """Runs `coarse-loftr` in this process: exit code, what it printed and what it said."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def folder(kitti_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(kitti_folder, tmp_path / "drive")


def test_each_fault_costs_its_own_image_and_the_rest_is_followed(
    tool: Tool, folder: Path, tmp_path: Path
) -> None:
    (folder / "image_1" / "000003.png").unlink()
    broken = folder / "image_0" / "000006.png"
    broken.write_bytes(broken.read_bytes()[:5000])
    times = (folder / "times.txt").read_text().split()
    (folder / "times.txt").write_text("\n".join([*times[:8], times[7], times[9]]) + "\n")
    (folder / "image_0" / "._000001.png").write_bytes(b"\0\5\x16\7")
    output = tmp_path / "path", tmp_path / "report.json"
    code, out, err = tool("odometry", folder, "-o", output[0], "--json", output[1], *FAST)
    assert code == 0, err
    path = read_trajectory(output[0].with_suffix(".tum"))
    assert [round(stamp / 1e8) for stamp in path.stamps] == [0, 1, 2, 4, 5, 7, 9]
    report = json.loads(output[1].read_text())
    assert report["input"]["used"] == 7
    rejected = {cause: each["names"] for cause, each in report["input"]["rejected"].items()}
    assert rejected == {
        "stamp": ["image_0/000008.png", "image_1/000008.png"],
        "file": ["image_0/000006.png"],
        "without a partner": ["image_0/000003.png", "image_1/000006.png"],
    }
    # The true path has a pose for each frame set, those that are left out included.
    assert report["report"]["errors"]["poses"] == 7
    assert report["report"]["errors"]["end_percent"] < 3.0
    for words in ("2: image_0/000003.png, image_1/000006.png", "is cut off before its end"):
        assert words in out
    code, out, err = tool("odometry", folder, "-o", tmp_path / "none", "--strict", *FAST)
    assert code == 2 and "image_0/000006.png" in err
    assert not (tmp_path / "none.tum").exists()


def test_colour_cameras_have_their_own_matrices(tool: Tool, folder: Path, tmp_path: Path) -> None:
    lines = (folder / "calib.txt").read_text().splitlines()
    left, right = (np.array(line.split(":")[1].split(), float) for line in lines)
    shifted = right.copy()
    left[3] += 50.0
    shifted[3] += 50.0
    right[3] *= 1.25  # the grey pair is farther apart
    matrices = enumerate(" ".join(map(str, p)) for p in (left, right, left, shifted))
    (folder / "calib.txt").write_text("".join(f"P{k}: {text}\n" for k, text in matrices))
    for old, new in (("image_0", "image_2"), ("image_1", "image_3")):
        (folder / old).rename(folder / new)
    assert tool("odometry", folder, "-o", tmp_path / "path", *FAST)[0] == 0
    length = read_trajectory(tmp_path / "path.tum").distances[-1]
    assert length == pytest.approx(LENGTH_M, rel=0.01)

    # Of folders with other names, it has to be said.
    for old, new in (("image_2", "links"), ("image_3", "rechts")):
        (folder / old).rename(folder / new)
    eyes = ("--left", "links", "--right", "rechts")
    code, _, err = tool("odometry", folder, *eyes, *FAST)
    assert code == 2 and "the folder links does not say which" in err and "FILE:P0,P1" in err
    calib = folder / "calib.txt"
    code, _, err = tool("odometry", folder, *eyes, "--calib", calib, *FAST)
    assert code == 2 and f"--calib {calib}:P0,P1" in err
    code, _, err = tool("odometry", folder, *eyes, "--calib", f"{calib}:P2,P4", *FAST)
    assert code == 2 and "no P4" in err
    given = ("--calib", f"{calib}:P2,P3")
    assert tool("odometry", folder, *eyes, *given, "-o", tmp_path / "given", *FAST)[0] == 0
    assert read_trajectory(tmp_path / "given.tum").distances[-1] == pytest.approx(length)


def test_a_true_path_of_another_time_costs_the_errors_alone(
    tool: Tool, folder: Path, tmp_path: Path
) -> None:
    truth = tmp_path / "truth.tum"
    truth.write_text("".join(f"{1403636579 + k} {k} 0 0 0 0 0 1\n" for k in range(9)))
    output = tmp_path / "path", tmp_path / "report.json"
    given = ("--truth", truth, "-o", output[0], "--json", output[1])
    code, out, err = tool("odometry", folder, *given, *FAST)
    assert code == 2 and "the true path is not used: 0 of 10 poses have a true one" in err
    assert "length of the path" in out and output[0].with_suffix(".tum").is_file()
    assert json.loads(output[1].read_text())["report"]["errors"] is None


def test_an_assumed_rate_is_said(tool: Tool, folder: Path) -> None:
    (folder / "times.txt").unlink()
    code, _, err = tool("odometry", folder, "--mode", "mono", "--rate", "10", *FAST)
    assert code == 0 and "10 images per second are assumed" in err


def test_raw_eyes_of_euroc_are_followed_when_rectified(
    tool: Tool, folder: Path, flight: Flight, tmp_path: Path
) -> None:
    camera = flight.intrinsics
    for number, place in ((0, 0.0), (1, BASELINE_M)):
        eye = folder / "mav0" / f"cam{number}"
        eye.mkdir(parents=True)
        (folder / f"image_{number}").rename(eye / "data")
        (eye / "sensor.yaml").write_text(
            f"T_BS: {{data: [1, 0, 0, {place}, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]}}\n"
            f"resolution: [320, 256]\n"
            f"intrinsics: [{camera.fx}, {camera.fy}, {camera.cx}, {camera.cy}]\n"
            "distortion_model: radial-tangential\n"
            "distortion_coefficients: [0.0, 0.0, 0.0, 0.0]\n"
        )
        names = sorted(file.name for file in (eye / "data").iterdir())
        stamps = (1403636579763555584 + 100_000_000 * k for k in range(len(names)))
        rows = (f"{stamp},{name}\n" for stamp, name in zip(stamps, names, strict=True))
        (eye / "data.csv").write_text("#timestamp [ns],filename\n" + "".join(rows))
    for name in ("poses.txt", "times.txt", "calib.txt"):
        (folder / name).unlink()
    code, _, err = tool("odometry", folder, *FAST)
    assert code == 2 and "the images are raw" in err and "--rectify" in err
    code, _, err = tool("odometry", folder, "--rectify", "-o", tmp_path / "path", *FAST)
    assert code == 0, err
    path = read_trajectory(tmp_path / "path.tum")
    assert path.stamps[0] == 1403636579763555584
    assert path.distances[-1] == pytest.approx(LENGTH_M, rel=0.02)


@pytest.fixture
def unsynchronised(flight: Flight, tmp_path: Path) -> Path:
    """The right eye takes its images 12 ms after the left one."""
    path = tmp_path / "eyes.mcap"
    with BagWriter(path) as writer:
        for frame in list(flight.frames())[:4]:
            late = Frame(frame.image, frame.stamp + 12_000_000, "right")
            for eye, each, baseline in (("left", frame, 0.0), ("right", late, 1.0)):
                info = camera_info_message(each, Intrinsics(200, 200, 159.5, 127.5), baseline)
                writer.write(f"/{eye}/camera_info", each.stamp, info)
                writer.write(f"/{eye}/image_rect", each.stamp, image_message(each))
    return path


@pytest.mark.parametrize("command", ["odometry", "replay"])
def test_eyes_that_are_not_synchronised_are_refused_with_their_gap(
    tool: Tool, unsynchronised: Path, command: str
) -> None:
    eyes = ("--left", "left/image_rect", "--right", "right/image_rect")
    code, out, err = tool(command, unsynchronised, *eyes, *FAST)
    assert (code, out) == (2, "")
    assert "they are 12 ms apart" in err and "--tolerance-ms" in err


def test_replay_counts_what_it_left_out(tool: Tool, folder: Path, tmp_path: Path) -> None:
    (folder / "image_0" / "000004.png").write_bytes(b"no image")
    report = tmp_path / "new" / "report.json"
    code, out, err = tool("replay", folder, "--topic", "image_0", "--json", report, *FAST)
    assert code == 0, err
    assert re.search(r"rejected \(file\) +1, such as", out)
    found = json.loads(report.read_text())["input"]
    assert (found["used"], found["rejected"]["file"]["names"]) == (9, ["image_0/000004.png"])
    code, _, err = tool("replay", folder, "--topic", "image_0", "--strict", *FAST)
    assert code == 2 and "000004.png" in err


def test_a_folder_becomes_a_recording_without_its_bad_images(
    tool: Tool, folder: Path, tmp_path: Path
) -> None:
    (folder / "image_0" / "000004.png").write_bytes(b"no image")
    bag = tmp_path / "bag.mcap"
    code, out, err = tool("bag", "from-images", folder, "-o", bag)
    assert code == 0, err
    for line in ("/left/image: 9\n", "/right/image: 10\n", "/ground_truth/pose: 9\n"):
        assert line in out
    assert "rejected (file): 1, such as" in out
    code, _, err = tool("bag", "from-images", folder, "-o", tmp_path / "none.mcap", "--strict")
    assert code == 2 and "000004.png" in err
    assert not (tmp_path / "none.mcap").exists()
