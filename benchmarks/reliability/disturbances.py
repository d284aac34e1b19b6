"""What happens to a robot's camera and to its nodes while they work, for soak.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from lifecycle_msgs.msg import Transition
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image

from reliability.camera import SoakCamera

__all__ = ["DISTURBANCES", "Disturbance"]

Disturbance = Callable[[SoakCamera, float], None]
"""Does something to a camera and its nodes for a number of seconds."""


def black_out(camera: SoakCamera, seconds: float) -> None:
    """A covered lens."""
    with camera.changed(picture=np.zeros_like):
        camera.stream(seconds)


def noise(camera: SoakCamera, seconds: float) -> None:
    """Images without anything to recognise."""
    rng = np.random.default_rng(0)
    with camera.changed(picture=lambda image: rng.integers(0, 256, image.shape, np.uint8)):
        camera.stream(seconds)


def silence(camera: SoakCamera, seconds: float) -> None:
    """A camera that sends nothing."""
    with camera.changed(enabled=(False, False)):
        camera.stream(seconds)


def dead_eye(camera: SoakCamera, seconds: float) -> None:
    """The right camera sends nothing."""
    with camera.changed(enabled=(True, False)):
        camera.stream(seconds)


def late_eye(camera: SoakCamera, seconds: float) -> None:
    """The right images arrive four images late."""
    with camera.changed(lag=4):
        camera.stream(seconds)


def swapped_eyes(camera: SoakCamera, seconds: float) -> None:
    """Cables in each other's places."""
    with camera.changed(swapped=True):
        camera.stream(seconds)


def other_size(camera: SoakCamera, seconds: float) -> None:
    """A camera that was set to smaller images."""

    def smaller(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return cv2.resize(image, None, fx=0.75, fy=0.75)

    with camera.changed(picture=smaller):
        camera.stream(seconds)


def time_back(camera: SoakCamera, seconds: float) -> None:
    """A recording that begins anew."""
    camera.jump(-30.0)
    camera.stream(seconds)


def time_ahead(camera: SoakCamera, seconds: float) -> None:
    """A clock that was set."""
    camera.jump(30.0)
    camera.stream(seconds)


def other_calibration(camera: SoakCamera, seconds: float) -> None:
    """A zoom lens that moved."""

    def zoomed(info: CameraInfo) -> CameraInfo:
        for matrix in (info.k, info.p):
            matrix[0] *= 1.05
            matrix[-7 if len(matrix) == 12 else 4] *= 1.05
        return info

    with camera.changed(info=zoomed):
        camera.stream(seconds)


def impossible_calibration(camera: SoakCamera, seconds: float) -> None:
    """A camera_info of nothing that there is."""

    def impossible(info: CameraInfo) -> CameraInfo:
        info.width, info.height, info.binning_x = 0, 2**32 - 1, 2
        info.p[0] = np.nan
        return info

    with camera.changed(info=impossible):
        camera.stream(seconds)


def other_frame(camera: SoakCamera, seconds: float) -> None:
    """Another camera on the same topic."""
    with camera.changed(frame_id="other"):
        camera.stream(seconds)


def new_driver(camera: SoakCamera, seconds: float) -> None:
    """A driver that was started again."""
    camera.publish_anew()
    camera.connect()
    camera.stream(seconds)


def onlooker(camera: SoakCamera, seconds: float) -> None:
    """Someone looks at the pictures for a while."""
    pictures: list[Image] = []
    watching = camera.client.node.create_subscription(Image, "matcher/overlay", pictures.append, 10)
    camera.stream(seconds)
    camera.client.node.destroy_subscription(watching)


def resets(camera: SoakCamera, seconds: float) -> None:
    """The services that start over."""
    for process in camera.processes:
        camera.call(process.name).trigger("reset")
        camera.stream(seconds / 2)


def keyframe(camera: SoakCamera, seconds: float) -> None:
    """The service that makes the newest image the reference."""
    camera.client.trigger("set_keyframe")
    camera.stream(seconds)


def parameters(camera: SoakCamera, seconds: float) -> None:
    """Values that are taken, and one that is refused."""
    for value, pairing in ((0.3, "keyframe"), (2.0, "nonsense"), (0.2, "consecutive")):
        camera.client.set_parameter("confidence_threshold", value)
        camera.client.set_parameter("pairing", pairing)
        camera.stream(seconds / 3)


def _rounds(camera: SoakCamera, seconds: float, names: Sequence[str]) -> None:
    for process in camera.processes:
        client = camera.call(process.name)
        for name in names:
            number = getattr(Transition, f"TRANSITION_{name}")
            assert client.transition(number), f"{process.name} refused to {name.lower()}"
            camera.stream(seconds / len(names))
    camera.connect()


def pause(camera: SoakCamera, seconds: float) -> None:
    """Deactivated and activated again."""
    _rounds(camera, seconds, ("DEACTIVATE", "ACTIVATE"))


def cleanup(camera: SoakCamera, seconds: float) -> None:
    """All given back and taken again."""
    _rounds(camera, seconds, ("DEACTIVATE", "CLEANUP", "CONFIGURE", "ACTIVATE"))


DISTURBANCES: tuple[Disturbance, ...] = (
    black_out, noise, silence, dead_eye, late_eye, swapped_eyes, other_size, time_back, time_ahead,
    other_calibration, impossible_calibration, other_frame, new_driver, onlooker, resets, keyframe,
    parameters, pause, cleanup,
)  # fmt: skip
"""One round of them."""

OF_STEREO = (dead_eye, late_eye, swapped_eyes)
"""Those that need two cameras."""
