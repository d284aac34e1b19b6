"""A camera over a flat landscape: its images and the exact homographies between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.images.frame import Frame, Intrinsics
from coarse_loftr_ros.recordings.rendered.camera import (
    SUPERSAMPLING,
    centred_camera,
    frame_stamps,
    noisy_frame,
    seconds_of,
)

__all__ = ["Flight"]

_FOCAL_PX = 560.0


@dataclass(frozen=True, eq=False)
class Flight:
    """A flight that pans, climbs, turns and tilts, filmed by a camera with its own faults.

    Frames are blurred, noisy, darker towards the corners, and their exposure drifts.

    Attributes:
        landscape: uint8 [H, W], the plane that is filmed.
        seconds: duration.
        rate: frames per second.
        width: of the frames, px.
        height: of the frames, px.
        noise: standard deviation, grey levels.
        altitude: mean distance from the landscape, focal lengths: px of the landscape per px.
        seed: of the noise.
    """

    landscape: NDArray[np.uint8]
    seconds: float = 8.0
    rate: float = 15.0
    width: int = 640
    height: int = 480
    noise: float = 2.0
    altitude: float = 1.25
    seed: int = 1
    stamps: list[int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stamps", frame_stamps(self.seconds, self.rate))

    def __len__(self) -> int:
        return len(self.stamps)

    @property
    def intrinsics(self) -> Intrinsics:
        """Of the camera."""
        return centred_camera(_FOCAL_PX, self.width, self.height)

    def pose(self, stamp: int) -> Pose:
        """The camera's optical frame in that of the landscape (x right, y down, z into it).

        Lengths are pixels of the landscape, which is the plane z = 0; the camera is at -z.
        """
        t = seconds_of(stamp)
        rows, columns = self.landscape.shape
        x = columns * (0.5 + 0.24 * np.sin(0.30 * t - 0.9))
        y = rows * (0.5 + 0.22 * np.sin(0.43 * t + 0.4))
        altitude = _FOCAL_PX * self.altitude * (1.0 + 0.176 * np.sin(0.75 * t))
        yaw = np.deg2rad(9.0 * np.sin(0.62 * t))
        pitch = np.deg2rad(9.0 * np.sin(0.95 * t + 1.0))
        roll = np.deg2rad(7.0 * np.sin(1.2 * t))
        rotation = _rotation(0, pitch) @ _rotation(1, roll) @ _rotation(2, yaw)
        return Pose(rotation.T, np.array([x, y, -altitude]))

    def from_landscape(self, stamp: int, to_the_right: float = 0.0) -> NDArray[np.float64]:
        """The homography from landscape pixels to the pixels of the frame of ``stamp``.

        Of a camera with rotation R (landscape to camera) at C it is ``H = K R [e1 e2 -C]``.

        Args:
            stamp: of the frame, nanoseconds.
            to_the_right: of the camera, how far another camera is, pixels of the landscape.
        """
        camera = self.pose(stamp)
        centre = camera.apply(np.array([to_the_right, 0.0, 0.0]))
        plane = np.column_stack([np.eye(3)[:, :2], -centre])
        return self.intrinsics.matrix() @ camera.rotation.T @ plane

    def between(self, reference_stamp: int, current_stamp: int) -> NDArray[np.float64]:
        """The true homography from reference pixels to current pixels, [2, 2] being 1."""
        homography = self.from_landscape(current_stamp) @ np.linalg.inv(
            self.from_landscape(reference_stamp)
        )
        return homography / homography[2, 2]

    def frames(self, to_the_right: float = 0.0) -> Iterator[Frame]:
        """Render the frames in order of time, of the camera or of another one beside it."""
        rng = np.random.default_rng((self.seed, 1) if to_the_right else self.seed)
        shading = self._shading()
        for stamp in self.stamps:
            image = self._render(stamp, to_the_right).astype(np.float32)
            exposure = 1.0 + 0.16 * np.sin(0.9 * seconds_of(stamp))
            yield noisy_frame(image * (shading * np.float32(exposure)), stamp, self.noise, rng)

    def _render(self, stamp: int, to_the_right: float) -> NDArray[np.uint8]:
        """The landscape through the lens: rendered finer, reduced, and a little blurred."""
        s = SUPERSAMPLING
        # Centres of pixels stay where they are: x -> s x + (s - 1) / 2.
        finer = np.array([[s, 0, (s - 1) / 2], [0, s, (s - 1) / 2], [0, 0, 1]])
        fine = cv2.warpPerspective(
            self.landscape,
            finer @ self.from_landscape(stamp, to_the_right),
            (self.width * s, self.height * s),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        image = cv2.resize(fine, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return cv2.GaussianBlur(image, (0, 0), 0.6)

    def _shading(self) -> NDArray[np.float32]:
        """The fall of light towards the corners, float32 [H, W]."""
        x = np.linspace(-1, 1, self.width, dtype=np.float32)
        y = np.linspace(-1, 1, self.height, dtype=np.float32)[:, None] * (self.height / self.width)
        return 1.04 - 0.16 * (x * x + y * y)


def _rotation(axis: int, angle: float) -> NDArray[np.float64]:
    """Rotation by ``angle`` about a coordinate axis, float64 [3, 3]."""
    vector = np.zeros(3)
    vector[axis] = angle
    return cv2.Rodrigues(vector)[0]
