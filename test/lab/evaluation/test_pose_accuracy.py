"""Relative pose on a box-like scene of which every pixel's place is known."""

import cv2
import numpy as np
import pytest
from scenes import texture

from coarse_loftr_lab.evaluation.data.pose_pairs import PosePairs
from coarse_loftr_lab.evaluation.pose_accuracy import evaluate_pose
from coarse_loftr_lab.evaluation.report_tables import report_tables
from coarse_loftr_ros.cameras.angles import rotation_error, translation_direction_error
from coarse_loftr_ros.features.pair_matcher import PointMatches
from coarse_loftr_ros.features.sift import Sift
from coarse_loftr_ros.files.json_text import to_json

SIZES = ((320, 240), (300, 260))  # width, height of both cameras' images
CAMERAS = (
    np.array([[280.0, 0, 161.0], [0, 285.0, 118.0], [0, 0, 1]]),
    np.array([[310.0, 0, 147.0], [0, 305.0, 133.0], [0, 0, 1]]),
)
ROTATION = cv2.Rodrigues(np.radians([1.0, -4.0, 2.0]))[0]
TRANSLATION = np.array([0.5, -0.1, 0.2])
WALLS = ((0.0, 6.0), (-0.9, 5.0))  # slope to the right, and distance straight ahead
PAPERS = [texture(700, 600, seed=number) for number in range(2)]


def photograph(camera, size, rotation, translation):
    """Two slanted walls that meet, seen through a camera; the nearer surface of each pixel."""
    width, height = size
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.stack([columns, rows, np.ones_like(rows)], -1).reshape(-1, 3)
    rays = pixels @ np.linalg.inv(camera).T @ rotation  # in the world
    centre = -rotation.T @ translation
    nearest, image = np.full(len(rays), np.inf), np.zeros(len(rays), np.float32)
    for number, (slope, distance) in enumerate(WALLS):
        normal = np.array([slope, 0.0, -1.0])  # z = slope x + distance
        along = (-distance - centre @ normal) / (rays @ normal)
        points = centre + along[:, None] * rays
        at = (points[:, :2] * 75 + [350, 300]).astype(np.float32).reshape(height, width, 2)
        seen = cv2.remap(PAPERS[number], at, None, cv2.INTER_LINEAR).ravel()
        nearer = (along > 0) & (along < nearest)
        image[nearer], nearest[nearer] = seen[nearer], along[nearer]
    return np.uint8(image.reshape(height, width))


def line(turns=(0, 0), names=("a.png", "b.png")):
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = ROTATION, TRANSLATION
    numbers = np.concatenate([CAMERAS[0].ravel(), CAMERAS[1].ravel(), motion.ravel()])
    return " ".join([*names, *map(str, turns), *(repr(float(n)) for n in numbers)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("box")
    poses = ((np.eye(3), np.zeros(3)), (ROTATION, TRANSLATION))
    for name, camera, size, pose in zip("ab", CAMERAS, SIZES, poses, strict=True):
        cv2.imwrite(str(path / f"{name}.png"), photograph(camera, size, *pose))
    return path


def write(tmp_path, *lines):
    file = tmp_path / "pairs.txt"
    file.write_text("\n".join(lines) + "\n")
    return file


def project(camera, points):
    seen = points @ camera.T
    return seen[:, :2] / seen[:, 2:]


@pytest.mark.parametrize("turns", [(0, 0), (1, 0), (0, 2), (3, 1), (2, 3)])
def test_turned_images_keep_their_truth(folder, tmp_path, turns):
    """A world point's pixel in the turned image holds what its pixel held before."""
    (pair,) = PosePairs(write(tmp_path, line(turns)), folder)
    (upright,) = PosePairs(write(tmp_path, line()), folder)
    world = np.random.default_rng(0).uniform([-1.5, -1.2, 4], [1.5, 1.2, 6], (40, 3))
    views = (
        (pair.reference, pair.reference_camera, upright.reference, upright.reference_camera, world),
        (pair.current, pair.current_camera, upright.current, upright.current_camera,
         world @ ROTATION.T + TRANSLATION),
    )  # fmt: skip
    turned = []
    for turn, (image, camera, before, camera_before, points) in zip(turns, views, strict=True):
        assert np.array_equal(image, np.rot90(before, turn))
        angle = np.radians(-90.0 * turn)  # the camera's axes turn against the image
        turned.append(cv2.Rodrigues(np.array([0, 0, angle]))[0])
        at = np.rint(project(camera, points @ turned[-1].T)).astype(int)
        at_before = np.rint(project(camera_before, points)).astype(int)
        assert np.array_equal(image[at[:, 1], at[:, 0]], before[at_before[:, 1], at_before[:, 0]])
    seen = world @ turned[0].T @ pair.rotation.T + pair.translation
    assert np.allclose(seen, (world @ ROTATION.T + TRANSLATION) @ turned[1].T)


@pytest.mark.parametrize("turns", [(0, 0), (1, 3)])
def test_sift_finds_the_pose_between_two_cameras(folder, tmp_path, turns):
    report = evaluate_pose([Sift()], PosePairs(write(tmp_path, line(turns)), folder))
    (result,) = report.results
    assert result.rotation_error_deg < 1.0 and result.direction_error_deg < 4.0
    assert [figure.threshold for figure in report.summaries[0].auc] == [5, 10, 20]
    assert report.summaries[0].auc[2].value > 0.8


def test_resized_images_keep_their_truth(folder, tmp_path):
    (pair,) = PosePairs(write(tmp_path, line()), folder, longer_side=640)
    assert max(pair.reference.shape) == max(pair.current.shape) == 640
    report = evaluate_pose([Sift()], [pair])
    assert report.results[0].direction_error_deg < 4.0


class Shifted:
    """Matches of a camera that moves to the right without turning, whatever the images are."""

    name, settings = "shifted", {}

    def __init__(self, translation):
        self.translation = np.array(translation)

    def describe(self, image):
        return None

    def match(self, reference, current):
        world = np.random.default_rng(0).uniform([-1, -1, 3], [1, 1, 6], (80, 3))
        points = [project(CAMERAS[0], world), project(CAMERAS[1], world + self.translation)]
        return PointMatches(*(np.float32(p) for p in points), np.ones(80, np.float32))


def test_the_error_of_a_pair_is_the_larger_of_both(folder, tmp_path):
    report = evaluate_pose([Shifted([1.0, 0, 0])], PosePairs(write(tmp_path, line()), folder))
    (result,), (summary,) = report.results, report.summaries
    assert result.rotation_error_deg == pytest.approx(rotation_error(np.eye(3), ROTATION), abs=0.1)
    direction = translation_direction_error([1, 0, 0], TRANSLATION)
    assert result.direction_error_deg == pytest.approx(direction, abs=0.5)
    assert result.error_deg == max(result.rotation_error_deg, result.direction_error_deg)
    # 24.1 degrees: beyond every threshold.
    assert [figure.value for figure in summary.auc] == [0, 0, 0]
    assert "AUC@20 deg" in report_tables("pose", to_json(report))[""].text()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "lists no pair"),
        ("a.png b.png 0 0 1 2 3", "line 1 has 7 words"),
        (line((4, 0)), "quarter turns"),
        (line().replace("280.0", "x"), "could not convert"),
        (line().replace("280.0", "-280.0"), "focal lengths"),
        (line(names=("a.png", "c.png")), "names c.png"),
        ("a.png b.png 0 0 " + "1 " * 34, "T_0to1"),
    ],
)
def test_a_malformed_list_is_refused_by_line(folder, tmp_path, text, sentence):
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        PosePairs(write(tmp_path, text), folder)
