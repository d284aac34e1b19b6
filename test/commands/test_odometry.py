"""`coarse-loftr odometry` on folders, recordings and videos, as a user calls it."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from coarse_loftr_ros.recordings.bags.messages import image_message
from coarse_loftr_ros.recordings.bags.writer import BagWriter
from coarse_loftr_ros.recordings.rendered.flight import Flight
from coarse_loftr_ros.recordings.trajectories.files import read_trajectory

FAST = ("--threads", "1")


@pytest.fixture(scope="module")
def stereo(run_tool, kitti_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("odometry")
    pytest.importorskip("matplotlib")
    done = run_tool("odometry", kitti_folder, "-o", folder / "new" / "path", "--json",
                    folder / "report.json", "--plot", folder / "path.png", *FAST)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {"folder": folder, "stdout": done.stdout, "stderr": done.stderr}


def test_stereo_is_metric_and_near_the_truth(stereo: dict, kitti_folder: Path) -> None:
    report = json.loads((stereo["folder"] / "report.json").read_text())
    assert (report["mode"], report["matcher"], report["model"]) == ("stereo", "own", "fast")
    report = report["report"]
    assert (report["images"], report["lost"], report["metric"]) == (10, 0, True)
    assert report["errors"]["scale"] == 1.0
    assert report["errors"]["end_percent"] < 3.0
    assert report["errors"]["segments"]["mean_t_rel_percent"] < 5.0
    assert "distance at the end" in stereo["stdout"]


def test_both_files_hold_the_path_and_its_times(stereo: dict, kitti_folder: Path) -> None:
    tum = read_trajectory(stereo["folder"] / "new" / "path.tum")
    assert [round(stamp / 1e8) for stamp in tum.stamps] == list(range(10)), "of times.txt"
    kitti = read_trajectory(stereo["folder"] / "new" / "path.kitti", list(tum.stamps))
    assert np.allclose(tum.positions, kitti.positions, atol=1e-6)
    assert np.allclose(tum.poses[0].matrix, np.eye(4))


def test_the_picture_shows_two_paths(stereo: dict) -> None:
    picture = cv2.imread(str(stereo["folder"] / "path.png"))
    assert picture.shape[1] > 1000
    assert (np.ptp(picture.astype(int), axis=2) > 60).any()


def test_what_evo_would_add_is_said(stereo: dict) -> None:
    try:
        import evo  # noqa: F401
    except ImportError:
        assert "coarse_loftr_ros[odometry]" in stereo["stderr"]
    else:
        assert "APE" in stereo["stdout"]


@pytest.mark.parametrize(
    "options",
    [("--matcher", "sift"), ("--pairing", "keyframe"), ("--mode", "mono")],
    ids=lambda options: options[1],
)
def test_other_matchers_pairings_and_modes_follow_the_same_path(
    run_tool, kitti_folder: Path, tmp_path: Path, options: tuple
) -> None:
    output = tmp_path / "report.json"
    done = run_tool("odometry", kitti_folder, "--json", output, *options, *FAST)
    assert done.returncode == 0, done.stderr
    report = json.loads(output.read_text())["report"]
    assert report["lost"] == 0
    # Over a plane one camera alone takes a small turn for a shift.
    limit = 1.0 if "mono" in options else 0.5
    assert report["errors"]["steps"]["median_rotation_deg"] < limit
    assert report["metric"] == ("mono" not in options)
    for text in (done.stdout, done.stderr):
        assert ("not metres" in text) == ("mono" in options)


def test_planar_takes_its_scale_from_the_altitude(
    run_tool, flight: Flight, flight_bag: Path, tmp_path: Path
) -> None:
    camera = flight.intrinsics
    numbers = f"{camera.fx},{camera.fy},{camera.cx},{camera.cy}"
    paths = []
    for altitude in ("10", "20"):
        out = tmp_path / altitude
        done = run_tool("odometry", flight_bag, "--mode", "planar", "--calib", numbers,
                        "--altitude", altitude, "-o", out, *FAST)  # fmt: skip
        assert done.returncode == 0, done.stderr
        paths.append(read_trajectory(out.with_suffix(".tum")))
    assert list(paths[0].stamps) == flight.stamps
    assert np.allclose(2 * paths[0].positions, paths[1].positions, rtol=1e-3, atol=1e-3)
    assert paths[0].distances[-1] > 1.0


def test_what_cannot_be_followed_is_refused_with_a_sentence(
    refusal, kitti_folder: Path, flight_bag: Path, tmp_path: Path
) -> None:
    (tmp_path / "truth.txt").write_text("no path")
    for arguments, words in (
        ((tmp_path / "absent",), ("absent", "does not exist")),
        ((flight_bag,), ("without a calibration", "--calib")),
        ((flight_bag, "--calib", "1,2"), ("--calib is '1,2'", "FX,FY,CX,CY")),
        ((flight_bag, "--mode", "stereo"), ("--mode stereo needs two streams",)),
        ((kitti_folder, "--altitude", "3"), ("--altitude is for --mode planar",)),
        ((kitti_folder, "--left", "image_0"), ("both --left and --right",)),
        ((kitti_folder, "--truth", tmp_path / "truth.txt"), ("truth.txt is no trajectory",)),
    ):
        sentence = refusal("odometry", *arguments, *FAST)
        for word in words:
            assert word in sentence, arguments


def test_a_broken_truth_that_lies_beside_the_images_costs_the_comparison_alone(
    run_tool, kitti_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "drive"
    shutil.copytree(kitti_folder, folder)
    (folder / "poses.txt").write_text("no path\n")
    done = run_tool("odometry", folder, "-o", tmp_path / "out", *FAST)
    assert done.returncode == 2 and "poses.txt is no trajectory" in done.stderr
    assert len((tmp_path / "out.tum").read_text().splitlines()) == 10


def test_methods_are_compared_on_every_drive_of_a_folder(
    run_tool, kitti_folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "figures.json"
    done = run_tool("evaluate", "visual_odometry", kitti_folder.parent, "--fly-over", 0,
                    "--json", output, "--plots", tmp_path, *FAST)  # fmt: skip
    assert done.returncode == 0, done.stderr
    for title in ("sequence, stereo", "sequence, mono"):
        assert title in done.stdout
    results = json.loads(output.read_text())["report"]["results"]
    assert [(r["mode"], r["method"]) for r in results] == [
        (mode, method) for mode in ("stereo", "mono") for method in ("fast", "SIFT 2048")
    ]
    ours, sift = results[:2]
    assert ours["match_ratio"] == 1.0 < sift["match_ratio"]
    assert {r["path"]["lost"] for r in results} == {0}
    rotation = [r["path"]["errors"]["steps"]["median_rotation_deg"] for r in results]
    assert rotation[0] < 0.5 and rotation[2] < 1.0
    assert (tmp_path / "visual_odometry.svg").is_file()


def test_a_folder_without_a_sequence_is_refused(refusal, tmp_path: Path) -> None:
    assert "has no sequence with image_0/" in refusal("evaluate", "visual_odometry", tmp_path)


def test_a_single_image_is_no_path_and_leaves_none(
    refusal, kitti_folder: Path, tmp_path: Path
) -> None:
    shutil.copy(kitti_folder / "image_0" / "000000.png", tmp_path / "0.png")
    out = tmp_path / "out"
    said = refusal("odometry", tmp_path, "--calib", "300,300,160,128", "-o", out / "path", *FAST)
    assert "a path needs at least two images" in said
    assert not out.exists()


def test_images_that_took_no_part_are_counted(run_tool, flight: Flight, tmp_path: Path) -> None:
    bag = tmp_path / "odd.mcap"
    with BagWriter(bag) as writer:
        for number, frame in enumerate(flight.frames()):
            message = image_message(frame)
            message.encoding = "odd7" if number == 4 else message.encoding
            writer.write("/image", frame.stamp, message)
    done = run_tool("odometry", bag, "--calib", "300,300,160,128", *FAST)
    assert done.returncode == 0, done.stderr
    assert "rejected (encoding)" in done.stdout and "'odd7' is not known" in done.stdout


def test_names_that_cannot_be_used_are_refused_before_the_work(
    refusal, kitti_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    out = ("-o", tmp_path / "path")
    plot, truth = tmp_path / "path.txt", tmp_path / "absent.txt"
    assert "must end with .png" in refusal("odometry", kitti_folder, *out, "--plot", plot)
    assert "there is no file" in refusal("odometry", kitti_folder, *out, "--truth", truth)
    assert list(tmp_path.iterdir()) == []
