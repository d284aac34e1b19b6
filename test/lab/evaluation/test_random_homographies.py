import dataclasses

import cv2
import numpy as np
import pytest

from coarse_loftr_lab.evaluation.data.random_homographies import (
    MODERATE,
    RandomHomographies,
    draw_homography,
    make_pair,
)
from coarse_loftr_lab.evaluation.data.split import held_out

CLEAN = dataclasses.replace(MODERATE, gamma=1.0, blur_px=0.0, noise=0.0)


def photograph(width, height, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "holiday"
    folder.mkdir()
    for index in range(40):
        cv2.imwrite(str(folder / f"{index:03d}.png"), photograph(80, 60, index))
    return tmp_path


def test_the_same_seed_gives_the_same_pairs_to_the_bit(photographs):
    first, second = (RandomHomographies(photographs, count=6, seed=3) for _ in range(2))
    other = RandomHomographies(photographs, count=6, seed=4)
    backwards = [second[index] for index in reversed(range(6))][::-1]
    for one, two, different in zip(first, backwards, other, strict=True):
        assert one.name == two.name == different.name
        assert np.array_equal(one.reference, two.reference)
        assert np.array_equal(one.current, two.current)
        assert np.array_equal(one.homography, two.homography)
        assert not np.array_equal(one.homography, different.homography)


def test_pairs_do_not_depend_on_where_the_folder_lies(photographs, tmp_path_factory):
    moved = tmp_path_factory.mktemp("elsewhere") / "deep"
    (photographs / "holiday").rename(moved.parent / "holiday")
    here = RandomHomographies(moved.parent, count=3)
    assert [pair.name for pair in here] == [
        pair.name for pair in RandomHomographies(moved.parent / "holiday", count=3)
    ]


def test_only_photographs_kept_out_of_training_are_used(photographs):
    kept = {path.name for path in photographs.rglob("*.png") if held_out(path)}
    used = {pair.name.split("/")[-1] for pair in RandomHomographies(photographs, count=12)}
    assert used == kept
    assert 0 < len(kept) < 40


def test_too_few_photographs_are_used_again_with_other_homographies(photographs):
    pairs = list(RandomHomographies(photographs, 3, keep=lambda path: path.name == "007.png"))
    assert len(pairs) == 3
    assert not np.array_equal(pairs[0].homography, pairs[1].homography)


def test_what_cannot_give_pairs_is_refused(photographs, tmp_path):
    with pytest.raises(ValueError, match="count is 0"):
        RandomHomographies(photographs, count=0)
    with pytest.raises(ValueError, match="no image"):
        RandomHomographies(photographs, keep=lambda path: False)
    with pytest.raises(NotADirectoryError, match="absent"):
        RandomHomographies(tmp_path / "absent")
    with pytest.raises(IndexError):
        RandomHomographies(photographs, count=2)[2]


@pytest.mark.parametrize("size", [(600, 450), (200, 300), (1600, 900)])
def test_the_truth_holds_to_a_fraction_of_a_pixel(size):
    pair = make_pair("pair", photograph(*size), CLEAN, np.random.default_rng(5))
    assert pair.reference.shape == pair.current.shape == (480, 640)

    def difference(x, y):
        shifted = np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]]) @ pair.homography
        warped = cv2.warpPerspective(pair.reference, shifted, (640, 480))
        inside = cv2.warpPerspective(np.full_like(warped, 255), shifted, (640, 480)) == 255
        inside = cv2.erode(inside.astype(np.uint8), np.ones((5, 5))) > 0
        return np.abs(warped[inside].astype(float) - pair.current[inside]).mean()

    exact = difference(0, 0)
    for shift in [(0.2, 0), (-0.2, 0), (0, 0.2), (0, -0.2)]:
        assert exact < difference(*shift)


def test_corners_move_as_far_as_asked_and_no_farther():
    distortion = dataclasses.replace(MODERATE, rotation_deg=0.0, strong_share=0.25)
    random = np.random.default_rng(0)
    corners = np.array([[[0, 0]], [[639, 0]], [[639, 479]], [[0, 479]]], float)
    moves = []
    for _ in range(300):
        moved = cv2.perspectiveTransform(corners, draw_homography(distortion, random))
        moves.append(np.abs(moved - corners).max())
    assert 95 < max(moves) <= 100.1
    assert 0.15 < np.mean(np.array(moves) > 45.1) < 0.35


def test_the_photograph_fills_both_images():
    white = np.full((300, 400), 255, np.uint8)
    strong = dataclasses.replace(CLEAN, corner_px=100.0)
    for seed in range(10):
        pair = make_pair("pair", white, strong, np.random.default_rng(seed))
        assert pair.reference.min() == pair.current.min() == 255
