"""Loaders on data made here, and on the data that lies beside a developer's checkout."""

import cv2
import numpy as np
import pytest

from coarse_loftr_lab.evaluation.data.homography_pair import resize
from coarse_loftr_lab.evaluation.data.hpatches import HPatches
from coarse_loftr_lab.evaluation.data.kitti_sequence import KittiSequence
from coarse_loftr_ros.cameras.angles import rotation_error
from coarse_loftr_ros.recordings.image_files import read_grey

TRUTH = np.array([[1.1, 0.02, 3.0], [-0.01, 0.9, -2.0], [1e-4, 0, 1.0]])
PROJECTION = "707.0 0 601.5 0 0 708.0 183.5 0 0 0 1 0"


def texture(width, height, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def write_sequence(folder, suffix=".png", numbers=(2, 3), size=(60, 40)):
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / f"1{suffix}"), texture(*size))
    for number in numbers:
        cv2.imwrite(str(folder / f"{number}{suffix}"), texture(*size, seed=number))
        np.savetxt(folder / f"H_1_{number}", TRUTH * number)
    return folder


def write_kitti(folder, poses, calibration="calib.txt", line=f"P0: {PROJECTION}\nP1: {PROJECTION}"):
    (folder / "image_0").mkdir(parents=True)
    for index in range(len(poses)):
        cv2.imwrite(str(folder / "image_0" / f"{index:06d}.png"), texture(30, 20, index))
    np.savetxt(folder / "poses.txt", np.array(poses).reshape(len(poses), 12))
    (folder / calibration).write_text(line)
    return folder


def pose(axis_angle_deg, position):
    rotation = cv2.Rodrigues(np.radians(axis_angle_deg))[0]
    return np.column_stack([rotation, position])


def blob(width, height, x, y):
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    return np.uint8(np.rint(250 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 2 / 6**2)))


def centroid(image):
    weight = image.astype(np.float64)
    columns, rows = np.meshgrid(np.arange(image.shape[1]), np.arange(image.shape[0]))
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


@pytest.mark.parametrize("length", [41, 60, 77, 150])
def test_resizing_keeps_account_of_where_pixels_go(length):
    image = blob(133, 101, 52.4, 40.7)
    resized, to_resized = resize(image, length / 101)
    assert min(resized.shape) == length
    expected = to_resized @ np.append(centroid(image), 1)
    assert np.allclose(centroid(resized), expected[:2], atol=0.02)


def test_an_unreadable_image_is_named(tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not an image")
    with pytest.raises(ValueError, match=r"broken\.png"):
        read_grey(broken)
    with pytest.raises(ValueError, match="absent"):
        read_grey(tmp_path / "absent.png")


@pytest.mark.parametrize("suffix", [".png", ".pgm"])
def test_one_sequence_folder_gives_its_pairs(tmp_path, suffix):
    pairs = list(HPatches(write_sequence(tmp_path / "v_wall", suffix), shorter_side=None))
    assert [pair.name for pair in pairs] == ["v_wall/1-2", "v_wall/1-3"]
    assert np.allclose(pairs[1].homography, TRUTH * 3)
    assert np.array_equal(pairs[0].reference, texture(60, 40))
    assert np.array_equal(pairs[1].current, texture(60, 40, seed=3))
    assert pairs[0].reference is pairs[1].reference


def test_a_folder_of_sequences_gives_the_pairs_of_all(tmp_path):
    write_sequence(tmp_path / "i_dome", numbers=(2, 4))
    write_sequence(tmp_path / "v_wall")
    (tmp_path / "notes").mkdir()
    data = HPatches(tmp_path)
    names = [pair.name for pair in data]
    assert names == ["i_dome/1-2", "i_dome/1-4", "v_wall/1-2", "v_wall/1-3"]
    assert len(data) == 4


def test_resized_pairs_keep_their_truth(tmp_path):
    folder = write_sequence(tmp_path / "v_wall", size=(640, 400))
    received = next(iter(HPatches(folder, shorter_side=None)))
    resized = next(iter(HPatches(folder, shorter_side=200)))
    assert resized.reference.shape == (200, 320)
    # Half the size about the pixels' edges: a centre x goes to (x + 0.5) / 2 - 0.5.
    point = np.array([[[311.0, 77.0]]])
    moved = cv2.perspectiveTransform(point, received.homography)
    moved_small = cv2.perspectiveTransform((point + 0.5) / 2 - 0.5, resized.homography)
    assert np.allclose(moved_small, (moved + 0.5) / 2 - 0.5)


def test_a_folder_without_pairs_is_refused(tmp_path):
    with pytest.raises(ValueError, match="H_1_2"):
        HPatches(tmp_path)
    with pytest.raises(NotADirectoryError, match="absent"):
        HPatches(tmp_path / "absent")
    with pytest.raises(ValueError, match="shorter side is 0"):
        HPatches(write_sequence(tmp_path / "v_wall"), shorter_side=0)


def test_a_broken_homography_file_is_named(tmp_path):
    folder = write_sequence(tmp_path / "v_wall")
    for content in ("1 0 0\n0 1 0\n", "1 0 0\n0 1 0\n0 0 0\n", "eins zwei drei"):
        (folder / "H_1_2").write_text(content)
        with pytest.raises(ValueError, match="H_1_2"):
            list(HPatches(folder))


def test_a_missing_image_is_named(tmp_path):
    folder = write_sequence(tmp_path / "v_wall")
    (folder / "3.png").unlink()
    with pytest.raises(FileNotFoundError, match="no image 3"):
        list(HPatches(folder))


def test_relative_motion_takes_reference_points_to_the_current_camera(tmp_path):
    poses = [pose([1, 2, 3], [0, 0, 0]), pose([4, -2, 1], [1, 2, 3]), pose([0, 9, 0], [2, 2, 2])]
    sequence = KittiSequence(write_kitti(tmp_path / "05", poses))
    world = np.array([0.3, -0.7, 9.0])
    seen = [camera[:, :3].T @ (world - camera[:, 3]) for camera in poses]
    for first, second in [(0, 1), (1, 2), (0, 2), (2, 0)]:
        motion = sequence.relative_pose(first, second)
        assert np.allclose(motion.rotation @ seen[first] + motion.translation, seen[second])


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("calib.txt", f"P0: {PROJECTION}\nP1: {PROJECTION}"),
        ("calib_P0_P1.txt", f"{PROJECTION}\n{PROJECTION}"),
    ],
)
def test_both_kinds_of_calibration_file_are_read(tmp_path, name, line):
    sequence = KittiSequence(write_kitti(tmp_path / "05", [pose([0, 0, 0], [0, 0, 0])], name, line))
    camera = sequence.intrinsics
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (707.0, 708.0, 601.5, 183.5)
    assert sequence.image(0).shape == (20, 30)
    assert len(sequence) == 1


def test_incomplete_sequences_are_refused_by_name(tmp_path):
    still = pose([0, 0, 0], [0, 0, 0])
    with pytest.raises(ValueError, match="image_0"):
        KittiSequence(tmp_path)
    with pytest.raises(ValueError, match=r"calib\.txt"):
        KittiSequence(write_kitti(tmp_path / "a", [still], "other.txt"))
    short = write_kitti(tmp_path / "b", [still, still])
    np.savetxt(short / "poses.txt", still.reshape(1, 12))
    with pytest.raises(ValueError, match="1 poses without times, and there are 2 images"):
        KittiSequence(short)
    for line in ("P0: 1 2 3", "P0: " + "x " * 12):
        (short / "calib.txt").write_text(line)
        with pytest.raises(ValueError, match=r"calib\.txt"):
            KittiSequence(short)


def test_the_development_homographies_fit_their_images(shared_dir):
    pairs = list(HPatches(shared_dir / "data/dev/homography", shorter_side=None))
    assert {"boat", "iguazu"} <= {pair.name.split("/")[0] for pair in pairs}
    boat = next(pair for pair in pairs if pair.name == "boat/1-3")
    size = boat.current.shape[::-1]
    warped = cv2.warpPerspective(boat.reference, boat.homography, size, flags=cv2.INTER_AREA)
    seen = cv2.warpPerspective(np.full_like(boat.reference, 255), boat.homography, size) == 255
    correlation = np.corrcoef(warped[seen], boat.current[seen])[0, 1]
    assert correlation > 0.9


def test_the_development_drive_goes_forward(shared_dir):
    sequence = KittiSequence(shared_dir / "data/dev/vo/kitti06_stereo_51")
    assert len(sequence) == 51
    assert sequence.intrinsics.fx == pytest.approx(707.0912)
    assert sequence.image(50).shape == (370, 1226)
    motion = sequence.relative_pose(10, 11)
    # The world comes closer: points move towards the camera by about a metre per image.
    assert motion.translation[2] == pytest.approx(-1.2, abs=0.3)
    assert rotation_error(motion.rotation, np.eye(3)) < 2
