"""A calibrated camera, and what is changed of it."""

import cv2
import numpy as np

from coarse_loftr_ros.cameras.calibration import Calibration

WIDTH, HEIGHT = 320, 240
CAMERA = (300.0, 0.0, 160.0, 0.0, 305.0, 118.0, 0.0, 0.0, 1.0)
STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
PROJECTION = (280.0, 0.0, 158.0, 0.0, 0.0, 280.0, 120.0, 0.0, 0.0, 0.0, 1.0, 0.0)
PLAIN = Calibration(WIDTH, HEIGHT, "plumb_bob", (0.0,) * 5, CAMERA, STRAIGHT, PROJECTION)
TURNED = tuple(cv2.Rodrigues(np.array([0.02, -0.03, 0.05]))[0].ravel().tolist())


def changed(values: tuple[float, ...], number: int, value: float) -> tuple[float, ...]:
    return (*values[:number], value, *values[number + 1 :])


LENSES = {
    "plumb_bob": (-0.3, 0.12, 0.001, -0.002, 0.0),
    "rational_polynomial": (-0.2, 0.05, 0.001, 0.0, 0.0, 0.05, 0.01, 0.0),
    "equidistant": (-0.03, 0.01, 0.0, 0.0),
}
