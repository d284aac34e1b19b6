"""`coarse-loftr match` on files, as a user calls it."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from coarse_loftr_ros.matching.homography import transfer
from coarse_loftr_ros.recordings.rendered.flight import Flight

FAST = ("--threads", "1")


@pytest.fixture(scope="module")
def pair(flight: Flight, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, np.ndarray]:
    """Two frames as files, and the true homography."""
    folder = tmp_path_factory.mktemp("pair")
    frames = list(flight.frames())
    paths = []
    for name, frame in (("a.png", frames[0]), ("b.png", frames[2])):
        cv2.imwrite(str(folder / name), frame.image)
        paths.append(folder / name)
    return *paths, flight.between(frames[0].stamp, frames[2].stamp)


def test_the_json_holds_matches_and_a_homography_near_the_truth(run_tool, pair) -> None:
    first, second, truth = pair
    done = run_tool("match", first, second, *FAST)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["status"] == "OK" and report["reason"] == ""
    assert report["reference_size"] == report["current_size"] == [320, 256]
    count = report["match_count"]
    assert count > 40
    for name in ("reference_points", "current_points", "confidence", "inlier"):
        assert len(report[name]) == count, name
    assert sum(report["inlier"]) == report["inlier_count"]
    assert {"encode", "match", "refine", "homography", "total"} <= set(report["timings_ms"])
    corners = np.array([[0, 0], [319, 0], [319, 255], [0, 255]], float)
    shift = transfer(np.array(report["homography"]), corners) - transfer(truth, corners)
    assert np.linalg.norm(shift, axis=1).mean() < 2.0


def test_an_output_file_and_an_overlay_are_written_and_stdout_stays_empty(
    run_tool, pair, tmp_path: Path
) -> None:
    first, second, _ = pair
    output, overlay = tmp_path / "new" / "out.json", tmp_path / "new" / "overlay.png"
    done = run_tool("match", first, second, "-o", output, "--overlay", overlay, *FAST)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert json.loads(output.read_text())["match_count"] > 40
    picture = cv2.imread(str(overlay))
    assert picture.shape[1] >= 2 * 320
    # Coloured lines were drawn: the images themselves are grey.
    assert (np.ptp(picture.astype(int), axis=2) > 60).mean() > 0.01


def test_images_of_different_sizes_are_matched(run_tool, pair, tmp_path: Path) -> None:
    first, second, truth = pair
    crop = cv2.imread(str(second), cv2.IMREAD_GRAYSCALE)[20:230, 40:290]
    cv2.imwrite(str(tmp_path / "crop.png"), crop)
    done = run_tool("match", first, tmp_path / "crop.png", *FAST)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["current_size"] == [250, 210]
    assert report["status"] == "OK"
    truth = np.array([[1, 0, -40], [0, 1, -20], [0, 0, 1]]) @ truth
    points = np.array(report["reference_points"])[report["inlier"]]
    moved = transfer(truth, points) - np.array(report["current_points"])[report["inlier"]]
    assert np.median(np.linalg.norm(moved, axis=1)) < 1.0


def test_images_without_a_common_view_are_lost_and_that_is_no_error(
    run_tool, pair, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 320), np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), noise)
    done = run_tool("match", pair[0], tmp_path / "noise.png", *FAST)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["status"] == "LOST"
    assert report["homography"] is None and report["rms_px"] is None
    assert report["reason"]


def test_the_darkest_of_16_bits_match_as_8_bits_do(run_tool, pair, tmp_path: Path) -> None:
    """As of a 10-bit camera: the high byte alone would leave four grey levels."""
    first, second, truth = pair
    deep = tmp_path / "deep.png"
    cv2.imwrite(str(deep), cv2.imread(str(first), cv2.IMREAD_GRAYSCALE).astype(np.uint16) * 4)
    counts = []
    for reference in (first, deep):
        report = json.loads(run_tool("match", reference, second, *FAST).stdout)
        counts.append(report["inlier_count"])
        corners = np.array([[0.0, 0], [319, 0], [319, 255], [0, 255]])
        error = transfer(np.array(report["homography"]), corners) - transfer(truth, corners)
        assert np.linalg.norm(error, axis=1).mean() < 1.0
    assert counts[1] > 0.9 * counts[0]


@pytest.mark.parametrize(
    ("option", "value"),
    [("--search-views", 12), ("--search-views", -1), ("--second-pass", -1), ("--second-pass", 11)],
)
def test_options_out_of_range_are_refused_by_name(refusal, pair, option: str, value: int) -> None:
    sentence = refusal("match", *pair[:2], option, value)
    assert f"{option} is {value}" in sentence and "it must be 0 to 1" in sentence


def test_a_file_in_the_place_of_a_folder_is_named(refusal, pair, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("precious")
    out = tmp_path / "taken" / "matches.json"
    assert "taken is not a folder" in refusal("match", *pair[:2], "-o", out, *FAST)


def test_a_tag_of_orientation_turns_nothing(run_tool, pair, tmp_path: Path) -> None:
    first, second, _ = pair
    code = cv2.imencode(".jpg", cv2.imread(str(first), cv2.IMREAD_GRAYSCALE))[1].tobytes()
    tag = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    header = b"\xff\xe1" + (len(tag) + 2).to_bytes(2, "big") + tag
    tagged = tmp_path / "tagged.jpg"
    tagged.write_bytes(code[:2] + header + code[2:])
    done = run_tool("match", tagged, second, *FAST)
    assert json.loads(done.stdout)["reference_size"] == [320, 256]
    assert "tagged.jpg has a tag that asks viewers to turn it" in done.stderr
