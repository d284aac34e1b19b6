"""Maps between views agree with OpenCV, and depth hides what it must."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (make test-train)")

import cv2
import numpy as np

from coarse_loftr_lab.training.pixel_maps import DenseMap
from coarse_loftr_lab.training.truth import (
    PairBatch,
    maps_from_depth,
    maps_from_homography,
    transform,
)

HOMOGRAPHY = torch.tensor([[1.1, 0.1, 5], [-0.05, 0.9, 3], [1e-4, 2e-4, 1]])


def test_transform_agrees_with_opencv_and_sends_points_behind_far_away():
    points = torch.rand(1, 50, 2) * 100
    expected = cv2.perspectiveTransform(points.numpy(), HOMOGRAPHY.numpy())
    np.testing.assert_allclose(transform(HOMOGRAPHY[None], points).numpy(), expected, rtol=1e-4)
    assert (transform(-HOMOGRAPHY[None], points) <= -1e5).all()


def test_a_homography_maps_pixels_and_knows_the_border():
    shift = torch.tensor([[1.0, 0, 10], [0, 1, -3], [0, 0, 1]])
    to, visible = maps_from_homography(shift[None], (64, 32))
    assert to[0, 5, 7].tolist() == [17, 2]
    assert visible[0].sum() == (64 - 10) * (32 - 3)


def test_depth_of_a_plane_gives_the_plane_s_homography():
    camera = torch.tensor([[80.0, 0, 31.5], [0, 80, 23.5], [0, 0, 1]])[None]
    pose = torch.eye(4)[None].clone()
    pose[0, :3, 3] = torch.tensor([0.2, -0.1, 0.3])
    depth = torch.full((1, 48, 64), 2.0)
    to, visible = maps_from_depth(depth, depth + 0.3, camera, camera, pose)
    plane = torch.eye(3) + torch.outer(pose[0, :3, 3], torch.tensor([0, 0, 0.5]))
    expected, inside = maps_from_homography((camera @ plane @ torch.linalg.inv(camera)), (64, 48))
    torch.testing.assert_close(to, expected, atol=1e-3, rtol=1e-4)
    assert torch.equal(visible, inside)


def test_hidden_and_unknown_points_are_not_visible():
    camera = torch.tensor([[80.0, 0, 31.5], [0, 80, 23.5], [0, 0, 1]])[None]
    near_wall = torch.full((1, 48, 64), 2.0)
    near_wall[:, :, :20] = 1.0  # something stands before the wall in the other view
    unknown = torch.full((1, 48, 64), 2.0)
    unknown[:, :10] = 0.0
    _, visible = maps_from_depth(unknown, near_wall, camera, camera, torch.eye(4)[None])
    assert not visible[:, :10].any() and not visible[:, :, :20].any()
    assert visible[:, 10:, 20:].all()


def test_batches_are_cut_and_joined():
    to, visible = maps_from_homography(HOMOGRAPHY.expand(4, 3, 3), (64, 32))
    image = torch.rand(4, 1, 32, 64)
    dense = DenseMap(to, visible)
    pairs = PairBatch(image, image, dense, dense)
    again = PairBatch.concatenate([pairs.select(slice(0, 1)), pairs.select(slice(1, 4))])
    assert len(again) == 4 and torch.equal(again.reference, image)
    assert torch.equal(again.to_current.target, to)
    assert torch.equal(again.to_reference.visible, visible)
