"""A video in two parts, and models compared on the second by images aligned as wholes."""

import cv2
import labelled_video
import numpy as np
import pytest
from common.blocks import change
from common.dense_alignment import DenseAlignment, common_ground, ground_error
from labelled_video import PairResult

WIDTH, HEIGHT, COUNT = 160, 128, 9


def to_picture(number):
    """From pixels of an image of the flight to those of the picture below it."""
    turn, x, y = 0.01 * number, 60 + 9.0 * number, 90 + 1.5 * number
    cos, sin = np.cos(turn), np.sin(turn)
    return np.array([[cos, -sin, x], [sin, cos, y], [2e-5 * number, -1e-5 * number, 1]])


def truth(reference, current):
    matrix = np.linalg.inv(to_picture(current)) @ to_picture(reference)
    return matrix / matrix[2, 2]


@pytest.fixture(scope="module")
def flight():
    rng = np.random.default_rng(0)
    picture = sum(
        cv2.resize(rng.uniform(0, 255 * share, (side, side)).astype(np.float32), (400, 400))
        for side, share in ((12, 0.3), (40, 0.4), (130, 0.3))
    ).astype(np.uint8)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return [
        cv2.warpPerspective(picture, to_picture(number), (WIDTH, HEIGHT), flags=flags)
        for number in range(COUNT)
    ]


@pytest.fixture(scope="module")
def folder(flight, tmp_path_factory):
    folder = tmp_path_factory.mktemp("flight")
    for number, image in enumerate(flight):
        cv2.imwrite(str(folder / f"{number}.png"), image)
    return folder


def test_a_video_is_split_into_images_to_label_and_images_to_measure_on(tmp_path):
    video = tmp_path / "flight.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for number in range(6):
        writer.write(np.full((48, 64, 3), 40 * number, np.uint8))
    writer.release()
    labelled_video.main(["split", str(video), str(tmp_path / "out")])
    parts = [sorted((tmp_path / "out" / name).iterdir()) for name in ("first", "last")]
    assert [[file.name for file in part] for part in parts] == [
        [f"{number:06d}.png" for number in some] for some in ((0, 1, 2, 3), (4, 5))
    ]
    assert cv2.imread(str(parts[1][0]))[20, 20, 0] == pytest.approx(160, abs=2)


def test_images_are_aligned_as_wholes_to_a_tenth_of_a_pixel(flight):
    alignment = DenseAlignment(flight)
    ground = common_ground(truth(0, 8), WIDTH, HEIGHT)
    chained = alignment.chained(0, 8)
    assert ground_error(chained, truth(0, 8), ground) < 0.3
    assert ground_error(alignment.aligned(0, 8, chained), truth(0, 8), ground) < 0.1
    back = alignment.aligned(8, 0, np.linalg.inv(chained))
    assert ground_error(np.linalg.inv(back), truth(0, 8), ground) < 0.1


def test_the_common_ground_is_what_both_images_show():
    half = np.array([[1.0, 0, -80], [0, 1, 0], [0, 0, 1]])
    ground = common_ground(half, WIDTH, HEIGHT)
    assert len(ground) == 8 * 12 and ground[:, 0].min() >= 80
    assert ground_error(half + np.eye(3, k=2) * 3, half, ground) == pytest.approx(3)


def test_images_without_a_common_plane_are_named(flight):
    alignment = DenseAlignment([flight[0], np.zeros_like(flight[0])])
    with pytest.raises(ValueError, match="images 0 and 1 cannot be aligned"):
        alignment.chained(0, 1)


def test_a_model_is_measured_on_the_pairs_that_share_ground(folder, capsys):
    labelled_video.main(["measure", str(folder), "--model", "fast", "--gaps", "4", "8"])
    checks, models = capsys.readouterr().out.split("\n\n")
    assert [line.split()[:2] for line in checks.splitlines()[2:]] == [["4", "5"], ["8", "1"]]
    rows = [line.split() for line in models.splitlines()[2:]]
    assert [row[:3] for row in rows] == [["4", "fast", "5"], ["8", "fast", "1"]]
    assert all(float(row[3]) < 1 and row[5] == "100.0" for row in rows)


def test_images_too_far_apart_are_refused(folder):
    with pytest.raises(ValueError, match="share a tenth of a view"):
        labelled_video.measured(folder, ["fast"], [40], 1)


def test_models_are_compared_pair_by_pair_with_the_first():
    rng = np.random.default_rng(0)
    errors = rng.uniform(1.2, 3.4, 60)
    results = {
        "fast": [PairResult(error, 100, True) for error in errors],
        "mine": [PairResult(error - 0.5, 120, True) for error in errors],
        "blind": [PairResult(float("inf"), 0, False) for _ in errors],
    }
    fast, mine, blind = labelled_video.model_rows(10, results)
    assert fast[1:3] == ["fast", "60"] and fast[4] == "0.0" and fast[-1] == "100.0"
    assert mine[3].endswith(", -0.50 [-0.50, -0.50]") and mine[6] == "120, +20 [+20, +20]"
    assert mine[5].startswith("100.0, +") and blind[3].startswith("inf, +inf")
    assert blind[-1] == "0.0, -100.0 [-100.0, -100.0]"


def test_an_interval_is_wider_where_neighbours_are_alike():
    def width(values):
        low, high = change(values, np.zeros(80), np.mean).split("[")[1].rstrip("]").split(", ")
        return float(high) - float(low)

    alternating = np.tile([0.0, 1.0], 40)
    assert width(np.sort(alternating)) > 3 * width(alternating)


def test_figures_that_are_both_infinite_do_not_differ():
    lost = np.full(20, np.inf)
    assert change(lost, lost, places=1) == "+0.0 [+0.0, +0.0]"
    assert change(lost, np.ones(20), places=1) == "+inf [+inf, +inf]"
