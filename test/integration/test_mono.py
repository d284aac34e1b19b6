"""A node with one camera."""

from __future__ import annotations

import numpy as np
from ros_harness import scene, shift_of, view


def test_shift_between_two_images_is_found(mono):
    _, client = mono
    picture = scene()
    client.send(client.message(view(picture, 0, 0)))
    current = client.message(view(picture, 7, -4))
    correspondences, homography = client.match(current)
    assert homography.status == homography.OK, homography.reason
    # The view moved right and down in the scene, so the scene moved left and up in the image.
    np.testing.assert_allclose(shift_of(homography), (-7, 4), atol=0.3)
    assert len(correspondences.confidence) == homography.match_count > 50
