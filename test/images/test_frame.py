"""A frame is a grey image that knows where and when it was taken."""

import numpy as np
import pytest

from coarse_loftr_ros.images.frame import Frame, Intrinsics


def test_width_and_height_follow_the_image():
    frame = Frame(np.zeros((3, 5), np.uint8))
    assert (frame.width, frame.height) == (5, 3)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((3, 5), np.float32),
        np.zeros((3, 5, 3), np.uint8),
        np.zeros((0, 5), np.uint8),
        np.zeros((3, 0), np.uint8),
    ],
)
def test_anything_but_a_grey_uint8_image_is_refused(image):
    with pytest.raises(ValueError, match="frame image has dtype"):
        Frame(image)


@pytest.mark.parametrize("mask", [np.ones((3, 4), np.uint8), np.ones((3, 5), bool)])
def test_a_mask_that_does_not_fit_is_refused(mask):
    with pytest.raises(ValueError, match="frame mask has dtype"):
        Frame(np.zeros((3, 5), np.uint8), mask=mask)


def test_intrinsics_project_a_point_on_the_axis_to_the_principal_point():
    matrix = Intrinsics(500, 510, 320, 240).matrix()
    assert (matrix @ [0, 0, 2] / 2).tolist() == [320, 240, 1]
