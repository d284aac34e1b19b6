"""`coarse-loftr evaluate` on small data with known truth."""

import json
import shutil

import cv2
import numpy as np
import pytest
from detectors import bright_detector
from scenes import motion, texture, view

PLANE = texture()


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """What a test matches is kept with the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def sequence(tmp_path_factory):
    """A folder in HPatches layout with exact homographies."""
    folder = tmp_path_factory.mktemp("hpatches") / "scene"
    folder.mkdir()
    cv2.imwrite(str(folder / "1.png"), view(PLANE, np.eye(3)))
    for number, truth in ((2, motion(10, 4, 3)), (3, motion(-20, 15, -6, 1.1))):
        cv2.imwrite(str(folder / f"{number}.png"), view(PLANE, truth, seed=number))
        np.savetxt(folder / f"H_1_{number}", truth)
    return folder


def test_homography_prints_a_row_per_method_and_writes_every_figure(run_tool, sequence, tmp_path):
    output = tmp_path / "figures.json"
    done = run_tool("evaluate", "homography", sequence, "--threads", 1, "--json", output)
    assert done.returncode == 0, done.stderr
    for method in ("fast", "ORB 2000", "SIFT 2048"):
        assert method in done.stdout
    figures = json.loads(output.read_text())
    assert figures["data"] == "scene" and figures["threads"] == 1
    own = figures["report"]["summaries"][0]
    assert own["pairs"] == 2 and own["failures"] == 0
    assert own["median_error_px"] < 0.5


def test_a_second_run_takes_everything_from_the_cache_and_says_the_same(
    run_tool, sequence, tmp_path
):
    options = ("evaluate", "homography", sequence, "--threads", 1)
    first, second = (run_tool(*options) for _ in range(2))
    assert "0 taken from" in first.stderr and "pairs: 0 matched" in second.stderr
    assert first.stdout == second.stdout
    assert (tmp_path / "cache/coarse_loftr_ros/evaluation").is_dir()
    assert "taken from" not in run_tool(*options, "--only-own", "--no-cache").stderr


def test_several_models_are_rows_of_their_own(run_tool, sequence, repository, tmp_path):
    models = [tmp_path / "one", tmp_path / "other"]
    for folder in models:
        shutil.copytree(repository / "coarse_loftr_ros/models/fast", folder)
    facts = json.loads((models[1] / "model.json").read_text())
    (models[1] / "model.json").write_text(json.dumps({**facts, "name": "another"}))
    chosen = [part for folder in models for part in ("--model", folder)]
    output = tmp_path / "figures.json"
    done = run_tool(*("evaluate", "homography", sequence, "--only-own", "--json", output, *chosen))
    assert done.returncode == 0, done.stderr
    names = [row["method"] for row in json.loads(output.read_text())["report"]["summaries"]]
    assert names == [facts["name"], "another"]
    twice = run_tool("evaluate", "homography", sequence, "--only-own", *chosen[:2], *chosen[:2])
    assert twice.returncode == 2 and "every name must be different" in twice.stderr


def test_masks_of_a_detector_are_a_row_of_their_own(run_tool, sequence, tmp_path):
    detector = bright_detector(tmp_path)
    options = ("--only-own", "--threads", 1, "--mask-detector", detector)
    output = tmp_path / "figures.json"
    done = run_tool("evaluate", "homography", sequence, *options, "--json", output)
    assert done.returncode == 0, done.stderr
    methods = json.loads(output.read_text())["methods"]
    assert list(methods) == ["fast", "fast, masked"]
    assert methods["fast, masked"]["masks"]["dilation"] == 8


def test_inliers_of_our_own_homography_are_a_row_of_their_own(run_tool, sequence, tmp_path):
    output = tmp_path / "figures.json"
    options = ("--only-own", "--threads", 1, "--inliers", "--json", output)
    done = run_tool("evaluate", "homography", sequence, *options)
    assert done.returncode == 0, done.stderr
    results = json.loads(output.read_text())["report"]["results"]
    assert {result["method"] for result in results} == {"fast", "fast, inliers"}
    for every, inliers in zip(results[::2], results[1::2], strict=True):
        assert every["pair"] == inliers["pair"]
        assert 4 <= inliers["inliers"] <= inliers["matches"] <= every["matches"]


def test_random_homographies_of_a_folder_are_the_same_every_time(run_tool, tmp_path):
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), texture(seed=number))
    options = ("--all-images", "--pairs", 3, "--only-own", "--threads", 1)
    runs = [run_tool("evaluate", "random", tmp_path, *options) for _ in range(2)]
    assert runs[0].returncode == 0, runs[0].stderr
    assert runs[0].stdout == runs[1].stdout and "0/3" in runs[0].stdout


def test_odometry_of_a_camera_that_moves_sideways(run_tool, tmp_path):
    """Two planes at different depths give the parallax that a direction needs."""
    (tmp_path / "image_0").mkdir()
    near, far = texture(seed=1), texture(seed=2)
    poses = []
    for step in range(3):
        image = view(far, motion(dx=-6.0 * step), seed=step)
        image[240:] = view(near, motion(dx=-18.0 * step), seed=step)[240:]
        cv2.imwrite(str(tmp_path / "image_0" / f"{step:06d}.png"), image)
        poses.append([1, 0, 0, 0.1 * step, 0, 1, 0, 0, 0, 0, 1, 0])
    np.savetxt(tmp_path / "poses.txt", poses)
    np.savetxt(tmp_path / "calib.txt", [[500, 0, 319.5, 0, 0, 500, 239.5, 0, 0, 0, 1, 0]])
    output = tmp_path / "figures.json"
    options = ("--gaps", 1, 2, "--only-own", "--json", output)
    done = run_tool("evaluate", "odometry", tmp_path, *options)
    assert done.returncode == 0, done.stderr
    for summary in json.loads(output.read_text())["report"]["summaries"]:
        assert summary["failures"] == 0
        assert summary["median_direction_deg"] < 5 and summary["median_rotation_deg"] < 0.5


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for number in range(2):
        cv2.imwrite(str(folder / f"{number}.png"), texture(600, 450, seed=number))
    return folder


def figures_of(run_tool, output, *arguments):
    done = run_tool("evaluate", *arguments, "--threads", 1, "--json", output)
    assert done.returncode == 0, done.stderr
    return json.loads(output.read_text()), done.stdout


def test_what_moves_left_out_is_a_row_of_its_own_and_costs_nothing_where_nothing_moves(
    run_tool, kitti_folder, tmp_path
):
    output = tmp_path / "paths.json"
    options = ("--motion-mask", "--only-own", "--fly-over", 0, "--threads", 1, "--json", output)
    done = run_tool("evaluate", "visual_odometry", kitti_folder, *options)
    assert done.returncode == 0, done.stderr
    results = json.loads(output.read_text())["report"]["results"]
    stereo = [each for each in results if each["mode"] == "stereo"]
    assert [each["method"] for each in stereo] == ["fast", "fast, motion mask"]
    ends = [each["path"]["errors"]["end_percent"] for each in stereo]
    assert ends[1] == pytest.approx(ends[0], abs=0.5)


def test_stress_counts_successes_at_every_dose(run_tool, photographs, tmp_path):
    figures, text = figures_of(
        *(run_tool, tmp_path / "figures.json", "stress", photographs, "--all-images"),
        *("--pairs", 2, "--suite", "low light", "--suite", "noise", "--only-own"),
    )
    assert [suite["name"] for suite in figures["report"]["suites"]] == ["low light", "noise"]
    assert len(figures["report"]["levels"]) == 1 + 4 + 5
    assert figures["report"]["levels"][0]["success"] == 1
    assert figures["options"]["pairs"] == 2 and "low light (photons" in text


def test_tiny_motions_are_rendered_and_need_no_data(run_tool, tmp_path):
    figures, text = figures_of(
        run_tool, tmp_path / "figures.json", "tiny_motion", "--scenes", 1, "--only-own"
    )
    assert figures["data"] == "rendered" and figures["options"] == {"scenes": 1, "seed": 0}
    assert len(figures["report"]["levels"]) == 15
    assert "little texture: direction, degrees" in text


def test_calibration_gives_a_threshold_before_and_after_refinement(run_tool, photographs, tmp_path):
    figures, _ = figures_of(
        *(run_tool, tmp_path / "figures.json", "calibration", photographs, "--all-images"),
        *("--pairs", 4),
    )
    published, before = figures["report"]["calibrations"]
    assert published["method"].endswith("as published")
    assert before["method"].endswith("before refinement")
    # Refinement drops matches, and aligns two points of each cell.
    assert 2 * before["matches"] > published["matches"] > 200
    surplus = {
        point["threshold"]: point["matches"] * (2 * point["precision"] - 1)
        for point in published["points"]
    }
    assert max(surplus, key=surplus.get) == pytest.approx(published["threshold"], abs=0.1)
    settings = figures["methods"][published["method"]]["match"]
    assert settings["confidence_threshold"] == 0 and settings["refinement"]["enabled"]


def test_tuning_names_the_best_threshold_of_every_baseline(run_tool, tmp_path):
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), texture(600, 450, seed=number))
    figures, _ = figures_of(run_tool, tmp_path / "figures.json", "tune", tmp_path, "--pairs", 4)
    best = [tried["method"] for tried in figures["report"]["tried"] if tried["best"]]
    assert best[:2] == ["ORB 2000", "SIFT 2048"]


def test_pose_measures_the_pairs_of_a_list(run_tool, tmp_path):
    """A plane far away and one near, seen from the side: parallax along x."""
    near, far = texture(seed=1), texture(seed=2)
    for step in range(2):
        image = view(far, motion(dx=-6.0 * step), seed=step)
        image[240:] = view(near, motion(dx=-18.0 * step), seed=step)[240:]
        cv2.imwrite(str(tmp_path / f"{step}.png"), image)
    camera = "500 0 319.5 0 500 239.5 0 0 1"
    pose = "1 0 0 -0.1 0 1 0 0 0 0 1 0 0 0 0 1"
    (tmp_path / "pairs.txt").write_text(f"0.png 1.png 0 0 {camera} {camera} {pose}\n")
    figures, text = figures_of(
        *(run_tool, tmp_path / "figures.json", "pose", tmp_path / "pairs.txt"),
        *("--images", tmp_path, "--only-own"),
    )
    (result,) = figures["report"]["results"]
    assert result["direction_error_deg"] < 5 and result["rotation_error_deg"] < 0.5
    assert "AUC@5 deg" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("stress", "/nowhere"), "there is no folder /nowhere"),
        (("stress", "/nowhere", "--suite", "hail"), "there is no 'hail'; it must be one of"),
        (("pose", "/nowhere.txt", "--images", "/"), "there is no file /nowhere.txt"),
        (("calibration", "/nowhere"), "there is no folder /nowhere"),
        (("homography", "/nowhere"), "there is no folder /nowhere"),
        (("random", "/nowhere"), "there is no folder /nowhere"),
        (("odometry", "/nowhere"), "/nowhere"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_sentence(run_tool, arguments, sentence):
    done = run_tool("evaluate", *arguments, "--only-own")
    assert done.returncode == 2 and sentence in done.stderr and "Traceback" not in done.stderr


def test_weights_that_are_not_there_are_refused(run_tool, sequence):
    done = run_tool("evaluate", "homography", sequence, "--weights", "/nowhere")
    assert done.returncode == 2 and "--weights: there is no folder /nowhere" in done.stderr
