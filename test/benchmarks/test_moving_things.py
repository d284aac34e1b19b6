"""What moves in the benchmark of masks moves exactly, and covers what is said."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from moving.cut_outs import CutOut
from moving.foreground import moving_pair
from scenes import texture


@pytest.fixture(scope="module")
def disc() -> CutOut:
    alpha = np.zeros((120, 120), np.float32)
    cv2.circle(alpha, (60, 60), 58, 1.0, -1)
    return CutOut("disc", np.full((120, 120), 200, np.float32), alpha)


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    file = tmp_path_factory.mktemp("photographs") / "one.png"
    cv2.imwrite(str(file), texture())
    return file


@pytest.mark.parametrize("share", [0.1, 0.55])
def test_a_thing_covers_its_share_and_the_scene_behind_follows_the_truth(photograph, disc, share):
    pair = moving_pair([photograph], [disc], share, index=3)
    reference, current = pair.images
    assert pair.covers[0].mean() == pytest.approx(share, abs=0.01)
    moved = cv2.warpPerspective(reference, pair.truth, reference.shape[::-1])
    seen = cv2.warpPerspective(np.ones_like(reference), pair.truth, reference.shape[::-1]) > 0
    cover = cv2.warpPerspective(pair.covers[0].astype(np.uint8), pair.truth, reference.shape[::-1])
    both = cv2.dilate(cover | pair.covers[1].astype(np.uint8), np.ones((9, 9))) > 0
    difference = np.abs(moved.astype(float) - current)
    behind = difference[seen & ~both]
    assert behind.size > 20_000
    assert np.median(behind) < 4  # noise of two images
    assert np.abs(current[pair.covers[1]].mean() - 200) < 5


def test_the_pair_is_the_same_with_images_between(photograph, disc):
    pair, stream = (moving_pair([photograph], [disc], 0.25, 3, images) for images in (2, 4))
    assert len(stream.images) == len(stream.covers) == 4
    for number in (0, -1):
        np.testing.assert_array_equal(stream.images[number], pair.images[number])
        np.testing.assert_array_equal(stream.covers[number], pair.covers[number])
    middles = [np.argwhere(cover).mean(0) for cover in stream.covers]
    steps = np.linalg.norm(np.diff(middles, axis=0), axis=1)
    assert steps.min() > 0.7 * steps.max() > 0


def test_shares_differ_in_the_size_of_the_thing_alone(photograph, disc):
    small, large = (moving_pair([photograph], [disc], share, index=2) for share in (0.1, 0.4))
    np.testing.assert_array_equal(small.truth, large.truth)
    assert (large.covers[0] | ~small.covers[0]).all(), "the smaller one is within the larger"
